"""Doors for readings."""
