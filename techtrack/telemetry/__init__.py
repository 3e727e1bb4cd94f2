"""Readings: how they come in, where they live, how they are read again."""
