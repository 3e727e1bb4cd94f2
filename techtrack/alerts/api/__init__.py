"""Doors for rules and alerts."""
