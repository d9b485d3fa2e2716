"""One file a REST family: verbs of the platform, no policy."""
