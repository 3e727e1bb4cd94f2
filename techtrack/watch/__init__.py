"""TechTrack watches itself: its processes, its judge, its disks, what sends to it and what it sends through."""
