"""Benchmarks: they print figures and ratios and decide nothing. ``python -m tests.bench``."""
