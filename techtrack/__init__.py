"""TechTrack monitors and manages technical equipment and air-quality sensors."""
