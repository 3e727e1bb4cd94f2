"""Other systems' own HTTP doors: firmwares that push (firmwares.py, gate.py), clients that read (openaq/)."""
