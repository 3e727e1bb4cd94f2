"""The fast door: from the socket to one commit for all who wait."""
