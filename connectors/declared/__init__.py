"""Connectors without code: a `connector.toml` that describes a REST merchant (docs/connectors.md)."""
