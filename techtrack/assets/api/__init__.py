"""Doors for assets."""
