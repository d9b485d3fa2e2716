"""Scans: definitions as data, run read-only over the fleet, and what they found compared."""
