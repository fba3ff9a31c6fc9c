"""Employees, groups, sign-in; `ldap.py` is the only file that imports ldap3."""
