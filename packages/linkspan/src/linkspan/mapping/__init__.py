"""How two vocabularies meet: tables of values and pure functions, no I/O."""
