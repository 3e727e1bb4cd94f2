"""Settings, addresses and the two server interfaces."""
