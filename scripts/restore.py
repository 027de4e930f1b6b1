"""Restores accounts from a backup of the table into the stack's own table, so that nobody is charged or mailed twice.

--from names the table of the backup: one that point-in-time recovery has restored, or any copy. Without --yes the
command compares both tables, looks for payments at Stripe that the backup does not know, and prints what it would do.
With --yes it switches off what reacts to the table, copies, deletes again what was deleted, takes in the payments, and
switches on again what it has switched off. It may be cut off anywhere and repeated with the same options.

An account that lives in the stack's table stays as it is there. One that was deleted after the backup stays deleted.
docs/restore.md explains it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

from billing import wiring
from billing.accounts.mapping import account_from
from billing.ending.deletion.claims import CLAIM_YEARS
from billing.ending.deletion.commands import Purger, purge_again
from billing.ending.deletion.empty_archive import ArchiveToEmpty
from billing.ending.deletion.rules import Receipt
from billing.invoicing.holds import InvoicingHold
from billing.invoicing.records import InvoiceStore
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.sync_payments import sync_payment
from billing.kernel.errors import BillingError
from billing.kernel.events import EventType, by_system, time_of_ulid
from billing.kernel.money import Money
from billing.payments.gateway import NoKey
from billing.payments.methods import ChargeState
from billing.payments.stripe_gateway import StripePayments
from billing.platform.aws_session import aws_session
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed
from billing.platform.dynamodb.reader import Image
from billing.platform.dynamodb.table import quiet
from billing.platform.events.new_event import new_event
from billing.platform.files.s3_archive import S3Archive
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from local.settings import LocalError
from scripts.reapply_deletions import Receipts, deleted_accounts, purger_of
from scripts.stack import OperatorError, add_stack_options, stack_resources, use_local_stack
from scripts.taps import Taps, taps_of

WRITERS = 16
"""How many items are written at the same time."""

PAYMENTS_MAX = 1000
"""How many of a customer's newest payments are looked at."""

STATE = "restores/state.json"
"""Where a restore keeps what it has switched off, in the bucket of documents, until it is finished."""

MONEY = (
    keys.BALANCE, keys.DOCUMENT, keys.INVOICE, keys.PAGE_PERIOD, keys.PERIOD, keys.REACTIVATION, keys.REVIEW,
    keys.REVIEW_OPEN, keys.VAT_CHECK,
)  # fmt: skip
"""Families that must be the same on both sides for an account to go back: money has moved, or somebody is booked."""

SAID = (
    keys.ALERT, keys.DELIVERED, keys.DELIVERY, keys.DOWNLOAD, keys.EVENT, keys.PAGE_APPOINTMENT, keys.UNDELIVERABLE,
)  # fmt: skip
"""Families of what was said or heard. An account that goes back keeps what is newer of it: also that an admin has
objected to an appointment, which the backup has as open."""

OF_BACKUP_ALONE = (keys.deleted(""), keys.residue(""), keys.RECEIPTS)
"""Partitions of which the table in use knows more, if it knows anything: what is settled there has no item."""

NUMBERED_BY_FOLDER = "invoices/"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a restore would do with each account, by id.

    `comes_back` are only in the backup. `lives` are on both sides, with the number of items that differ. `deleted` are
    in the backup and have a receipt. `being_deleted` are in the backup, and their first deletion is under way.
    `half_deleted` are the rest of accounts whose first deletion was under way in the backup, and in no other place:
    it goes on. `younger` are only in the table. `replaced` live on both sides and are to go back; `cannot`
    says why one may not.
    """

    comes_back: tuple[str, ...]
    lives: Mapping[str, int]
    deleted: Mapping[str, Receipt]
    being_deleted: tuple[str, ...]
    younger: tuple[str, ...]
    replaced: tuple[str, ...]
    cannot: Mapping[str, str]
    half_deleted: tuple[str, ...]

    @property
    def copied(self) -> frozenset[str]:
        """The accounts whose items are copied if the table lacks them."""
        return frozenset({*self.comes_back, *self.half_deleted})


@dataclass(frozen=True, slots=True)
class UnknownPayment:
    """A payment at Stripe that the backup does not know. `invoice` is the number that it names."""

    id: str
    account: str
    invoice: str | None
    amount: Money
    state: ChargeState


@dataclass(slots=True)
class Restore:
    """A restore of the items in the table `backup` into the table `table`. `name` marks the events that it writes."""

    client: Any
    backup: str
    table: str
    purger: Purger
    payments: StripePayments
    store: InvoiceStore
    settings: Callable[[], InvoicingSettings]
    name: str
    now: datetime
    archive: ArchiveToEmpty | None = None
    write: Callable[[str], object] = sys.stdout.write
    _pages: dict[str, Image] = field(default_factory=dict)

    # ---- Comparing ----

    def compare(self, replaced: Sequence[str]) -> Comparison:
        """Scans both tables, and reads the items of accounts on both sides."""
        theirs, ours = self._accounts(self.backup), self._accounts(self.table)
        self._pages = theirs
        under_way = {account for account, _ in self._purges(self.table)}
        receipts = Receipts.of(self.purger.documents)
        half_deleted = [
            account
            for account, receipt in self._purges(self.backup)
            if receipt not in receipts.ids and account not in theirs and account not in ours
        ]
        deleted: dict[str, Receipt] = {}
        for account, image in theirs.items():
            stored = account_from(image["body"]["S"], 0)
            provisioned_at = None if stored.identity else self._first_event(account)
            receipt = receipts.of_account(stored, provisioned_at)
            if receipt is not None:
                deleted[account] = receipt
        both = [account for account in theirs if account in ours and account not in deleted]
        # Its page is copied last: one that a cut-off restore has begun is not there yet.
        missing = [each for each in theirs if each not in ours and each not in deleted]
        return Comparison(
            comes_back=tuple(sorted(each for each in missing if each not in under_way)),
            lives={each: self._differing(each) for each in sorted(both) if each not in replaced},
            deleted=deleted,
            being_deleted=tuple(sorted(each for each in missing if each in under_way)),
            younger=tuple(sorted(each for each in ours if each not in theirs or each in deleted)),
            replaced=tuple(sorted(each for each in both if each in replaced)),
            cannot={
                each: reason
                for each in sorted(replaced)
                if (reason := self._obstacle(each, theirs.get(each), ours.get(each))) is not None
            },
            half_deleted=tuple(sorted(half_deleted)),
        )

    def unknown_payments(self, accounts: Sequence[str]) -> Iterator[UnknownPayment]:
        """The payments at Stripe that the backup does not know. One search and one list for each account."""
        for account in accounts:
            items = {each["sk"]["S"]: each for each in self._items(self.backup, keys.account(account))}
            known = "\n".join(each["body"]["S"] for each in items.values() if "body" in each)
            method = items.get(keys.PAGE_PAYMENT_METHOD)
            customer = None if method is None else parsed(method["body"]["S"]).get("customer")
            for each in self.payments.customers_of(account, customer):
                for payment in self.payments.payments_of(each, PAYMENTS_MAX):
                    if payment.account == account and payment.id not in known:
                        yield UnknownPayment(payment.id, account, payment.invoice, payment.amount, payment.state)

    # ---- Writing ----

    def copy(self, compared: Comparison, *, was_empty: bool) -> int:
        """Copies what is missing, and returns the number of items. What is there already is never overwritten.

        The page of an account comes last: without it nothing works with the account.
        """
        reviews = {
            parsed(each["body"]["S"])["review"]
            for account in compared.comes_back
            for each in self._items(self.backup, keys.account(account), keys.REVIEW_OPEN)
        }
        wanted = (
            item
            for item in self._scan(self.backup)
            if item["sk"]["S"] != keys.PAGE_ACCOUNT
            and self._is_wanted(item, compared, was_empty=was_empty, reviews=reviews)
        )
        with ThreadPoolExecutor(WRITERS) as pool:
            copied = sum(pool.map(self._add, wanted))
            pages = [self._pages[account] for account in compared.comes_back]
            return copied + sum(pool.map(self._add, pages))

    def go_back(self, account: str) -> None:
        """Replaces an account by what the backup has of it. Its usage, and what was said to it, stay.

        Its items get versions that none of them had: a client's older version is stale.
        """
        partition = keys.account(account)
        ours = {each["sk"]["S"]: each for each in self._items(self.table, partition)}
        theirs = {each["sk"]["S"]: each for each in self._items(self.backup, partition)}
        newest = max((int(each["version"]["N"]) for each in ours.values() if "version" in each), default=0)
        for key, item in sorted(theirs.items(), key=lambda pair: pair[0] == keys.PAGE_ACCOUNT):
            if key.startswith((*SAID, *MONEY)):
                self._add(item)
            elif _said(ours.get(key, {})) != _said(item):
                later = {**item, "version": {"N": str(newest + 1)}} if "version" in item else item
                # Its events stay, and the next one comes after them. Who has logged in since has logged in.
                later = {**later, **{name: value for name, value in ours.get(key, {}).items() if _stays(name)}}
                self.client.put_item(TableName=self.table, Item=later)
        for key in ours:
            if key not in theirs and not key.startswith((*SAID, *MONEY)):
                self.client.delete_item(TableName=self.table, Key={"pk": {"S": partition}, "sk": {"S": key}})

    def copy_receipts(self) -> None:
        """Copies the receipts in the bucket that the table lacks."""
        for key in self.purger.documents.keys("receipts/"):
            text = self.purger.documents.get(key)
            if text is not None:
                place = {"pk": {"S": keys.RECEIPTS}, "sk": {"S": keys.receipt(json.loads(text)["receipt"])}}
                self._add({**place, "body": {"S": text.decode()}})

    def take_in(self, payment: UnknownPayment) -> bool:
        """Takes a payment in as its notice would have been. Nobody is told. Returns whether it changed anything.

        Money for an invoice that the backup does not have is credit: it pays the invoice that takes its place.
        """
        taken = sync_payment(
            payment.id,
            now=self.now,
            correlation=self.name,
            settings=self.settings(),
            consent_page="",
            store=self.store,
            gateway=self.payments,
        )
        return bool(taken)

    def lost_invoices(self, account: str) -> frozenset[str]:
        """The numbers of an account's documents in the bucket that the table has no invoice of. One list."""
        folder = f"accounts/{account}/{NUMBERED_BY_FOLDER}"
        named = {key.removeprefix(folder).partition("/")[0] for key in self.purger.documents.keys(folder)}
        return frozenset(named - self.invoices(account))

    def hold(self, account: str) -> None:
        """Stops invoicing of an account until staff let it go on: an invoice was issued that the backup lacks."""
        billing = self.store.billing_context(account)
        if billing is None:
            return
        contract = billing.subscriber.account.contract
        version = 0 if billing.hold is None else billing.hold.version
        if billing.hold is not None and billing.hold.is_waiting(contract.start):
            return
        nothing = Money(0, contract.currency)
        hold = InvoicingHold(account, self.now, contract.start, 0, nothing, version=version)
        facts = {"invoices": 0, "total": {"amount": 0, "currency": contract.currency},
                 "since": contract.start, "until": contract.start}  # fmt: skip
        context = by_system(self.now, self.name)
        event = new_event(EventType.INVOICING_HELD, context, account=account, before=None, after=facts)
        self.store.hold(billing, hold, event)

    def folders(self) -> tuple[set[str], set[str]]:
        """The accounts and the numbers of invoices that have files in the buckets. Lists all of them."""
        accounts: set[str] = set()
        numbers: set[str] = set()
        for key in self.purger.documents.keys("accounts/"):
            _, account, kind, *rest = [*key.split("/"), "", ""]
            accounts.add(account)
            if f"{kind}/" == NUMBERED_BY_FOLDER:
                numbers.add(rest[0])
        if self.archive is not None:
            for year in (self.now.year - 1, self.now.year):
                numbers |= {folder.rstrip("/").rpartition("/")[2] for folder in self.archive.folders(year)}
        return accounts, numbers

    def use_numbers(self, numbers: Sequence[str]) -> None:
        """Moves the counters past numbers that customers have on paper: no second invoice gets one of them."""
        highest: dict[tuple[str, int], int] = {}
        for number in numbers:
            series, _, count = number.rpartition("-")
            name, _, year = series.rpartition("-")
            if name and year.isdecimal() and count.isdecimal():
                highest[name, int(year)] = max(highest.get((name, int(year)), 0), int(count))
        for (name, of_year), most in highest.items():
            self._count_to(name, of_year, most)

    # ---- Items ----

    def _count_to(self, series: str, year: int, count: int) -> None:
        place = {"pk": {"S": keys.NUMBERS}, "sk": {"S": keys.series(series, year)}}
        stored = self.client.get_item(TableName=self.table, Key=place, ConsistentRead=True).get("Item")
        if stored is not None and int(stored["count"]["N"]) >= count:
            return
        before = "attribute_not_exists(pk)" if stored is None else "#count = :before"
        fresh = {**place, "body": {"S": '{"registered_from":1}'}, "dated": {"S": f"{year}-01-01"}}
        request: dict[str, Any] = {
            "TableName": self.table,
            "Item": {**(stored or fresh), "count": {"N": str(count)}},
            "ConditionExpression": before,
        }
        if stored is not None:
            request["ExpressionAttributeNames"] = {"#count": "count"}
            request["ExpressionAttributeValues"] = {":before": stored["count"]}
        self.client.put_item(**request)

    def invoices(self, account: str) -> set[str]:
        """The numbers of the account's invoices and credit notes in the table."""
        found = self._items(self.table, keys.account(account), keys.INVOICE)
        return {keys.day_and_number(each["sk"]["S"])[1] for each in found}

    def _is_wanted(self, item: Image, compared: Comparison, *, was_empty: bool, reviews: set[str]) -> bool:
        """Whether an item of the backup is copied if the table lacks it."""
        partition, key = item["pk"]["S"], item["sk"]["S"]
        if "expires_at" in item and int(item["expires_at"]["N"]) <= self.now.timestamp():
            return False
        for prefix in (keys.account(""), keys.usage(""), keys.markers("")):
            if partition.startswith(prefix):
                account = partition.removeprefix(prefix)
                return account in compared.copied
        if partition.startswith(OF_BACKUP_ALONE) and not was_empty:
            return False
        if key.startswith(keys.BOOKED):
            return parsed(item["body"]["S"])["review"] in reviews
        # A counter never goes back; it is missing only where everything is.
        return True

    def _add(self, item: Image) -> int:
        """Writes an item if it is missing. Returns 1 if it was. An event is marked: it was published before."""
        marked = {**item, "restored": {"S": self.name}} if item["sk"]["S"].startswith(keys.EVENT) else item
        try:
            self.client.put_item(TableName=self.table, Item=marked, ConditionExpression="attribute_not_exists(pk)")
        except self.client.exceptions.ConditionalCheckFailedException:
            return 0
        return 1

    def _differing(self, account: str) -> int:
        theirs = {each["sk"]["S"]: _said(each) for each in self._items(self.backup, keys.account(account))}
        ours = {each["sk"]["S"]: _said(each) for each in self._items(self.table, keys.account(account))}
        return sum(ours.get(key) != item for key, item in theirs.items())

    def _obstacle(self, account: str, page: Image | None, page_now: Image | None) -> str | None:
        """Why an account cannot go back, None if it can."""
        if page is None or page_now is None:
            return "it does not live on both sides"
        before, now = (account_from(each["body"]["S"], 0) for each in (page, page_now))
        if (before.identity, before.provisioned_as) != (now.identity, now.provisioned_as):
            return "the table has another account with the same id"
        partition = keys.account(account)
        theirs, ours = (
            {
                each["sk"]["S"]: _said(each)
                for each in self._items(table, partition)
                if each["sk"]["S"].startswith(MONEY)
            }
            for table in (self.backup, self.table)
        )
        if theirs != ours:
            return "it was invoiced or paid, or a review was booked, since the backup: correct it by hand"
        return None

    def _accounts(self, table: str) -> dict[str, Image]:
        found = self._scan(table, FilterExpression="sk = :key", ExpressionAttributeValues={":key": _PAGE})
        return {each["pk"]["S"].removeprefix(keys.account("")): each for each in found}

    def _purges(self, table: str) -> Iterator[tuple[str, str]]:
        """The accounts whose deletion is under way, each with the id of its receipt."""
        values = {":key": {"S": keys.PURGE}}
        for each in self._scan(table, FilterExpression="sk = :key", ExpressionAttributeValues=values):
            yield each["pk"]["S"].removeprefix(keys.account("")), parsed(each["body"]["S"])["receipt"]

    def _first_event(self, account: str) -> datetime | None:
        first = next(self._items(self.backup, keys.account(account), keys.EVENT), None)
        return None if first is None else time_of_ulid(first["sk"]["S"].removeprefix(keys.EVENT))

    def _items(self, table: str, partition: str, family: str = " ") -> Iterator[Image]:
        last = keys.last_of("~" if family == " " else family)
        yield from self._read(
            "query",
            TableName=table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :partition AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":partition": {"S": partition}, ":first": {"S": family}, ":last": {"S": last}},
        )

    def _scan(self, table: str, **request: Any) -> Iterator[Image]:
        yield from self._read("scan", TableName=table, ConsistentRead=True, **request)

    def _read(self, operation: str, **request: Any) -> Iterator[Image]:
        for page in self.client.get_paginator(operation).paginate(**request):
            yield from page["Items"]


_PAGE = {"S": keys.PAGE_ACCOUNT}


def _stays(name: str) -> bool:
    """Whether an attribute of an account's own item stays as it is, whatever the backup says."""
    return name in {"last_event", keys.USED_SINCE} or name.startswith(keys.LOGGED_IN)


def _said(item: Image) -> Image:
    """An item without the mark of a restore, and without what stays."""
    return {name: value for name, value in item.items() if name != "restored" and not _stays(name)}


def restore(
    work: Restore,
    taps: Taps,
    *,
    replaced: Sequence[str] = (),
    left: Sequence[str] = (),
    keeps_younger: bool = False,
    is_done: bool = False,
    goes_on: Callable[[], object] = lambda: None,
) -> bool:
    """Compares, prints, and with `is_done` restores. Returns False if the operator has to choose first.

    `goes_on` is called between two steps: a test cuts the restore off there. Raises BillingError, OperatorError.
    """
    documents = work.purger.documents
    stored = documents.get(STATE)
    state: dict[str, Any] = {} if stored is None else json.loads(stored)
    if state and (state["backup"], state["replaced"]) != (work.backup, sorted(replaced)):
        raise OperatorError(f"A restore from {state['backup']} was cut off. Repeat it first, with the same options.")
    compared = work.compare(state.get("replaced", replaced))
    younger = () if state else compared.younger
    _print(compared, work.write)
    # A restore that is repeated has copied some accounts already: they live on both sides.
    accounts: Sequence[str] = state.get("accounts", compared.comes_back)
    payments = _unknown_payments(work, [*accounts, *compared.replaced])
    if younger and not keeps_younger:
        work.write("The table holds accounts that the backup does not. Nothing happens without --keep-younger.\n")
        return False
    if not state and compared.cannot:
        work.write("Nothing happens: not every account named by --replace can go back.\n")
        return False
    if not is_done:
        return True
    if not state:
        was_empty = not compared.lives and not compared.younger and not compared.replaced
        state = {
            "backup": work.backup, "replaced": sorted(replaced), "was_empty": was_empty, "name": work.name,
            "taps": taps.open_now(), "accounts": [*compared.comes_back],
        }  # fmt: skip
        documents.put(STATE, json.dumps(state).encode(), "application/json")
    taps.close(state["taps"])
    goes_on()
    copied = work.copy(compared, was_empty=state["was_empty"])
    goes_on()
    for account in compared.replaced:
        work.go_back(account)
        goes_on()
    work.copy_receipts()
    for account in [*deleted_accounts(work.purger)]:
        purge_again(account, now=work.now, correlation=str(uuid4()), purger=work.purger)
        work.write(f"{account}: deleted again\n")
        goes_on()
    _take_in(work, payments, left, goes_on)
    numbers = _hold_the_incomplete(work, accounts, payments, goes_on)
    if state["was_empty"]:
        known, on_paper = work.folders()
        numbers |= on_paper
        for account in sorted(known - {*accounts, *compared.half_deleted}):
            work.write(f"{account}: has files, and no table knows it. Provision it again.\n")
    work.use_numbers([*numbers])
    goes_on()
    taps.open(state["taps"])
    documents.delete_all(STATE)
    work.write(f"{copied} items copied. What was switched off is on again.\n")
    return True


def _take_in(
    work: Restore, payments: Sequence[UnknownPayment], left: Sequence[str], goes_on: Callable[[], object]
) -> None:
    """Takes in all payments but those that the operator leaves to themselves. Raises OperatorError if one fails."""
    failed = []
    for payment in payments:
        if payment.id in left:
            continue
        try:
            if work.take_in(payment):
                work.write(f"{payment.account}: {payment.id} is taken in\n")
        except BillingError as failure:
            failed.append(payment.id)
            work.write(f"{payment.account}: {payment.id} is not taken in: {failure.detail}\n")
        goes_on()
    if failed:
        raise OperatorError(
            f"Nothing is switched on yet. Repeat the command, with --leave to go on without: {', '.join(failed)}"
        )


def _unknown_payments(work: Restore, accounts: Sequence[str]) -> list[UnknownPayment]:
    """The payments that the backup does not know, printed. None, and that is said, without a key of Stripe."""
    try:
        found = [*work.unknown_payments(accounts)]
    except NoKey:
        work.write("There is no key of Stripe: no payments were looked for.\n")
        return []
    for each in found:
        work.write(
            f"{each.account}: {each.id} at Stripe over {each.amount.amount} {each.amount.currency} "
            f"({each.state.value}) for {each.invoice} is not in the backup\n"
        )
    return found


def _hold_the_incomplete(
    work: Restore, accounts: Sequence[str], payments: Sequence[UnknownPayment], goes_on: Callable[[], object]
) -> set[str]:
    """Stops invoicing where an invoice was issued after the backup. Returns the numbers of all of them."""
    numbers: set[str] = set()
    for account in accounts:
        paid = {each.invoice for each in payments if each.account == account and each.invoice}
        lost = work.lost_invoices(account) | (paid - work.invoices(account))
        if lost:
            work.hold(account)
            names = ", ".join(sorted(lost))
            work.write(f"{account}: {names} was issued after the backup. Invoicing waits for staff.\n")
            numbers |= lost
            goes_on()
    return numbers


def _print(compared: Comparison, write: Callable[[str], object]) -> None:
    for account in compared.comes_back:
        write(f"{account}: comes back\n")
    for account, differing in compared.lives.items():
        write(f"{account}: lives, and stays as it is ({differing} items differ)\n")
    for account, receipt in compared.deleted.items():
        write(f"{account}: was deleted on {receipt.deleted_at:%Y-%m-%d}, and stays deleted\n")
    for account in compared.half_deleted:
        write(f"{account}: its deletion goes on\n")
    for account in compared.being_deleted:
        write(f"{account}: is being deleted, and is left alone\n")
    for account in compared.younger:
        write(f"{account}: is younger than the backup, and stays\n")
    for account in compared.replaced:
        write(f"{account}: goes back to the backup\n")
    for account, reason in compared.cannot.items():
        write(f"{account}: cannot go back: {reason}\n")


def _require_another(backup: str, table: str) -> None:
    if backup == table:
        raise OperatorError("--from names the stack's own table. Name the one that the backup was restored to.")


def _take_on_environment(function: str, session: Session) -> None:
    """Takes on the settings of the function that notes payments: they decide what an invoice and a payment mean."""
    client: Any = session.create_client("lambda")
    configuration = client.get_function_configuration(FunctionName=function)
    os.environ.update(
        {
            name: value
            for name, value in configuration["Environment"]["Variables"].items()
            if not name.startswith("AWS_") and name not in os.environ
        }
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what a restore would do, and does it with --yes. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.restore", description=__doc__)
    add_stack_options(parser)
    parser.add_argument("--from", dest="backup", required=True, help="the table of the backup")
    parser.add_argument("--yes", action="store_true", help="do it; without it the command only prints")
    parser.add_argument(
        "--keep-younger", action="store_true", help="go on although the table holds accounts that the backup lacks"
    )
    parser.add_argument(
        "--replace",
        action="append",
        default=[],
        metavar="ACCOUNT",
        help="an account that lives, and goes back to the backup; may be given several times",
    )
    parser.add_argument(
        "--leave",
        action="append",
        default=[],
        metavar="PAYMENT",
        help="a payment at Stripe that cannot be taken in, and that you look after by hand; may be given several times",
    )
    parser.add_argument("--claim-years", type=int, default=CLAIM_YEARS, help="ClaimYears of the stack")
    options = parser.parse_args(arguments)
    try:
        if options.local:
            use_local_stack()
        session = aws_session()
        resources = stack_resources(options.stack, session)
        table = resources["Table"][1]
        _require_another(options.backup, table)
        _take_on_environment(resources["NotePaymentNotice"][1], session)
        now = datetime.now(UTC)  # noqa: TID251
        name = f"restore/{now:%Y%m%dT%H%M%SZ}"
        purger = purger_of(resources, session, table, claim_years=options.claim_years, restored=name)
        client: Any = session.create_client("dynamodb")
        payments: Any = purger.gateway
        store = quiet(InvoiceStore(table, client), name)
        archive = S3Archive(resources["InvoiceArchive"][1], session) if "InvoiceArchive" in resources else None
        work = Restore(
            client, options.backup, table, purger, payments, store, wiring.invoicing_settings, name, now, archive
        )
        taps = taps_of(resources, session, partial(time.sleep))
        chosen = restore(
            work,
            taps,
            replaced=options.replace,
            left=options.leave,
            keeps_younger=options.keep_younger,
            is_done=options.yes,
        )
    except (OperatorError, LocalError, BillingError, BotoCoreError, ClientError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0 if chosen else 1


if __name__ == "__main__":
    sys.exit(main())
