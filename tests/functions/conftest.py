"""What the tests of functions share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.company import Company


@pytest.fixture
def work(company: Company, buckets: Any, stripe_account: Any, work_queue: Any) -> Any:
    """The queue between planners and workers, and all that the life of an account needs: company, buckets, Stripe."""
    return work_queue
