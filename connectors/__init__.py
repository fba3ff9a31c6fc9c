"""Modules that speak to merchants and to operators; nothing here imports `portal`."""
