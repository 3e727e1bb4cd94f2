"""Doors for what is brought in from elsewhere."""
