"""Pure rules of assets: the packs that asset types begin with."""
