"""OPDS 2.0: one connector that lists the catalogue of whoever publishes one, and buys what is sold as a file."""
