"""Pure rules of integrations: how written times are read and how columns become parameters."""
