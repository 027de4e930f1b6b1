"""Nothing that is due is forgotten: whatever a query has missed, wherever a run is cut off, whoever runs beside it."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from billing.accounts.rules import existing
from billing.ending.deletion.records import Purge
from billing.invoicing.collect_payments import collect_payments
from billing.invoicing.due import CollectionDue
from billing.invoicing.mapping import is_as_issued, is_whole
from billing.invoicing.records import InvoiceStore
from billing.kernel.errors import ConcurrentChange, UpstreamFailed
from billing.kernel.schedules import Job
from billing.payments.gateway import PaymentGateway, RequestRefused
from billing.payments.methods import Charge, ChargeState
from billing.platform.due_work.records import DueStore
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import text

from tests.aws import TABLE
from tests.faults.company import SETTINGS, body, catalogue, events, nothing_is_forgotten, stored_invoices
from tests.faults.cuts import Faults
from tests.faults.test_credit_notes import credit, paid, refunded_once
from tests.faults.test_invoices import ACCOUNT, JULY, Invoicing, all_paid, collect, company, invoiced, issue
from tests.faults.test_money import SECOND, books_agree, carried, of_kind
from tests.faults.world import World

FIXTURES = Path(__file__).parents[1] / "fixtures"
NORDLYS = "nordlys-kaffe"
MAY_14 = datetime(2026, 5, 14, 12, tzinfo=UTC)
"""Nine of Nordlys Kaffe's ten invoices are due. None can be charged: there is no payment method."""

NOT_DUE_YET = "LV-2026-000009"


# ---- A query that misses the last moment's changes ----


class Stale:
    """A client whose eventually consistent queries of the table answer as the table was `before`."""

    def __init__(self, world: World, before: World) -> None:
        self._world, self._before = world, before
        self._client = world.client

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    def query(self, **request: Any) -> Any:
        if request.get("ConsistentRead"):
            return self._client.query(**request)
        with self._before.calm():
            return self._client.query(**request)


def collect_stale(world: Invoicing, before: World, account: str = ACCOUNT, now: datetime = JULY) -> None:
    """A run whose queries answer as the table was before."""
    run(world, account, now, InvoiceStore(TABLE, Stale(world, before)))


def run(
    world: Invoicing,
    account: str,
    now: datetime,
    store: InvoiceStore | None = None,
    gateway: PaymentGateway | None = None,
) -> None:
    collect_payments(
        account,
        at_once=False,
        now=now,
        correlation=world.correlation,
        settings=SETTINGS,
        consent_page="https://billing.example",
        store=world.invoicing if store is None else store,
        gateway=world.payments if gateway is None else gateway,
    )


def due_at(world: World, now: datetime) -> list[str]:
    """The accounts that the planner of collection sends to the workers."""
    return [*DueStore(TABLE, world.client).due(Job.COLLECTION, now)]


def test_an_invoice_that_the_query_misses_is_charged_by_the_next_run(faults: Faults) -> None:
    """M4."""
    with company()().calm() as world:
        before = deepcopy(world)
        issue(world)
        collect_stale(world, before)
        nothing_is_forgotten(world)

        assert due_at(world, JULY) == [ACCOUNT], "once, although several of its invoices are due"
        collect(world)

        all_paid(world)
        assert due_at(world, JULY + timedelta(days=400)) == []


def test_a_refund_that_the_query_misses_is_made_by_the_next_run(faults: Faults) -> None:
    with paid().calm() as world:
        before = deepcopy(world)
        credit(world)
        collect_stale(world, before)

        assert due_at(world, JULY) == [ACCOUNT]
        collect(world)

        refunded_once(world)


def test_a_worker_that_knows_an_older_state_charges_nothing_twice(faults: Faults) -> None:
    with invoiced()().calm() as world:
        before = deepcopy(world)
        collect(world)
        for _ in range(2):
            try:
                collect_stale(world, before)
            except ConcurrentChange:
                continue

        all_paid(world)


# ---- Credit that waits for a charge ----


def test_credit_makes_the_invoice_due_whose_charge_may_still_succeed(faults: Faults) -> None:
    with carried().calm() as world:
        later = JULY + timedelta(hours=1)
        assert due_at(world, later) == []
        credit(world)

        [waiting, _] = [each for each in stored_invoices(world) if each["payment"].get("credit_on")]
        assert waiting["number"] == SECOND
        assert due_at(world, later) == [ACCOUNT]
        collect(world)

        assert of_kind(world, "credit_applied")[0][0] == SECOND
        assert due_at(world, later) == []
        books_agree(world)


def test_an_invoice_waits_no_longer_for_credit_that_is_used(faults: Faults) -> None:
    with carried().calm() as world:
        credit(world)
        context = existing(world.invoicing.billing_context(ACCOUNT))
        with world.invoicing._transaction() as write:
            balance = keys.account(ACCOUNT), keys.BALANCE
            write.delete(*balance, version=context.credit_version)
        attempts = len(world.stripe.objects["charge"])
        collect(world)

        assert not [each for each in stored_invoices(world) if each["payment"].get("credit_on")]
        assert len(world.stripe.objects["charge"]) == attempts, "its retry day has not come"
        nothing_is_forgotten(world)


class Refusing:
    """A payment service whose cancellations fail or come too late; everything else is the world's."""

    def __init__(self, world: Invoicing, cancelled: bool | Exception, state: ChargeState | None = None) -> None:
        self._gateway: Any = world.payments
        self._cancelled, self._state = cancelled, state

    def __getattr__(self, method: str) -> Any:
        return getattr(self._gateway, method)

    def cancel(self, payment: str, key: str) -> bool:
        if isinstance(self._cancelled, Exception):
            raise self._cancelled
        return self._cancelled

    def payment(self, payment: str) -> Charge:
        found: Charge = self._gateway.payment(payment)
        return found if self._state is None else replace(found, state=self._state, failure=None)

    def charge(self, *_: object) -> Charge:
        raise AssertionError("its retry day has not come")


def test_a_cancellation_that_fails_causes_no_charge(faults: Faults) -> None:
    with carried().calm() as world:
        credit(world)
        failing: Any = Refusing(world, UpstreamFailed("Stripe does not answer."))
        with pytest.raises(UpstreamFailed):
            run(world, ACCOUNT, JULY, gateway=failing)

        assert due_at(world, JULY) == [ACCOUNT], "the next run tries again"
        collect(world)
        assert of_kind(world, "credit_applied")[0][0] == SECOND
        books_agree(world)


@pytest.mark.parametrize(("state", "status"), [(ChargeState.SUCCEEDED, "paid"), (ChargeState.IN_TRANSIT, "in_transit")])
def test_a_charge_that_can_no_longer_be_cancelled_is_taken_in(faults: Faults, state: ChargeState, status: str) -> None:
    with carried().calm() as world:
        credit(world)
        late: Any = Refusing(world, cancelled=False, state=state)
        run(world, ACCOUNT, JULY, gateway=late)

        [second] = [each for each in stored_invoices(world) if each["number"] == SECOND]
        assert (second["status"], "credit_on" in second["payment"]) == (status, False)
        nothing_is_forgotten(world)


# ---- Items of the earlier release ----


def earlier() -> Invoicing:
    """Nordlys Kaffe as the first milestone has stored it: whole invoices, and an item for the account's collection."""
    with catalogue().calm() as made:
        for item in json.loads((FIXTURES / "first_milestone.json").read_text("utf-8")):
            made.client.put_item(TableName=TABLE, Item=item)
    world = Invoicing()
    world.table = made.table
    return world


def is_whole_item(item: Any) -> bool:
    return is_whole(item["body"]["S"])


def documents_of(world: World) -> dict[str, tuple[str, str]]:
    """What each invoice says and its digest, wherever it is stored: once."""
    wholes = [body(item) for item in world.stored(keys.INVOICE) if is_whole(item["body"]["S"])]
    documents = [item["body"]["S"] for item in world.stored(keys.DOCUMENT)]
    assert all(map(is_as_issued, documents))
    found = [(each["issued"]["number"], text(each["issued"]), each["digest"]) for each in wholes]
    found += [(each["issued"]["number"], text(each["issued"]), each["digest"]) for each in map(json.loads, documents)]
    assert len({number for number, _, _ in found}) == len(found), "a document twice"
    return {number: (issued, digest) for number, issued, digest in found}


SAID = {
    stored["number"]: (text(stored["issued"]), stored["digest"])
    for item in json.loads((FIXTURES / "first_milestone.json").read_text("utf-8"))
    if item["sk"]["S"].startswith("INVOICE#")
    for stored in [json.loads(item["body"]["S"])]
}


def kept(world: World) -> None:
    """At any time: each document is stored once and unchanged, and nothing unpaid is forgotten."""
    assert documents_of(world) == SAID
    nothing_is_forgotten(world)


def collect_nordlys(world: Invoicing) -> None:
    run(world, NORDLYS, MAY_14)


def divided(world: World) -> None:
    kept(world)
    invoices = [item for item in world.stored(keys.INVOICE) if item["pk"]["S"] == keys.account(NORDLYS)]
    assert not [item["sk"]["S"] for item in invoices if is_whole(item["body"]["S"])]
    by_number = {stored["number"]: (stored["status"], item) for item in invoices for stored in [body(item)]}
    status, item = by_number.pop(NOT_DUE_YET)
    assert (status, item["gsi1sk"]["S"]) == ("open", "2026-05-14T22:00Z"), "a look of its own, on its own day"
    assert len(by_number) == len(events(world, "payment.failed")) == 9
    assert {item["gsi1sk"]["S"] for _, item in by_number.values()} == {"2026-05-14T22:00Z"}, "tried again the next day"


def test_an_interrupted_run_divides_each_invoice_once(faults: Faults) -> None:
    faults.every_cut(world=earlier, command=collect_nordlys, invariants=divided, always=kept)


def test_two_runs_at_once_divide_each_invoice_once(faults: Faults) -> None:
    faults.every_race(world=earlier, first=collect_nordlys, second=collect_nordlys, invariants=divided)


def collection_due(world: World, account: str = NORDLYS) -> CollectionDue | None:
    return existing(world.invoicing.billing_context(account)).collection


def test_the_accounts_item_goes_two_days_after_each_invoice_has_its_own_look(faults: Faults) -> None:
    with earlier().calm() as world:
        assert NORDLYS in due_at(world, MAY_14)
        collect_nordlys(world)
        assert collection_due(world) == CollectionDue(date(2026, 5, 16), is_retired=True)
        collect_nordlys(world)
        run(world, NORDLYS, MAY_14 + timedelta(days=1))
        assert collection_due(world) == CollectionDue(date(2026, 5, 16), is_retired=True)

        run(world, NORDLYS, MAY_14 + timedelta(days=2))

        assert collection_due(world) is None
        kept(world)


def test_the_accounts_item_stays_where_the_query_misses_an_invoice(faults: Faults) -> None:
    """M4, for the item of the earlier release: it is removed on what a strongly consistent read says only."""
    with earlier().calm() as world:
        collect_nordlys(world)
        before = deepcopy(world)
        written_by_the_earlier_release(world)

        collect_stale(world, before, NORDLYS, MAY_14 + timedelta(days=2))

        [note] = [each for each in stored_invoices(world) if each["number"] == "CN-1"]
        assert note["status"] == "past_due", "the stand-in does not know the payment: it is repaid by hand"
        assert collection_due(world) == CollectionDue(date(2026, 5, 18), is_retired=True)
        nothing_is_forgotten(world)
        assert not [item for item in world.stored(keys.INVOICE) if "#CN-" in item["sk"]["S"] and is_whole_item(item)]


def written_by_the_earlier_release(world: World) -> None:
    """A credit note with a refund to make, of a function of the earlier release. It relies on the account's item, which
    was due when the function has read it: so it does not write that."""
    notes = json.loads((FIXTURES / "payments_of_the_first_milestone.json").read_text("utf-8"))
    stored = notes["a refund to come"]["body"]
    key = {"pk": {"S": keys.account(NORDLYS)}, "sk": {"S": keys.invoice(date(2026, 5, 4), "CN-1")}}
    item = {**key, "body": {"S": stored}, "version": {"N": "1"}}
    world.client.put_item(TableName=TABLE, Item=item)


def test_a_function_of_the_earlier_release_beside_a_run_leaves_nothing_forgotten(faults: Faults) -> None:
    def in_the_end(world: Invoicing) -> None:
        nothing_is_forgotten(world)
        for days in (2, 4, 6):
            # One that the payment service refuses holds up neither the others nor the removal.
            with suppress(RequestRefused):
                run(world, NORDLYS, MAY_14 + timedelta(days=days))
            nothing_is_forgotten(world)
        ours = [item for item in world.stored(keys.INVOICE) if item["pk"]["S"] == keys.account(NORDLYS)]
        assert not [item["sk"]["S"] for item in ours if is_whole_item(item)]
        assert collection_due(world) is None

    faults.every_race(
        world=earlier,
        first=collect_nordlys,
        second=written_by_the_earlier_release,
        invariants=in_the_end,
        may_lose=(RequestRefused,),
    )


def test_the_list_of_staff_has_what_became_past_due_before_and_after(faults: Faults) -> None:
    """In one order, the longest due first, each once, whatever the size of a page."""
    with earlier().calm() as world:
        collect_nordlys(world)
        for days in range(1, 31):
            run(world, NORDLYS, MAY_14 + timedelta(days=days))
            run(world, "harbour-and-hound", MAY_14 + timedelta(days=days))
        older = json.loads((FIXTURES / "payments_of_the_first_milestone.json").read_text("utf-8"))["past due"]["body"]
        older = older.replace("LV-2026-000001", "LV-2026-000010")  # the company has that number
        put_past_due_of_the_earlier_release(world, older)

        whole = [each.invoice for each in world.invoicing.past_due(limit=100, after=None).items]
        assert len(whole) == 10 + 2 + 1
        assert [each.due_on for each in whole] == sorted(each.due_on for each in whole)
        for limit in (1, 2, 5, 12, 13):
            listed, after = [], None
            while True:
                page = world.invoicing.past_due(limit=limit, after=after)
                listed += [each.invoice for each in page.items]
                after = page.last
                if after is None:
                    break
            assert listed == whole

        number = json.loads(older)["number"]
        record = world.invoicing.record(NORDLYS, number)
        account = existing(world.invoicing.billing_context(NORDLYS)).subscriber.account
        world.invoicing.save_payment(account, record, replace(record.payment, reference="letter"))
        assert [each.invoice for each in world.invoicing.past_due(limit=100, after=None).items] == whole
        [item] = [each for each in world.stored(keys.INVOICE) if body(each)["number"] == number]
        assert item["gsi2pk"]["S"] == keys.PAST_DUE
        assert item["gsi1pk"]["S"] == keys.shard_of(Job.COLLECTION, NORDLYS), "its reminders are due, nothing else"


def put_past_due_of_the_earlier_release(world: World, stored: str) -> None:
    said = json.loads(stored)
    number, due_on = said["number"], said["due_on"]
    item = {
        "pk": {"S": keys.account(NORDLYS)},
        "sk": {"S": keys.invoice(date.fromisoformat(said["produced_on"]), f"{number}")},
        "gsi1pk": {"S": "PAST-DUE"},
        "gsi1sk": {"S": f"{due_on}#{NORDLYS}#{number}"},
        "body": {"S": stored},
        "version": {"N": "3"},
    }
    world.client.put_item(TableName=TABLE, Item=item)


def test_the_archive_gets_the_whole_of_every_invoice(faults: Faults) -> None:
    """As one file each, whether it is one item or two."""
    with earlier().calm() as world:
        purge = Purge(NORDLYS, "receipt", "", "en", (), (), None, "", MAY_14, {}, "")
        before = [json.loads(each.body) for each in world.purges.invoices(purge)]
        collect_nordlys(world)
        after = [json.loads(each.body) for each in world.purges.invoices(purge)]

    for files in (before, after):
        assert {each["number"]: (text(each["issued"]), each["digest"]) for each in files} == {
            number: said for number, said in SAID.items() if number in {each["number"] for each in files}
        }
        assert len(files) == 10
        assert all(each["payment"] for each in files)


def test_an_interrupted_removal_of_the_accounts_item_forgets_nothing(faults: Faults) -> None:
    def retired() -> Invoicing:
        with earlier().calm() as world:
            collect_nordlys(world)
            return world

    def remove(world: Invoicing) -> None:
        run(world, NORDLYS, MAY_14 + timedelta(days=2))

    def removed(world: Invoicing) -> None:
        kept(world)
        assert collection_due(world) is None

    faults.every_cut(world=retired, command=remove, invariants=removed, always=kept)
