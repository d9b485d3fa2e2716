"""Update sets: read from a file, loaded, previewed against this instance, committed to it."""
