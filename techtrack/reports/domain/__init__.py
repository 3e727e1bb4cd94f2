"""What of a report is computed without a database."""
