"""Generators of load: machines that were never built, and recordings sent once more."""
