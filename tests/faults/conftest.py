"""Fixtures of the fault tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.faults.cuts import Faults, Points
from tests.faults.network import connected
from tests.faults.summary import PROPERTY, seed
from tests.properties import DEEP, PROFILE_VARIABLE

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder, so that `make test-deep` includes them."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="module")
def connection() -> Iterator[None]:
    """Connects the store to the seam while this module's tests run."""
    with connected():
        yield


@pytest.fixture
def faults(connection: None, request: pytest.FixtureRequest) -> Faults:
    """The harness. LIVELLO_SEED changes the seed; LIVELLO_CUT runs one cut alone."""

    def report(points: Points) -> None:
        request.node.user_properties.append((PROPERTY, asdict(points)))

    is_deep = os.environ.get(PROFILE_VARIABLE) == DEEP
    only = os.environ.get("LIVELLO_CUT")
    return Faults(seed(), request.node.name, only=only, report=report, is_thorough=is_deep)
