"""Preflight: proves that an account can do its work, or names the cause and the fix.

``run.py`` asks the checks in order, ``checks/`` holds one file each, ``causes.py`` is the published
list of causes, ``diagnosis.py`` tells refused logins apart.
"""
