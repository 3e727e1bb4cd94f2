"""What TechTrack costs beside its peers: ``python -m benchmarks`` runs every line, or those that are named."""
