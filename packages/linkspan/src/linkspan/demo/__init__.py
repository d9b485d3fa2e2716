"""The whole story in one command: a fleet, an account, preflight, live sync, a replay, a verdict.

The demo is a user of linkspan and of the emulated instances: it starts both as separate processes
and talks HTTP to them. It never imports the sync or its mapping, so that it can judge them.
"""
