"""Offers, search, synchronisation from connectors, and the browsing screens."""
