"""The rows of currencies. A rate is what one euro is worth in that currency; the figures are round ones."""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.database.shipped import sys_id_for
from wavetank.packs.writing import Rows

# code: name, symbol, rate
_CURRENCIES = {
    "EUR": ("Euro", "€", "1.00"),
    "USD": ("US Dollar", "$", "1.08"),
    "GBP": ("Pound Sterling", "£", "0.85"),
    "CHF": ("Swiss Franc", "CHF", "0.95"),
    "JPY": ("Yen", "¥", "160.00"),
}


def rows() -> Iterator[tuple[str, Rows]]:
    """Tables and their rows."""
    yield "fx_currency", _currencies()
    yield "fx_rate", _rates()


def _currencies() -> Rows:
    for code, (name, symbol, _) in _CURRENCIES.items():
        yield {"sys_id": sys_id_for("fx_currency", code), "code": code, "name": name, "symbol": symbol}


def _rates() -> Rows:
    for code, (_, _, rate) in _CURRENCIES.items():
        yield {
            "sys_id": sys_id_for("fx_rate", code),
            "currency": sys_id_for("fx_currency", code),
            "rate": rate,
        }
