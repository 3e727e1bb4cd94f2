"""Doors for tasks."""
