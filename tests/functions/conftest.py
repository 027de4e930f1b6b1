"""Fixtures for the tests of functions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.company import Company


@pytest.fixture
def work(company: Company, buckets: Any, stripe_account: Any, work_queue: Any) -> Any:
    """The queue between planners and workers. It also sets up the sample company, the buckets and the fake Stripe."""
    return work_queue
