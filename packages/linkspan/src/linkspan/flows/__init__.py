"""Where capabilities act together; each file reads like a recipe."""
