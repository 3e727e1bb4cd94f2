"""The lines of the table: each module measures one or two of them and returns what it found."""
