"""What administrators and delegates see and change: rights, people, ceilings, the journal, the directory."""
