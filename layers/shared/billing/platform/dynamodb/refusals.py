"""The one mapping from DynamoDB's error codes to our errors, for transactions, single writes and reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from billing.kernel.errors import BillingError, Busy, ConcurrentChange

CONDITION = "ConditionalCheckFailed"

COLLISIONS = frozenset({"TransactionConflict", "TransactionInProgress"})
"""Two transactions wrote the same item at the same moment."""

THROTTLES = frozenset({"ProvisionedThroughputExceeded", "RequestLimitExceeded", "Throttling", "ThrottlingError"})


def error_of(codes: set[str], failed_condition: BillingError) -> BillingError | None:
    """Our error for the codes of a refused call, or of the actions of a cancelled transaction.

    A failed condition has priority, because a retry would fail again: the result is `failed_condition`. A throttle is
    Busy, a collision is ConcurrentChange. None if no code is of these three kinds.
    """
    named = {code.removesuffix("Exception") for code in codes}
    if CONDITION in named:
        return failed_condition
    if named & THROTTLES:
        return Busy()
    return ConcurrentChange() if named & COLLISIONS else None


def reasons_of(failure: ClientError) -> list[dict[str, Any]]:
    """The cancellation reasons of a transaction: one for each action, in their order; else empty."""
    reasons: list[dict[str, Any]] = failure.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return reasons


def codes_of(failure: ClientError) -> set[str]:
    """The code of a refused call, and the codes of its cancellation reasons."""
    return {failure.response["Error"]["Code"], *(reason.get("Code", "None") for reason in reasons_of(failure))}


@contextmanager
def translated(failed_condition: BillingError | None = None) -> Iterator[None]:
    """Raises our error in place of botocore's (see error_of).

    A failed condition raises `failed_condition`, or ConcurrentChange if none is given. Other failures of botocore pass.
    """
    try:
        yield
    except ClientError as failure:
        error = error_of(codes_of(failure), failed_condition or ConcurrentChange())
        if error is None:
            raise
        raise error from failure
