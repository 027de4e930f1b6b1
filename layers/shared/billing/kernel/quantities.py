"""Quantities of usage: exact decimals, never floats."""

from __future__ import annotations

from decimal import Decimal

QUANTITY_MAX = Decimal(10**9)
"""The largest quantity of one usage event. A larger one was counted in the wrong unit."""

QUANTITY_DECIMALS_MAX = 6
"""The limit keeps every sum of quantities within the 38 digits of a DynamoDB number (DESIGN 3.5.3)."""
