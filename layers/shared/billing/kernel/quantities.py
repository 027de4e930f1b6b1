"""Quantities of usage: exact decimals, never floats."""

from __future__ import annotations

from decimal import Decimal

QUANTITY_MAX = Decimal(10**9)
"""Of one event. Beyond it somebody has counted in the wrong unit."""


QUANTITY_DECIMALS_MAX = 6
"""So that no sum of quantities ever has more digits than the table keeps, which is 38."""
