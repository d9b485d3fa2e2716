"""Plain values that every floor above may use. No I/O happens here."""
