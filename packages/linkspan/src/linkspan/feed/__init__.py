"""Reading what changed on an instance: the keyset sweep and the notes of records."""
