"""The event bus on EventBridge: which refusals are for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import Event
from billing.platform.events.eventbridge_bus import EventBridgeBus
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.store.samples import sample_event

GOOD, BAD, BUSY = (sample_event(second, account) for second, account in enumerate(("good", "bad", "busy")))


class Bridge:
    """A client of EventBridge: answers each call with the codes of its entries, or fails the whole call."""

    def __init__(self, codes: dict[str, str], whole: str | None = None) -> None:
        self.codes, self.whole, self.calls = codes, whole, 0

    def create_client(self, name: str) -> Bridge:
        assert name == "events"
        return self

    def put_events(self, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - the API's name
        self.calls += 1
        found = [
            next((code for event, code in self.codes.items() if event in each["Detail"]), None) for each in Entries
        ]
        if self.whole is not None and any(found):
            raise ClientError({"Error": {"Code": self.whole, "Message": "no"}}, "PutEvents")
        return {"Entries": [{"EventId": "1"} if code is None else {"ErrorCode": code} for code in found]}


def refused(bridge: Any, *events: Event) -> list[tuple[Event, str, bool]]:
    refusals = EventBridgeBus("bus", bridge).publish(events)
    return [(each.event, each.code, each.for_good) for each in refusals]


@pytest.mark.parametrize(
    ("code", "for_good"),
    [
        ("MalformedDetail", True),
        ("InvalidArgument", True),
        ("InternalFailure", False),
        ("ThrottlingException", False),
        ("AccessDeniedException", False),
        ("NotAuthorizedForSourceException", False),
    ],
)
def test_an_entry_is_refused_for_good_if_it_is_itself_at_fault(code: str, for_good: bool) -> None:
    """The codes are those that the reference of PutEventsResultEntry lists."""
    bridge = Bridge({BAD.id: code})

    assert refused(bridge, GOOD, BAD, BUSY) == [(BAD, code, for_good)]
    assert bridge.calls == 1


def test_a_call_that_is_refused_for_its_contents_is_made_again_for_each_event() -> None:
    """An event that is too large spoils its whole call."""
    bridge = Bridge({BAD.id: "too large"}, whole="ValidationException")

    assert refused(bridge, GOOD, BAD, BUSY) == [(BAD, "ValidationException", True)]
    assert bridge.calls == 4


@pytest.mark.parametrize("code", ["InternalException", "ThrottlingException", "ResourceNotFoundException"])
def test_any_other_failure_of_a_call_may_pass(code: str) -> None:
    with pytest.raises(UpstreamFailed):
        refused(Bridge({BAD.id: "any"}, whole=code), BAD)


def test_a_bus_that_cannot_be_reached_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge({})
    failure = EndpointConnectionError(endpoint_url="https://events")
    monkeypatch.setattr(bridge, "put_events", lambda **_: (_ for _ in ()).throw(failure))

    with pytest.raises(UpstreamFailed):
        refused(bridge, GOOD)
