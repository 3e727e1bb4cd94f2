"""Doors for people and credentials."""
