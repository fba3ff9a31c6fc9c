"""Operators that bill from signed daily files; `docs/usage-file.md` has their format."""
