"""Where readings live, behind one small protocol."""
