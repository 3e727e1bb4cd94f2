"""The shared kernel: errors, registries, events, clock and the manners of the API. No business words."""
