"""Other systems: formats that are read (codecs) and files that are imported."""
