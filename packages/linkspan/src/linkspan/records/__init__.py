"""The only code that creates task records and their notes: intent first, look before repeating."""

from linkspan.records.records import Records

__all__ = ["Records"]
