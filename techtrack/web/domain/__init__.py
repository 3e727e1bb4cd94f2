"""Pure rules of the pages: how numbers, units and ages are shown."""
