"""How DynamoDB's refusals become our errors: the one mapping, for transactions, single writes and reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from billing.kernel.errors import BillingError, Busy, ConcurrentChange

CONDITION = "ConditionalCheckFailed"

COLLISIONS = frozenset({"TransactionConflict", "TransactionInProgress"})
"""Two transactions at the same moment on the same item."""

THROTTLES = frozenset({"ProvisionedThroughputExceeded", "RequestLimitExceeded", "Throttling", "ThrottlingError"})


def error_of(codes: set[str], failed_condition: BillingError) -> BillingError | None:
    """The error that a refusal means: of a whole call, or of a transaction by the reasons of its actions.

    A failed condition decides over everything else: to try the same again would fail again. None for a code that
    is not one of the three kinds.
    """
    named = {code.removesuffix("Exception") for code in codes}
    if CONDITION in named:
        return failed_condition
    if named & THROTTLES:
        return Busy()
    return ConcurrentChange() if named & COLLISIONS else None


def reasons_of(failure: ClientError) -> list[dict[str, Any]]:
    """Why a transaction was cancelled: one reason for each of its actions, in their order."""
    reasons: list[dict[str, Any]] = failure.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return reasons


def codes_of(failure: ClientError) -> set[str]:
    """The code of a refused call, and those of its reasons."""
    return {failure.response["Error"]["Code"], *(reason.get("Code", "None") for reason in reasons_of(failure))}


@contextmanager
def translated(failed_condition: BillingError | None = None) -> Iterator[None]:
    """Raises a refusal as our error; a failed condition is a ConcurrentChange unless it is named."""
    try:
        yield
    except ClientError as failure:
        error = error_of(codes_of(failure), failed_condition or ConcurrentChange())
        if error is None:
            raise
        raise error from failure
