"""Formats, one file each: bytes to readings, pure."""
