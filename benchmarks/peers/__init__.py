"""The systems that are measured beside TechTrack, started on loopback with data folders of their own."""
