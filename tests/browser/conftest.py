"""The page in a real browser, against the whole system."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from local.stack import Stack
from tests.browser.harness import Visitor, browser, visitor
from tests.browser.people import logged_in
from tests.running_stack import stack

__all__ = ["browser", "stack"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder, so that `-m "not browser"` excludes them."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture
def visit(stack: Stack, browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Makes people with browsers of their own, logged in as `who` is. None of their pages may report a fault."""
    people: list[Visitor] = []

    def arrive(locale: str = "en-GB", who: str | None = None) -> Visitor:
        people.append(logged_in(stack, browser, who, locale) if who else visitor(stack, browser, locale))
        return people[-1]

    yield arrive
    for person in people:
        person.context.close()
    assert [fault for person in people for fault in person.faults] == []
