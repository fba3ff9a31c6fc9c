"""Agentic Commerce Protocol, 2026-04-17: one connector that lists and buys from every merchant who speaks it."""
