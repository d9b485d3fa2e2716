"""Security findings from outside: read, judged by rules, and made into incidents."""
