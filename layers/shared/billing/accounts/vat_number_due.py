"""When an account's VAT number is asked about. A changed company is due at once (DESIGN 3.3.11)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.kernel.backoff import backoff_seconds

FIRST_WAIT_SECONDS = 15 * 60
WAIT_SECONDS_MAX = 6 * 60 * 60
"""The time from a question without an answer to the next one. It doubles up to the longest wait."""


@dataclass(frozen=True, slots=True)
class VatNumberDue:
    """When a number is asked about next. `attempts` counts the questions without an answer since the last answer."""

    at: datetime
    attempts: int = 0

    def after_no_answer(self, now: datetime) -> VatNumberDue:
        """The next attempt after one more without an answer."""
        attempts = self.attempts + 1
        wait = timedelta(seconds=backoff_seconds(attempts, FIRST_WAIT_SECONDS, WAIT_SECONDS_MAX))
        return VatNumberDue(now + wait, attempts)
