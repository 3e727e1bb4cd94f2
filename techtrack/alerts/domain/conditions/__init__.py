"""Conditions, one file each."""
