"""Accounts as code: what should be, what is, the difference as a value, and carrying it out.

``plan.py`` compares, ``apply.py`` carries out, ``kinds/`` holds one file for each kind of record,
``recipes/`` says what an integration needs and why.
"""
