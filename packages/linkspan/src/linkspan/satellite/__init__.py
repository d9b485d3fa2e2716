"""The satellite: it reads instances inside a network and sends to a hub. It listens nowhere.

What is excluded is never asked for, so nothing here ever holds it. What was read lies in a durable spool
until the hub has acknowledged it.
"""
