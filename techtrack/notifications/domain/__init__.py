"""Pure rules of telling people."""
