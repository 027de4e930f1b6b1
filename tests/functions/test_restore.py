"""A backup is restored after life has gone on: nobody is charged or mailed twice, what was deleted stays deleted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.ending.deletion.commands import Purger
from billing.ending.deletion.records import PurgeStore
from billing.invoicing.records import InvoiceStore
from billing.kernel.errors import UpstreamFailed
from billing.platform.dynamodb.table import quiet
from billing.platform.events.bus import Refusal
from boto3.dynamodb.types import TypeSerializer

from functions.administer_users.app import handler as administer_users
from functions.publish_events.app import handler as publish
from functions.update_billing_information.app import handler as update_billing_information
from local.stripe.api import Stripe
from scripts.restore import STATE, Restore, restore
from scripts.stack import OperatorError
from scripts.taps import Taps, taps_of
from tests.api_gateway import NOW, answer, request
from tests.aws import DOCUMENTS, REGION, TABLE, UserPool, delete_item, items_behind_moto, put_item, stored_items
from tests.cards import card
from tests.company import Company, provisioned
from tests.functions.ending import ENDED, PURGED, cancel, fire
from tests.samples import ACCOUNT, with_value
from tests.template import resources

CLOSED, YOUNG, BACKUP, NAME = "closing-shop", "young-shop", "billing-backup", "restore/test"
ROLE = "arn:aws:iam::123456789012:role/scheduler"
LATER = PURGED + timedelta(days=1)
USERS = "/accounts/{account}/users"
CONTACT = "/accounts/{account}/billing-information/contact"
OFFICE = {"name": "Office", "phone": None}

pytestmark = pytest.mark.usefixtures("work")


class Recorder:
    """Taps that remember what was done with them."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def open_now(self) -> dict[str, list[str]]:
        return {"mappings": ["publisher"], "schedules": ["payments"]}

    def close(self, taps: Mapping[str, Sequence[str]]) -> None:
        assert taps == self.open_now()
        self.done.append("close")

    def open(self, taps: Mapping[str, Sequence[str]]) -> None:
        assert taps == self.open_now()
        self.done.append("open")


class CutOff(Exception):
    """The restore ends here."""


class Bus:
    """A bus that remembers the types of published events."""

    def __init__(self) -> None:
        self.types: list[str] = []

    def publish(self, events: Any) -> Sequence[Refusal]:
        self.types += [each.type.value for each in events]
        return []


@pytest.fixture
def backup(company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """A backup of two accounts with invoices that are not charged yet. Then life goes on.

    The invoices are charged. The second account is deleted, and comes back under its id; a third one is new.
    """
    assert provisioned(with_value(ACCOUNT, CLOSED, "account")).status == 201
    closing = Company(CLOSED, company.admin, company.member)
    for each in (company, closing):
        card(each, stripe_account)
    fire(NOW + timedelta(hours=1), work, monkeypatch, "renewal")
    before = stored_items()
    fire(NOW + timedelta(hours=2), work, monkeypatch, "collection")
    assert cancel(closing).status == 201
    for at in (ENDED, PURGED):
        fire(at, work, monkeypatch, "ending")
    for account in (CLOSED, YOUNG):
        assert provisioned(with_value(ACCOUNT, account, "account")).status == 201
    properties = resources()["Table"]["Properties"]
    names = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    copy = boto3.resource("dynamodb", region_name=REGION).create_table(
        TableName=BACKUP, **{name: properties[name] for name in names}
    )
    with copy.batch_writer() as batch:
        for item in before:
            batch.put_item(Item=item)
    yield company
    copy.delete()


def work_on() -> tuple[Restore, list[str]]:
    """The restore of the backup into the table, and what it prints."""
    lines: list[str] = []
    client = wiring.dynamodb()
    purges = quiet(PurgeStore(TABLE, client), NAME)
    purger = Purger(
        accounts=wiring.account_store(),
        methods=wiring.payment_store(),
        purges=purges,
        invoices=wiring.invoice_store(),
        documents=wiring.documents(),
        archive=None,
        archive_years=0,
        gateway=wiring.payments(),
        directory=wiring.directory(),
        wait=timedelta(),
    )
    payments: Any = wiring.payments()
    store = quiet(InvoiceStore(TABLE, client), NAME)
    return Restore(
        client, BACKUP, TABLE, purger, payments, store, wiring.invoicing_settings, NAME, LATER, None, lines.append
    ), lines


def run(taps: Recorder | None = None, **options: Any) -> tuple[bool, str]:
    work, lines = work_on()
    recorder: Any = taps or Recorder()
    done = restore(work, recorder, **options)
    return done, "".join(lines)


def lose(*accounts: str) -> None:
    """All items of the table are lost, or those of some accounts."""
    for item in stored_items():
        if not accounts or item["pk"].partition("#")[2] in accounts:
            delete_item(item["pk"], item["sk"])


def items_of(account: str) -> list[dict[str, Any]]:
    return [item for item in stored_items() if item["pk"].partition("#")[2] == account]


def charges(stripe: Stripe) -> list[str]:
    return sorted(each["id"] for each in stripe.objects["payment_intent"].values() if each["status"] == "succeeded")


def statuses(account: str) -> set[str]:
    return {json.loads(each["body"])["status"] for each in items_of(account) if each["sk"].startswith("INVOICE#")}


def published(before: Sequence[Mapping[str, Any]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the publisher sends of the events that were written since, as its stream shows them."""
    known = {(item["pk"], item["sk"]) for item in before}
    new = [each for each in stored_items() if each["sk"].startswith("EVENT#") and (each["pk"], each["sk"]) not in known]
    bus = Bus()
    monkeypatch.setattr(wiring, "bus", lambda: bus)
    serialize = TypeSerializer().serialize
    images = [{name: serialize(value) for name, value in each.items()} for each in new]
    publish({"Records": [{"dynamodb": {"NewImage": image, "Keys": {}}} for image in images]}, LambdaContext())
    assert new
    return bus.types


def test_a_lost_table_comes_back_and_nobody_is_charged_or_told_twice(
    backup: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged = charges(stripe_account)
    assert len(charged) >= 2
    lose()
    taps = Recorder()

    assert run(taps)[0], "it only prints"
    assert stored_items() == []
    done, printed = run(taps, is_done=True)

    assert done
    assert taps.done == ["close", "open"]
    assert f"{backup.account}: comes back" in printed
    assert f"{CLOSED}: was deleted on 2026-07-28, and stays deleted" in printed
    assert "is taken in" in printed
    assert statuses(backup.account) == {"paid"}
    assert items_of(CLOSED) == []
    assert published([], monkeypatch) == []
    for day in range(3):
        fire(LATER + timedelta(days=day), work, monkeypatch, "collection")
    assert charges(stripe_account) == charged
    receipts = [item for item in stored_items() if item["pk"] == "RECEIPTS"]
    assert len(receipts) == 1, "the receipt is younger than the backup"
    assert not wiring.documents().get(STATE)


def test_an_account_that_was_lost_comes_back_and_the_living_are_left_alone(
    backup: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged, counters = charges(stripe_account), [item for item in stored_items() if item["pk"] == "NUMBERS"]
    log_ins = boto3.client("cognito-idp", region_name=REGION).list_users(UserPoolId=_pool())["Users"]
    lose(backup.account)
    living = stored_items()

    refused, printed = run(is_done=True)

    assert not refused
    assert "Nothing happens without --keep-younger" in printed
    assert stored_items() == living
    assert run(is_done=True, keeps_younger=True)[0]
    assert [item for item in stored_items() if item in living] == living, "a living item was changed"
    assert {item["pk"].partition("#")[2] for item in stored_items() if item not in living} == {backup.account}
    assert [item for item in stored_items() if item["pk"] == "NUMBERS"] == counters
    assert wiring.account_store().account(CLOSED).identity
    assert boto3.client("cognito-idp", region_name=REGION).list_users(UserPoolId=_pool())["Users"] == log_ins
    assert statuses(backup.account) == {"paid"}
    assert published(living, monkeypatch) == []
    fire(LATER, work, monkeypatch, "collection")
    assert charges(stripe_account) == charged


def _pool() -> str:
    return os.environ["USER_POOL_ID"]


def test_a_restore_that_is_cut_off_anywhere_is_finished_by_the_next_one(
    backup: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose()
    copied = int(run(is_done=True)[1].rpartition(" items copied")[0].rpartition("\n")[2])
    whole = _without_times(stored_items())
    for written in range(0, copied, copied // 4):  # among the items
        items_behind_moto().clear()
        with monkeypatch.context() as patch:
            patch.setattr(Restore, "_add", _cut_off_after(written))
            with pytest.raises(CutOff):
                run(is_done=True)
        assert run(is_done=True)[0]
        assert _without_times(stored_items()) == whole
    cuts = 0
    while True:
        items_behind_moto().clear()
        taps = Recorder()
        if not _cut_after(cuts, taps):
            break
        assert wiring.documents().get(STATE), "what is switched off is forgotten"
        assert taps.done == ["close"]
        with pytest.raises(OperatorError, match="was cut off"):
            run(taps, is_done=True, replaced=[backup.account])
        assert run(taps, is_done=True)[0]
        assert taps.done == ["close", "close", "open"]
        assert _without_times(stored_items()) == whole
        cuts += 1
    assert cuts == 5  # after the taps, the items, each payment, and the numbers


def _cut_off_after(written: int) -> Callable[[Restore, Any], int]:
    """Writes so many items. The next one is not written, and the restore ends there."""
    left, add = iter(range(written)), Restore._add

    def add_or_end(work: Restore, item: Any) -> int:
        if next(left, None) is None:
            raise CutOff
        return add(work, item)

    return add_or_end


def _cut_after(steps: int, taps: Any) -> bool:
    """Runs a restore that is cut off after so many steps. Whether it was."""
    left = iter(range(steps))

    def goes_on() -> None:
        if next(left, None) is None:
            raise CutOff

    try:
        run(taps, is_done=True, goes_on=goes_on)
    except CutOff:
        return True
    return False


def _without_times(items: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The keys of items; those of events have a random part."""
    return [(each["pk"], each["sk"].partition("#")[0] if "EVENT#" in each["sk"] else each["sk"]) for each in items]


def test_an_invoice_that_the_backup_lacks_is_not_issued_again_by_itself(
    backup: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next month was invoiced and charged after the backup. Its money is credit, and its number stays used."""
    month_later = PURGED + timedelta(hours=1)
    fire(month_later, work, monkeypatch, "renewal", "collection")
    number = max(
        item["sk"].rpartition("#")[2] for item in items_of(backup.account) if item["sk"].startswith("INVOICE#")
    )
    boto3.resource("s3", region_name=REGION).Object(
        DOCUMENTS, f"accounts/{backup.account}/invoices/{number}/{number}.pdf"
    ).put(Body=b"%PDF")
    charged = charges(stripe_account)
    lose()

    _, printed = run(is_done=True)

    assert f"{number} was issued after the backup. Invoicing waits for staff." in printed
    held = wiring.invoice_store().held(limit=10, after=None).items
    assert [each.account for each in held] == [backup.account]
    billing = wiring.invoice_store().billing_context(backup.account)
    assert billing is not None
    assert billing.credit > 0
    fire(LATER, work, monkeypatch, "renewal", "collection")
    assert charges(stripe_account) == charged
    wiring.forget()
    assert wiring.invoice_store().counter("LV", 2026).count >= int(number[-6:])


def test_an_account_that_lives_goes_back_only_when_it_is_named(backup: Company) -> None:
    living = wiring.account_store().account(backup.account)
    put_item(f"ACCOUNT#{backup.account}", "AUTOSCALING", "{}", version=7)

    done, printed = run(is_done=True, keeps_younger=True, replaced=[backup.account, YOUNG, "nobody"])

    assert not done
    assert f"{backup.account}: cannot go back: it was invoiced or paid" in printed
    assert f"{YOUNG}: cannot go back: it does not live on both sides" in printed
    _forget_money_since(backup.account)
    assert run(is_done=True, keeps_younger=True, replaced=[backup.account])[0]
    back = wiring.account_store().account(backup.account)
    assert replace(back, version=living.version) == living
    assert [item for item in items_of(backup.account) if item["sk"] == "AUTOSCALING"] == []


def test_an_account_does_not_go_back_to_before_a_person_was_erased(backup: Company) -> None:
    """The backup has the person's user and name, and knows nothing of the erasure."""
    bo = backup.member["sub"]
    change = request("PUT", CONTACT, claims=backup.admin, path=backup.path, body=OFFICE, headers={"If-Match": '"1"'})
    assert answer(update_billing_information, change).status == 200
    path = {**backup.path, "user": bo}
    asked = request("DELETE", f"{USERS}/{{user}}", claims=backup.admin, path=path, query={"erase": "true"})
    assert answer(administer_users, asked).status == 202
    _forget_money_since(backup.account)
    before = stored_items()

    done, printed = run(is_done=True, keeps_younger=True, replaced=[backup.account])

    assert not done
    assert f"{backup.account}: cannot go back: a person was erased since the backup" in printed
    assert stored_items() == before


def test_who_loses_access_by_going_back_loses_the_log_in_too(
    backup: Company, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were invited after the backup, and belong to no other account."""
    late = {"email": "late@nordlys.example", "name": "Late Lund", "role": "member"}
    asked = request("PUT", USERS, claims=backup.admin, path=backup.path, body=late)
    assert answer(administer_users, asked).status == 200
    _forget_money_since(backup.account)

    assert run(is_done=True, keeps_younger=True, replaced=[backup.account])[0]
    fire(LATER + timedelta(days=15), work, monkeypatch, "ending")

    assert "late@nordlys.example" not in user_pool.emails()
    assert "ada@nordlys.example" in user_pool.emails()


def _forget_money_since(account: str) -> None:
    """The account in the backup gets the invoices of the one in use: then no money has moved since."""
    table = boto3.resource("dynamodb", region_name=REGION).Table(BACKUP)
    for item in items_of(account):
        if item["sk"].startswith(("INVOICE#", "DOCUMENT#", "BALANCE", "PAGE#PERIOD", "PERIOD#")):
            table.put_item(Item=item)


def test_a_payment_that_cannot_be_taken_in_holds_up_nothing_but_the_taps(
    backup: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose()
    taps = Recorder()
    taken: list[str] = []
    bad: list[str] = []
    take_in = Restore.take_in

    def fails_for_the_first(work: Restore, payment: Any) -> bool:
        if payment.id in bad or not bad:
            bad[:] = [payment.id]
            raise UpstreamFailed("Stripe refuses.")
        taken.append(payment.id)
        return take_in(work, payment)

    monkeypatch.setattr(Restore, "take_in", fails_for_the_first)
    with pytest.raises(OperatorError, match=r"--leave to go on without: pi_"):
        run(taps, is_done=True)

    assert taken
    assert taps.done == ["close"]
    assert run(taps, is_done=True, left=bad)[0]
    assert taps.done == ["close", "close", "open"]


def test_without_a_key_of_stripe_a_restore_says_what_it_has_not_looked_for(
    backup: Company, stripe_account: Stripe
) -> None:
    lose()
    secrets = boto3.client("secretsmanager", region_name=REGION)
    for name in ("stripe-api", "stripe"):
        secrets.put_secret_value(SecretId=name, SecretString='{"api_key": ""}')
    wiring.forget()

    done, printed = run(is_done=True)

    assert done
    assert "no payments were looked for" in printed


# ---- Taps -------------------------------------------------------------------------------------------------


class Functions:
    """Lambda as far as readers are switched. A reader takes a while to stop, with the batch that it works on."""

    def __init__(self) -> None:
        self.states = {"reader": "Enabled", "off": "Disabled"}
        self.asked = 0

    def get_event_source_mapping(self, UUID: str) -> dict[str, str]:  # noqa: N803 - AWS's name
        self.asked += 1
        if self.states[UUID] == "Disabling" and self.asked > 4:
            self.states[UUID] = "Disabled"
        return {"State": self.states[UUID]}

    def update_event_source_mapping(self, UUID: str, Enabled: bool) -> None:  # noqa: N803 - AWS's names
        self.states[UUID] = "Enabled" if Enabled else "Disabling"


def test_only_what_was_on_is_switched_off_and_on_again(aws: None) -> None:
    scheduler = boto3.client("scheduler", region_name=REGION)
    for name, state in (("hourly", "ENABLED"), ("unused", "DISABLED")):
        scheduler.create_schedule(
            Name=name,
            ScheduleExpression="cron(1 * * * ? *)",
            FlexibleTimeWindow={"Mode": "OFF"},
            State=state,
            Target={"Arn": "arn:aws:lambda:eu-central-1:123456789012:function:f", "RoleArn": ROLE},
        )
    before = scheduler.get_schedule(Name="hourly")
    waited: list[float] = []
    functions = Functions()
    found = taps_of(
        {
            "Reader": ("AWS::Lambda::EventSourceMapping", "reader"),
            "Off": ("AWS::Lambda::EventSourceMapping", "off"),
            "Hourly": ("AWS::Scheduler::Schedule", "hourly"),
            "Unused": ("AWS::Scheduler::Schedule", "unused"),
            "Table": ("AWS::DynamoDB::Table", TABLE),
        },
        wiring.session(),
        waited.append,
    )
    taps = Taps(found.mappings, found.schedules, functions, found.scheduler, waited.append)
    opened = taps.open_now()

    taps.close(opened)
    taps.close(opened)  # the command is repeated

    assert opened == {"mappings": ["reader"], "schedules": ["hourly"]}
    assert functions.states == {"reader": "Disabled", "off": "Disabled"}
    assert waited
    assert _state(scheduler, "hourly") == "DISABLED"
    taps.open(opened)
    assert functions.states == {"reader": "Enabled", "off": "Disabled"}
    assert [_state(scheduler, name) for name in ("hourly", "unused")] == ["ENABLED", "DISABLED"]
    kept = ("ScheduleExpression", "Target", "FlexibleTimeWindow")
    after = scheduler.get_schedule(Name="hourly")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    for name in ("hourly", "unused"):
        scheduler.delete_schedule(Name=name)


def _state(scheduler: Any, name: str) -> str:
    state: str = scheduler.get_schedule(Name=name)["State"]
    return state


def test_a_reader_that_does_not_stop_stops_the_restore(aws: None) -> None:
    class Stubborn(Functions):
        def update_event_source_mapping(self, UUID: str, Enabled: bool) -> None:  # noqa: N803
            pass

    never: Callable[[float], object] = lambda _: None  # noqa: E731
    taps = Taps(["reader"], [], Stubborn(), None, never)

    with pytest.raises(OperatorError, match="do not stop: reader"):
        taps.close({"mappings": ["reader"], "schedules": []})
