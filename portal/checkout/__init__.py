"""Quote, confirmation, order, delivery: the two clicks."""
