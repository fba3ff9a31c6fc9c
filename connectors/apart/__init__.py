"""Code of others, in a process of its own: no network, no secret, no file but its own code (docs/connectors.md, "Code of others")."""
