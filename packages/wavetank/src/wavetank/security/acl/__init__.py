"""Access controls: what they say (`rules`), how they are put together (`gates`), how a row meets them
(`rows`), and what narrows a query before them (`queries`, `narrowing`). `security.access` is the door.
"""
