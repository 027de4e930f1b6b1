"""The standard VAT rates of the European Union, in percent, with the first day of each.

Data, not rules: tests/domain/test_reference_data.py compares today's rates with the European Commission's (package
eu-vat-rates-data). The days of the changes are from the member states' laws. Rates from before 2024 are left out: a
contract reaches back for two years at most. Territories with rates of their own are in vat_territories.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

_BEGINNING = date(2024, 1, 1)

_SINCE_THE_BEGINNING = """
AT 20  BE 21  BG 20  CY 19  CZ 21  DE 19  DK 25  EE 22  ES 21  FI 24  FR 20  GR 24  HR 25  HU 27
IE 23  IT 22  LT 21  LU 17  LV 21  MT 18  NL 21  PL 23  PT 23  RO 19  SE 25  SI 22  SK 20
"""

_CHANGES = (
    ("FI", date(2024, 9, 1), "25.5"),
    ("SK", date(2025, 1, 1), "23"),
    ("EE", date(2025, 7, 1), "24"),
    ("RO", date(2025, 8, 1), "21"),
)


def _rates() -> dict[str, list[tuple[date, Decimal]]]:
    listed = _SINCE_THE_BEGINNING.split()
    rates = {country: [(_BEGINNING, Decimal(rate))] for country, rate in zip(listed[::2], listed[1::2], strict=True)}
    for country, since, rate in _CHANGES:
        rates[country].append((since, Decimal(rate)))
    return rates


STANDARD_RATES = _rates()
"""By country (ISO 3166-1), oldest first."""


def standard_rate(country: str, day: date) -> Decimal:
    """The rate of a member state on a day, in percent; for days before 2024 the oldest rate. Raises KeyError."""
    return rate_on(STANDARD_RATES[country], day)


def rate_on(rates: Sequence[tuple[date, Decimal]], day: date) -> Decimal:
    """The rate that applies on a day, or the oldest. `rates` have their first days, oldest first."""
    return next((rate for since, rate in reversed(rates) if since <= day), rates[0][1])
