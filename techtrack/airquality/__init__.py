"""Air quality by the book: indices, limit values, unit conversion, corrections and quality tests; pure functions."""
