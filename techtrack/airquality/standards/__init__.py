"""Air-quality index standards, one file each."""
