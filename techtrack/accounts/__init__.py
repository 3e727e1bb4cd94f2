"""People and where they belong: users, sites, memberships (a role at a site), sessions and keys."""
