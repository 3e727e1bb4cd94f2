"""What is trouble and what is not: pure decisions of what the platform sees of itself."""
