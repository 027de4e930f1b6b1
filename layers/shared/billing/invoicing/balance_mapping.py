"""The credit balances of an account as they are stored: that of the contract's currency, and those of former ones."""

from __future__ import annotations

from collections.abc import Mapping

from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.reader import Row


def balance_body(credit: int, others: Mapping[str, int]) -> str:
    """The stored text of the balances, in minor units. Most contracts have had one currency: then `others` is left
    out, and a function of the release before reads the same."""
    return text({"credit": credit, **({"others": dict(others)} if others else {})})


def other_credit_from(row: Row | None) -> dict[str, int]:
    """The credit in the currencies that the contract had before, in minor units."""
    return {} if row is None else dict(parsed(row.body).get("others", {}))


def credit_from(row: Row | None) -> int:
    """The credit in the contract's currency, in minor units."""
    return 0 if row is None else int(parsed(row.body)["credit"])
