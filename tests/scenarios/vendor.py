"""A vendor's everyday: requests, schedules, payments and mail at the day of a story, and the books to compare with."""

from __future__ import annotations

import csv
import email
import email.policy
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.message import EmailMessage
from fractions import Fraction
from typing import Any

import boto3
import pytest
from billing import wiring
from billing.correspondence.event_kinds import published
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.events.mapping import event_body, event_from
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from functions.administer_cancellation.app import handler as cancellations
from functions.administer_users.app import handler as users
from functions.get_billing.app import handler as billing
from functions.get_invoices.app import handler as invoices
from functions.notify import app as notify
from functions.reconcile_books.app import handler as reconcile
from functions.render_documents.app import handler as render
from local.stripe.api import Stripe
from tests.api_gateway import STAFF, Answer, Handler, answer, person, request
from tests.aws import REGION, stored_items
from tests.bank_statements import OUR_IBAN
from tests.company import Company, provisioned
from tests.functions import ending
from tests.functions.ending import Context, fire, record
from tests.scenarios.ledger import Ledger, Sum
from tests.stripe import Clock

SENDER = "billing@livello.example"
SIGNS = {"EUR": "€", "DKK": "DKK\N{NO-BREAK SPACE}"}
WITH_PAPER = {"invoice.issued", "credit_note.issued"}


def written(amount: int, currency: str) -> str:
    """An amount as an English mail writes it."""
    return f"{'-' if amount < 0 else ''}{SIGNS[currency]}{abs(amount) // 100:,}.{abs(amount) % 100:02}"


@dataclass(frozen=True)
class Mail:
    about: Event
    to: str
    subject: str
    text: str


@dataclass
class Shop:
    """A customer, and the ledger that reckons what the customer's documents must say."""

    company: Company
    ledger: Ledger

    @property
    def account(self) -> str:
        return self.company.account

    @property
    def admin(self) -> dict[str, str]:
        return self.company.admin


@dataclass
class Vendor:
    """The vendor on a day: handlers, workers, and the stand-ins for Stripe, the bank and the mail service."""

    stripe: Stripe
    work: Any
    patch: pytest.MonkeyPatch
    now: datetime = datetime(2026, 6, 1, tzinfo=UTC)
    mails: list[Mail] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    """Those that were not compared yet."""

    _read: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.patch.setattr(keys, "SHARDS", 1)  # moto walks through all items with each query of the index
        ses = boto3.client("ses", region_name=REGION)
        ses.verify_domain_identity(Domain=SENDER.partition("@")[2])
        if "livello-test" not in {each["Name"] for each in ses.list_configuration_sets()["ConfigurationSets"]}:
            ses.create_configuration_set(ConfigurationSet={"Name": "livello-test"})
        environment = {
            "CONFIGURATION_SET": "livello-test",
            "DEAD_LETTERS_URL": self.work.url,
            "REPLY_TO_ADDRESS": "support@livello.example",
            "SELLER_IBAN": OUR_IBAN,
            "SENDER_ADDRESS": SENDER,
            "STAFF_ADDRESS": "staff@livello.example",
            "VENDOR_NAME": "Livello",
        }
        for name, value in environment.items():
            self.patch.setenv(name, value)
        self.patch.setitem(ending.WORKERS, "reconciliation", reconcile)
        wiring.forget()

    @property
    def today(self) -> date:
        return self.now.date()

    def on(self, day: str, hour: int = 9) -> None:
        """The story goes on at an hour of a day (UTC)."""
        now = datetime.fromisoformat(f"{day}T{hour:02}:00:00+00:00")
        assert now >= self.now
        self.now = now
        assert isinstance(self.stripe.clock, Clock)
        self.stripe.clock.seconds = now.timestamp()
        self.patch.setattr("billing.platform.clock._now", lambda: now)

        class Today(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
                return now.astimezone(tz)

        self.patch.setattr(notify, "datetime", Today)

    # ---- What is asked ----

    def ask(
        self, handler: Handler, method: str, route: str, body: Any = None, *, claims: Any = STAFF, **more: Any
    ) -> Answer:
        """A request that succeeds. Then its events are mailed."""
        given = answer(handler, request(method, route, claims=claims, body=body, now=self.now, **more))
        assert given.status < 300, given
        if method != "GET" and not more.get("query"):
            self.tell()
        return given

    def ask_of(self, shop: Shop, handler: Handler, method: str, route: str, body: Any = None, **more: Any) -> Answer:
        """A request about a customer. `route` is what follows the account."""
        path = {**shop.company.path, **more.pop("path", {})}
        return self.ask(handler, method, "/accounts/{account}" + route, body, path=path, **more)

    def change(
        self, shop: Shop, handler: Handler, route: str, body: Any, *, seen: tuple[Handler, str] | None, path: Any
    ) -> Any:
        """A change of what staff have `seen`: first its preview, then the change itself, which must answer the same."""
        headers = {} if seen is None else {"If-Match": self.ask_of(shop, seen[0], "GET", seen[1]).headers["ETag"]}
        more: dict[str, Any] = {"path": path, "headers": headers}
        shown = self.ask_of(shop, handler, "PUT", route, body, query={"preview": "true"}, **more)
        given = self.ask_of(shop, handler, "PUT", route, body, **more)
        assert given.body.get("follows") == shown.body.get("follows")
        return given.body

    def provide(self, body: dict[str, Any], ledger: Ledger) -> Shop:
        given = provisioned(body, now=self.now)
        assert given.status == 201, given
        path = {"account": body["account"]}
        [first] = self.ask(users, "GET", "/accounts/{account}/users", path=path).body["items"]
        self.tell()
        admin = person(first["user"])
        return Shop(Company(body["account"], admin, admin), ledger)

    # ---- What happens ----

    def run(self, *jobs: str) -> list[Event]:
        """The schedules fire, and their workers do what is due. Returns the new events."""
        fire(self.now, self.work, self.patch, *jobs, real=self.now)
        return self.tell()

    def tell(self) -> list[Event]:
        """Documents are written and mails are sent about all that is new. Returns the new events in their order."""
        found = {item["sk"]: item["body"] for item in stored_items() if item["sk"].startswith("EVENT#")}
        new = sorted((event_from(found[sk]) for sk in found.keys() - self._seen), key=lambda event: event.id)
        self._seen |= found.keys()
        box = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
        for event in new:
            self.events.append(event)
            published(event)
            message = {"Records": [record(json.dumps({"source": "livello", "detail": json.loads(event_body(event))}))]}
            if event.type in WITH_PAPER:
                assert render(message, Context()) == {"batchItemFailures": []}
            box.clear()
            assert notify.handler(message, Context()) == {"batchItemFailures": []}
            self.mails += [_mail(event, each) for each in box]
        box.clear()
        return new

    # ---- What is compared ----

    def agrees(self, *shops: Shop) -> None:
        """What the customers' documents, tables, events and mails say by now is what their ledgers say."""
        for shop in shops:
            self._documents_agree(shop)
            self._events_agree(shop)
            self._what_comes_agrees(shop)

    def _documents_agree(self, shop: Shop) -> None:
        ledger = shop.ledger
        listed = self.ask_of(shop, invoices, "GET", "/invoices", claims=shop.admin).body["items"]
        assert {each["number"]: _amounts(each, "total", "left") for each in listed} == {
            **{number: (paper.said.total, paper.left) for number, paper in ledger.invoices.items()},
            **{number: (note.said.total, note.left) for number, note in ledger.notes.items()},
        }
        rows = self.sheet("/accounts/{account}/invoices", path=shop.company.path, claims=shop.admin)
        assert {row["number"]: row_sums(row) for row in rows} == ledger_sums([shop])
        for number in [*ledger.invoices, *ledger.notes]:
            if number not in self._read:
                self._document_agrees(shop, number)
                self._read.add(number)
        open_money = self.ask_of(shop, cancellations, "GET", "/cancellation", claims=shop.admin).body
        assert _amounts(open_money, "to_pay", "to_repay") == (
            sum(paper.left for paper in ledger.invoices.values()),
            ledger.credit,
        )

    def _document_agrees(self, shop: Shop, number: str) -> None:
        shown = self.document(shop, number)
        if number in shop.ledger.notes:
            assert _sum(shown) == shop.ledger.notes[number].said
            return
        paper = shop.ledger.invoices[number]
        assert _sum(shown) == paper.said
        assert Fraction(shown["tax"]["rate"]) == paper.rate
        assert _amounts(shown, "credit", "due") == (paper.applied, paper.said.total - paper.applied)
        assert shown["payment"]["left"]["amount"] == paper.left

    def _what_comes_agrees(self, shop: Shop) -> None:
        coming = next(shop.ledger.to_come(), None)
        page = self.ask_of(shop, billing, "GET", "/billing", claims=shop.admin).body["payment_details"]["next_charge"]
        if coming is None:
            assert page is None
            return
        day, said = coming
        shown = self.ask_of(shop, invoices, "GET", "/invoices/upcoming", claims=shop.admin).body
        assert [(each["on"], _sum(each)) for each in (page, shown)] == [(str(day), said)] * 2
        credit = min(shop.ledger.credit, said.total)
        assert _amounts(shown, "credit", "due") == (credit, said.total - credit)

    def _events_agree(self, shop: Shop) -> None:
        """The events since the last comparison have the ledger's amounts, and each mail about one names them."""
        ledger = shop.ledger
        for event in [each for each in self.events if each.account == shop.account]:
            self.events.remove(event)
            after: Any = event.after or {}
            words: list[int] = []
            if event.type == "invoice.issued":
                paper = ledger.invoices[after["number"]]
                assert _sum(after) == paper.said
                assert _amounts(after, "credit", "due") == (paper.applied, paper.said.total - paper.applied)
                words = [paper.said.net, paper.said.tax, paper.said.total, paper.said.total - paper.applied]
            elif event.type == "credit_note.issued":
                note = ledger.notes[after["number"]]
                assert _sum(after) == note.said
                assert _amounts(after, "waived", "refunded", "carried") == (note.waived, note.refunded, note.carried)
                words = [each for each in (note.waived, note.refunded, note.carried) if each]
            elif event.type == "invoice.paid":
                assert after["total"]["amount"] == ledger.invoices[after["number"]].said.total
                assert ledger.invoices[after["number"]].left == 0
                words = [after["total"]["amount"]]
            elif event.type == "payment.past_due":
                assert after["due"]["amount"] == ledger.invoices[after["number"]].left
                words = [after["due"]["amount"]]
            elif event.type in {"transfer.recorded", "transfer.taken_back"}:
                assert {each["number"]: each["left"]["amount"] for each in after["invoices"]} == {
                    each["number"]: ledger.invoices[each["number"]].left for each in after["invoices"]
                }
                assert after["credit"]["amount"] == ledger.credit
                left = [each["left"]["amount"] for each in after["invoices"]]
                # A transfer that leaves nothing is told by the mails that its invoices are paid.
                words = [after["received"]["amount"], *left] if any(left) else []
            elif event.type == "credit_note.refunded":
                assert after["refunded"]["amount"] == ledger.notes[after["number"]].refunded
            self._mails_name(event, [written(each, ledger.currency) for each in words if each])

    def _mails_name(self, event: Event, words: list[str]) -> None:
        told = [mail for mail in self.mails if mail.about.id == event.id]
        for mail in told:
            for each in words:
                assert each in mail.text, (event.type, each, mail.text)
        assert told or not words

    def document(self, shop: Shop, number: str) -> Any:
        return self.ask_of(shop, invoices, "GET", "/invoices/{number}", claims=shop.admin, path={"number": number}).body

    def sheet(self, route: str, *, path: Any = None, claims: Any = STAFF, **query: str) -> list[dict[str, str]]:
        """A list as CSV for programs."""
        headers = {"Accept": "text/csv"}
        event = request("GET", route, claims=claims, path=path, query=query or None, headers=headers, now=self.now)
        return [*csv.DictReader(io.StringIO(invoices(event, Context())["body"]))]

    def pages(self, handler: Handler, route: str, **query: str) -> list[dict[str, Any]]:
        """A list of staff, through its pages."""
        return [*self._pages(handler, route, query)]

    def _pages(self, handler: Handler, route: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        cursor: dict[str, str] = {}
        while True:
            page = self.ask(handler, "GET", route, query={**query, **cursor, "limit": "2"}).body
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}


def ledger_sums(shops: Sequence[Shop]) -> dict[str, tuple[int, ...]]:
    """Net, tax, total, what was paid, and what is left of each document."""
    sums: dict[str, tuple[int, ...]] = {}
    for shop in shops:
        for number, paper in shop.ledger.invoices.items():
            sums[number] = (paper.said.net, paper.said.tax, paper.said.total, paper.paid + paper.applied, paper.left)
        for number, note in shop.ledger.notes.items():
            sums[number] = (note.said.net, note.said.tax, note.said.total, note.left - note.refunded, -note.left)
    return sums


def row_sums(row: dict[str, str]) -> tuple[int, ...]:
    return tuple(int(Fraction(row[name]) * 100) for name in ("net", "tax", "total", "paid", "left"))


def coming(given: Any, name: str = "invoices") -> list[tuple[str, Sum]]:
    """The invoices to come that a change shows: day and sums."""
    return [(each["on"], _sum(each)) for each in given["follows"][name]]


def _sum(body: dict[str, Any]) -> Sum:
    said = Sum(body["net"]["amount"], _tax(body["tax"]))
    assert body["total"]["amount"] == said.total
    return said


def _tax(tax: dict[str, Any]) -> int:
    amount = tax["amount"]
    return int(amount if isinstance(amount, int) else amount["amount"])


def _amounts(body: dict[str, Any], *names: str) -> tuple[int, ...]:
    return tuple(body[name]["amount"] for name in names)


def _mail(about: Event, sent: Any) -> Mail:
    mail = email.message_from_string(sent.raw_data, EmailMessage, policy=email.policy.default)
    plain = mail.get_body(("plain",))
    assert plain is not None
    return Mail(about, sent.destinations[0], mail["Subject"], " ".join(plain.get_content().split(" ")))
