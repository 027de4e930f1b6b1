"""The audit log, and the publication of events from the table's stream to the bus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.accounts.cognito_directory import CognitoDirectory
from billing.accounts.directory import LogIn
from billing.correspondence.event_kinds import SCHEMA_OF
from billing.kernel.errors import UpstreamFailed
from billing.platform.events import publish as publishing

from functions.administer_users.app import handler as administer_users
from functions.get_events.app import handler as get_events
from functions.publish_events import app as publish_events_app
from functions.publish_events.app import handler as publish_events
from functions.update_billing_information.app import handler as update_billing_information
from tests.api_gateway import NOW, STAFF, answer, request
from tests.aws import REGION, stored_items
from tests.company import Company, put_catalogue
from tests.samples import ACCOUNT, CATALOGUE, with_value
from tests.template import ROOT

EVENTS = "/accounts/{account}/events"
USERS = "/accounts/{account}/users"


def listed(company: Company, query: dict[str, str] | None = None) -> dict[str, Any]:
    given = answer(get_events, request("GET", EVENTS, claims=company.admin, path=company.path, query=query))
    assert given.status == 200
    page: dict[str, Any] = given.body
    return page


def change_everything(company: Company) -> None:
    """An admin changes the contact, makes Bo an admin, and removes him, one second apart."""
    contact = "/accounts/{account}/billing-information/contact"
    bo = {"email": "bo@nordlys.example", "name": "Bo Lind", "role": "admin"}
    requests = [
        (update_billing_information, "PUT", contact, {"name": "Bo Lind", "phone": None}, {"If-Match": '"1"'}),
        (administer_users, "PUT", USERS, bo, {}),
        (administer_users, "DELETE", USERS + "/{user}", None, {}),
    ]
    for second, (handler, method, route, body, headers) in enumerate(requests, start=1):
        asked = request(
            method,
            route,
            claims=company.admin,
            path={**company.path, "user": company.member["sub"]},
            body=body,
            headers=headers,
            now=NOW + timedelta(seconds=second),
        )
        assert answer(handler, asked).status in {200, 204}


def test_the_audit_log_says_who_changed_what_and_when(company: Company) -> None:
    change_everything(company)

    removed, changed, contact, *earlier = listed(company)["items"]

    assert [each["type"] for each in earlier] in (
        ["user.added", "account.provisioned"],
        ["account.provisioned", "user.added"],
    ), "two events of the same instant are in any order"
    assert contact["type"] == "billing_information.changed"
    assert contact["before"] == {"area": "contact", "details": ACCOUNT["contact"]}
    assert contact["after"] == {"area": "contact", "details": {"name": "Bo Lind", "phone": None}}
    assert contact["actor"] == {"kind": "customer", "user": company.admin["sub"]}
    assert contact["time"].startswith("2026-06-10T12:00:01")
    assert contact["correlation"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    assert (changed["before"]["role"], changed["after"]["role"]) == ("member", "admin")
    assert (removed["before"]["email"], removed["after"]) == ("bo@nordlys.example", None)


def test_the_pages_of_the_audit_log_are_the_whole_log(company: Company) -> None:
    change_everything(company)

    whole = listed(company)["items"]
    first = listed(company, {"limit": "3"})
    rest = listed(company, {"limit": "3", "cursor": first["next_cursor"]})

    assert [*first["items"], *rest["items"]] == whole
    assert rest["next_cursor"] is None


def test_an_empty_cursor_is_the_first_page(company: Company) -> None:
    change_everything(company)

    assert listed(company, {"cursor": ""}) == listed(company)


def test_a_request_that_changes_nothing_records_no_event(company: Company) -> None:
    before = stored_items()
    same = {"email": "bo@nordlys.example", "name": "Bo Lind", "role": "member"}

    answer(administer_users, request("PUT", USERS, claims=company.admin, path=company.path, body=same))
    put_catalogue(CATALOGUE, replaces=1)

    assert stored_items() == before


def test_every_event_matches_its_schema(company: Company) -> None:
    change_everything(company)
    put_catalogue(with_value(CATALOGUE, "Suche", "products", 0, "name"), replaces=1)

    events = [json.loads(str(item["body"])) for item in stored_items() if str(item["sk"]).startswith("EVENT#")]

    assert {event["type"] for event in events} == {
        "account.provisioned",
        "billing_information.changed",
        "catalogue.replaced",
        "user.added",
        "user.changed",
        "user.removed",
    }
    for event in events:
        fields = SCHEMA_OF[event["type"]].model_validate(event).model_dump(mode="json")
        assert fields.keys() - {"test_clock"} == event.keys(), "only an event of an account on a clock names it"


# ---- From the stream to the bus ----


@pytest.fixture
def bus(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bus with a queue of its events, and a queue of dead letters. Yields a function that reads both."""
    events, sqs = boto3.client("events", region_name=REGION), boto3.client("sqs", region_name=REGION)
    sink = sqs.create_queue(QueueName="sink")["QueueUrl"]
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=sink, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name="livello-test")
    events.put_rule(Name="all", EventBusName="livello-test", EventPattern='{"source": ["livello"]}')
    events.put_targets(Rule="all", EventBusName="livello-test", Targets=[{"Id": "sink", "Arn": arn}])
    monkeypatch.setenv("EVENT_BUS_NAME", "livello-test")
    monkeypatch.setenv("DEAD_LETTERS_URL", dead)
    wiring.forget()

    def received(queue: str) -> list[Any]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]

    yield lambda: (received(sink), received(dead))
    events.remove_targets(Rule="all", EventBusName="livello-test", Ids=["sink"])
    events.delete_rule(Name="all", EventBusName="livello-test")
    events.delete_event_bus(Name="livello-test")
    for queue in (sink, dead):
        sqs.delete_queue(QueueUrl=queue)
    wiring.forget()


def sample() -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / "publish_events.json").read_text(encoding="utf-8"))
    return event


def test_an_event_is_published_as_it_was_written(bus: Any) -> None:
    batch = sample()

    publish_events(batch, LambdaContext())

    [published], dead = bus()
    written = json.loads(batch["Records"][0]["dynamodb"]["NewImage"]["body"]["S"])
    assert (published["source"], published["detail-type"]) == ("livello", "user.removed")
    assert published["detail"] == written
    assert dead == []


@pytest.mark.parametrize(
    "image",
    [{}, {"body": {"S": "{"}}, {"body": {"S": "{}"}}, {"body": {"N": "1"}}, {"body": {"S": '{"type": "unheard.of"}'}}],
)
def test_an_unreadable_record_is_a_dead_letter_and_does_not_stop_the_others(image: dict[str, Any], bus: Any) -> None:
    batch = sample()
    bad = json.loads(json.dumps(batch["Records"][0]))
    bad["eventID"], bad["dynamodb"]["NewImage"] = "bad-1", image
    batch["Records"].insert(0, bad)

    publish_events(batch, LambdaContext())

    [published], [letter] = bus()
    assert published["detail-type"] == "user.removed"
    assert letter["record"] == "bad-1"
    assert letter["pk"] == "ACCOUNT#nordlys-kaffe"
    assert set(letter) == {"record", "pk", "sk", "reason"}, "keys, but no content"


def test_an_unavailable_bus_fails_the_batch_so_that_the_stream_repeats_it(
    bus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENT_BUS_NAME", "no-such-bus")
    wiring.forget()
    waits: list[float] = []
    monkeypatch.setattr(publish_events_app, "sleep", waits.append)

    with pytest.raises(UpstreamFailed):
        publish_events(sample(), LambdaContext())

    assert len(waits) == publishing.ATTEMPTS_MAX - 1


def test_staff_read_the_audit_log_and_appear_in_it_as_staff(company: Company) -> None:
    asked = request("GET", EVENTS, claims=STAFF, path=company.path)

    provisioned = next(each for each in answer(get_events, asked).body["items"] if each["type"].startswith("account"))

    assert provisioned["actor"] == {"kind": "staff", "user": STAFF["sub"]}


def test_a_user_with_a_new_address_is_recorded_as_changed(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory has Bo's new address. The account still has the old one."""
    bo = LogIn(company.member["sub"], staff=False, verified=True)
    monkeypatch.setattr(CognitoDirectory, "log_in", lambda *_: bo)
    renamed = {"email": "bo.lind@nordlys.example", "name": "Bo Lind", "role": "member"}
    later = NOW + timedelta(seconds=1)

    asked = request("PUT", USERS, claims=company.admin, path=company.path, body=renamed, now=later)
    assert answer(administer_users, asked).status == 200

    newest = listed(company, {"limit": "1"})["items"][0]
    assert newest["type"] == "user.changed"
    assert (newest["before"]["email"], newest["after"]["email"]) == ("bo@nordlys.example", renamed["email"])
