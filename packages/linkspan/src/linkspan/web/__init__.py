"""The hub's pages: server-rendered, kept live by server-sent events, no build step."""

from linkspan.web.pages import pages

__all__ = ["pages"]
