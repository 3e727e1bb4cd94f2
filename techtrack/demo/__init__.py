"""The demo plant: real measured data, replayed through the real doors."""
