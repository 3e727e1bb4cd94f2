"""The doors of air quality."""
