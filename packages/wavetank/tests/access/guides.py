"""The guides, and their table as Markdown."""

from __future__ import annotations

from packages.wavetank.tests.access import rad_security

GUIDES = (rad_security.GUIDE,)
