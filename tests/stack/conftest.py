"""Tests of the whole system: see tests.running_stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.running_stack import stack

__all__ = ["stack"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder, so that `-m "not stack"` excludes them."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.stack)
