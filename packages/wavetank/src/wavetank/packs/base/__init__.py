"""The base pack: what every fresh instance holds before any demo data."""
