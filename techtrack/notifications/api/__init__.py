"""Doors for channels, routes and deliveries."""
