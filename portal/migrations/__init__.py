"""The schema's history; every change of a table is a migration."""
