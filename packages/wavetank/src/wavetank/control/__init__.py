"""The control surface: what a test does to an instance from outside the platform, under `/-/`."""
