"""Rules at a terminal: exported, imported, tested and tried on the past."""
