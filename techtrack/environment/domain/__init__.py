"""What of air quality is computed without a database."""
