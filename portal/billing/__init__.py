"""Charges to the operator: the outbox, its worker, capture and void."""
