"""Reports that span the other parts of a site: drafted, signed by a person, and never changed from then on."""
