"""One instance's own facts, read once: what the stock tables of the mapping are replaced with."""
