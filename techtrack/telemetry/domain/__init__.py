"""Pure rules of readings."""
