"""Commands of linkspan; each file registers its own."""
