"""How long a caller retries after concurrent writes to the same items."""

from __future__ import annotations

from billing.platform.retry import WAIT_SECONDS_MAX, RetryBudget


def waits(seconds: float, chance: float, attempts: int) -> list[float]:
    """The waits in seconds of a caller whose attempts all fail."""
    waited: list[float] = []
    budget = RetryBudget(seconds, waited.append, lambda: chance)
    for attempt in range(1, attempts + 1):
        if not budget.lasts(attempt):
            break
    return waited


def test_each_wait_may_be_twice_as_long_as_the_one_before() -> None:
    assert [round(each, 3) for each in waits(100, 1, 7)] == [0.04, 0.08, 0.16, 0.32, 0.6, 0.6, 0.6]


def test_each_wait_is_a_random_share_of_its_limit() -> None:
    assert [round(each, 3) for each in waits(100, 0.25, 3)] == [0.01, 0.02, 0.04]


def test_all_waits_together_stay_within_the_budget() -> None:
    waited = waits(3, 1, 1000)

    assert round(sum(waited), 6) == 3
    assert max(waited) <= WAIT_SECONDS_MAX


def test_without_a_budget_there_is_no_wait() -> None:
    assert waits(0, 1, 5) == []


def test_all_writes_of_a_request_share_one_budget() -> None:
    waited: list[float] = []
    budget = RetryBudget(0.1, waited.append, lambda: 1)

    assert budget.lasts(1)
    assert budget.lasts(5)
    assert not budget.lasts(1)
    assert round(sum(waited), 6) == 0.1
