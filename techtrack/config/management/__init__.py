"""Django commands that TechTrack takes over."""
