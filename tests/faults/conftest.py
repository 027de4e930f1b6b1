"""Fixtures of the fault tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict

import pytest

from tests.faults.cuts import Faults, Points
from tests.faults.network import connected
from tests.faults.summary import PROPERTY, seed


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

    return Faults(seed(), request.node.name, only=os.environ.get("LIVELLO_CUT"), report=report)
