"""A vendor's first month with three customers, through HTTP alone; a ledger of its own reckons every amount."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from billing import wiring

from functions.administer_cancellation.app import handler as cancellations
from functions.administer_catalogue.app import handler as catalogue
from functions.administer_subscriptions.app import handler as subscriptions
from functions.get_billing.app import handler as billing
from functions.get_invoices.app import handler as invoices
from functions.get_reconciliation.app import handler as reconciliation
from functions.import_bank_statements.app import handler as statements
from functions.issue_credit_note.app import handler as credit
from functions.list_accounts.app import handler as accounts
from functions.record_payment.app import handler as payments
from functions.release_invoicing.app import handler as one_offs
from functions.update_billing_information.app import handler as information
from functions.update_payment_method.app import handler as method
from local.stripe.api import Stripe
from tests.bank_statements import Paid, camt053, mt940
from tests.cards import card
from tests.functions.test_bank_statements import sent
from tests.functions.test_debits import debit
from tests.functions.test_money import tell
from tests.samples import ACCOUNT
from tests.scenarios.ledger import Ledger, Sum
from tests.scenarios.owed import Owed, Reduction
from tests.scenarios.vendor import Shop, Vendor, coming, ledger_sums, row_sums

START, JULY, AUGUST, SEPTEMBER = (date(2026, month, 1) for month in (6, 7, 8, 9))
WISH = {"reason": "As agreed on the phone"}
WRONG_ADDRESS = {"reason": "The address was wrong"}
WHY = {"reason": "closing_business", "text": "We close the shop.\nThank you for the help.", "confirmed": True}
LINE = "/subscription/lines/{product}"
MODE_TAX = "DE with a number"


def product(name: str, *tiers: tuple[int | None, tuple[int, int] | None]) -> dict[str, Any]:
    """A product with its tiers: volume, prices in EUR and DKK."""
    return {
        "product": name,
        "name": name.title(),
        "unit": "units",
        "tiers": [
            {"up_to": up_to, "prices": None if prices is None else {"EUR": prices[0], "DKK": prices[1]}}
            for up_to, prices in tiers
        ],
    }


SEARCH = product("search", (10_000, (4900, 36_500)), (25_000, (9900, 73_900)), (None, None))
EMAIL = product("email", (10_000, (2900, 21_500)))
CHAT = product("chat", (100, (1000, 7500)))
DEARER_EMAIL = product("email", (10_000, (3300, 24_500)))


def sold(
    account: str,
    country: str,
    postcode: str,
    time_zone: str,
    *,
    currency: str = "EUR",
    months: int = 1,
    vat_number: str | None = None,
    discounts: Sequence[Any] = (),
) -> dict[str, Any]:
    """The account of a customer who has search and e-mail from 1 June on."""
    company = {**ACCOUNT["company"], "name": account.title(), "country": country, "postcode": postcode}
    return {
        **ACCOUNT,
        "account": account,
        "name": account.title(),
        "contract": {
            "start": str(START),
            "interval_months": months,
            "currency": currency,
            "time_zone": time_zone,
        },
        "company": {**company, "vat_number": vat_number},
        "billing": {"email": f"invoices@{account}.example", "language": "en"},
        "stores": [{"store": account, "name": f"{account}.example"}],
        "invoiced_until": None,
        "lines": [{"product": each, "up_to": 10_000} for each in ("search", "email")],
        "discounts": list(discounts),
        "first_admin": {"email": f"ada@{account}.example", "name": "Ada Holm"},
    }


@dataclass(frozen=True)
class Month:
    """The vendor with three customers, who all start on 1 June."""

    vendor: Vendor
    kaffe: Shop
    """In Copenhagen: Danish tax, DKK, every month, by card."""

    mode: Shop
    """In Berlin, with a VAT number: reverse charge, EUR, every three months, by transfer."""

    puoti: Shop
    """In Helsinki, without a VAT number: Finnish tax, EUR, every month, by SEPA debit."""

    @property
    def shops(self) -> tuple[Shop, ...]:
        return (self.kaffe, self.mode, self.puoti)

    @property
    def all(self) -> tuple[Vendor, Shop, Shop, Shop]:
        return (self.vendor, self.kaffe, self.mode, self.puoti)

    def number(self, shop: Shop, kind: str = "invoice.issued") -> str:
        """The number of the newest document of a customer."""
        events = [each for each in self.vendor.events if each.account == shop.account and each.type == kind]
        return str((events[-1].after or {})["number"])

    def changes(
        self,
        shop: Shop,
        route: str,
        body: Any,
        decide: Callable[[Owed], None],
        *,
        seen: tuple[Any, str] = (billing, "/subscription"),
        **path: str,
    ) -> None:
        """Staff change a subscription. The invoices that the answer shows, with the change and without it, are those
        that the ledger has after `decide` and before."""
        before = shop.ledger.shown(invoices=4)
        given = self.vendor.change(shop, subscriptions, route, body, seen=seen, path=path)
        decide(shop.ledger.owed)
        with_it, without = coming(given), coming(given, "invoices_without")
        assert with_it == shop.ledger.shown(invoices=len(with_it))
        assert with_it
        assert without == before[: len(without)]
        self.vendor.agrees(shop)

    def on_invoice(self, shop: Shop, number: str, what: str, handler: Any, body: Any) -> Any:
        return self.vendor.ask_of(
            shop, handler, "POST", "/invoices/{number}/" + what, body, path={"number": number}
        ).body

    def is_paid(self, shop: Shop) -> None:
        """Stripe has taken all that is left of the newest invoice, as one payment."""
        number = [*shop.ledger.invoices][-1]
        left = shop.ledger.invoices[number].left
        [payment] = [
            each
            for each in self.vendor.stripe.objects["payment_intent"].values()
            if each["metadata"]["invoice"] == number
        ]
        assert (payment["amount"], payment["status"]) == (left, "succeeded")
        shop.ledger.pay(number, left)

    def debit_arrives(self, shop: Shop) -> None:
        """The bank has collected the debit of the newest invoice."""
        [payment] = [
            each["id"]
            for each in self.vendor.stripe.objects["payment_intent"].values()
            if each["status"] == "processing"
        ]
        self.vendor.stripe.settle(payment, succeed=True)
        tell(self.vendor.stripe, "payment_intent.succeeded")
        self.vendor.tell()
        self.is_paid(shop)

    def imported(self, file: bytes) -> list[dict[str, Any]]:
        """The entries of a bank statement that staff import, with what became of them."""
        given = sent(file, "application/octet-stream", now=self.vendor.now)
        assert given.status == 200, given
        self.vendor.tell()
        return [row for statement in given.body["statements"] for row in statement["entries"]]

    def decides(self, row: dict[str, Any], decision: Any) -> None:
        """Staff decide what becomes of a doubtful entry."""
        route, path = "/bank-entries/{entry}", {"entry": row["entry"]}
        headers = {"If-Match": self.vendor.ask(statements, "GET", route, path=path).headers["ETag"]}
        self.vendor.ask(statements, "POST", route + "/decision", decision, path=path, headers=headers)


@pytest.fixture
def month(
    store: Any, user_pool: Any, buckets: Any, stripe_account: Stripe, work_queue: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Month]:
    """The vendor's catalogue, and the accounts as they are provisioned on 1 June."""
    vendor = Vendor(stripe_account, work_queue, monkeypatch)
    vendor.on("2026-06-01", 6)
    goods = {"products": [SEARCH, EMAIL, CHAT]}
    vendor.ask(catalogue, "PUT", "/catalogue", goods, headers={"If-None-Match": "*"})
    launch = {"product": "search", "percent": "12.5", "from": str(START), "until": None, "reason": "Launch"}
    customers = [
        (sold("kaffe", "DK", "1058", "Europe/Copenhagen", currency="DKK"), "DK"),
        (
            sold("mode", "DE", "10115", "Europe/Berlin", months=3, vat_number="DE136695976", discounts=[launch]),
            MODE_TAX,
        ),
        (sold("puoti", "FI", "00100", "Europe/Helsinki"), "FI"),
    ]
    shops = []
    for body, taxed_as in customers:
        contract = body["contract"]
        prices = {each["product"]: each["tiers"][0]["prices"][contract["currency"]] for each in (SEARCH, EMAIL)}
        off = [Reduction("search", Fraction("12.5"), 0, START, None)] if body["discounts"] else []
        owed = Owed(START, contract["interval_months"], prices, off)
        shops.append(vendor.provide(body, Ledger(contract["currency"], owed, taxed_as)))
    yield Month(vendor, *shops)
    wiring.forget()


def test_a_vendors_first_month(month: Month) -> None:
    the_first_invoices_go_out(month)
    customers_wish_for_more(month)
    one_offs_are_agreed(month)
    a_product_is_added_and_another_one_is_kept(month)
    an_invoice_has_a_wrong_address(month)
    a_transfer_is_booked_wrongly_and_another_one_is_short(month)
    a_day_without_search_is_given_back_to_the_card(month)
    new_prices_and_a_longer_term_are_announced(month)
    two_invoices_are_past_due_and_one_transfer_pays_both(month)
    somebody_cancels(month)
    a_month_of_a_line_is_credited(month)
    the_second_month_is_invoiced(month)
    staff_close_the_books(month)


def the_first_invoices_go_out(month: Month) -> None:
    """On the first day everybody is invoiced: the card is charged, the debit is on its way, the transfer is awaited."""
    vendor, kaffe, mode, puoti = month.all
    card(kaffe.company, vendor.stripe, now=vendor.now)
    debit(puoti.company, vendor.stripe, now=vendor.now)
    vendor.ask_of(mode, method, "PUT", "/payment-method/bank-transfer")
    vendor.run("renewal", "collection")
    for each in month.shops:
        each.ledger.issue(month.number(each))
    month.is_paid(kaffe)
    vendor.agrees(*month.shops)

    vendor.on("2026-06-04")
    month.debit_arrives(puoti)
    vendor.agrees(puoti)


def customers_wish_for_more(month: Month) -> None:
    """A shop adds a store and wants the larger tier; one agrees on a price that no list has; one gets a discount."""
    vendor, kaffe, mode, puoti = month.all
    seen = subscriptions, "/stores"
    stores = vendor.change(
        kaffe, subscriptions, "/stores/{store}", {"name": "Aarhus"}, seen=seen, path={"store": "aarhus"}
    )
    assert [each["store"] for each in stores["items"]] == ["kaffe", "aarhus"]

    larger = {"up_to": 25_000, **WISH}
    month.changes(kaffe, LINE, larger, lambda owed: owed.change("search", 73_900, JULY, vendor.today), product="search")
    # Two months of the quarter that is paid cost more: that is invoiced on 1 July.
    agreed = {"up_to": None, "price": {"amount": 14_950, "currency": "EUR"}, **WISH}
    month.changes(mode, LINE, agreed, lambda owed: owed.change("search", 14_950, JULY, vendor.today), product="search")

    loyal = {"product": None, "percent": "7.5", "amount": None, "from": str(JULY), "until": None, **WISH}

    def off(owed: Owed) -> None:
        owed.reductions = [*owed.reductions, Reduction(None, Fraction("7.5"), 0, JULY, None)]

    month.changes(puoti, "/discounts", {"discounts": [loyal]}, off, seen=(subscriptions, "/discounts"))


def one_offs_are_agreed(month: Month) -> None:
    """A setup on the next invoice, a training at once, and goodwill for a bad start."""
    vendor, kaffe, mode, puoti = month.all
    vendor.on("2026-06-05")
    one_off = "/one-offs/{one_off}"

    setup = {"description": "Setup", "amount": 75_050, "quantity": 2, "currency": "DKK", **WISH}
    kaffe.ledger.charges += 2 * 75_050
    given = vendor.change(kaffe, one_offs, one_off, setup, seen=None, path={"one_off": "setup"})
    assert coming(given) == kaffe.ledger.shown()

    training = {
        "description": "Training",
        "amount": 24_000,
        "quantity": 2,
        "currency": "EUR",
        "invoice": "at_once",
        **WISH,
    }
    vendor.change(mode, one_offs, one_off, training, seen=None, path={"one_off": "training"})
    mode.ledger.issue_at_once(month.number(mode), 48_000, vendor.today)

    sorry = {"kind": "goodwill", "description": "Sorry", "amount": 1515, "currency": "EUR", **WISH}
    puoti.ledger.goodwill += 1515
    given = vendor.change(puoti, one_offs, one_off, sorry, seen=None, path={"one_off": "sorry"})
    assert coming(given) == puoti.ledger.shown()
    vendor.agrees(*month.shops)


def a_product_is_added_and_another_one_is_kept(month: Month) -> None:
    """Chat is added. E-mail is to end with the notice, and the customer keeps it."""
    vendor, kaffe, _, puoti = month.all
    vendor.on("2026-06-08")

    def with_chat(owed: Owed) -> None:
        owed.prices, owed.added = {**owed.prices, "chat": 7500}, {"chat": JULY}

    month.changes(kaffe, LINE, {"up_to": 100, **WISH}, with_chat, product="chat")

    ends_on = puoti.ledger.owed.end_of_notice(vendor.today)
    assert ends_on == AUGUST
    end = {"ends_on": str(ends_on), **WISH}
    month.changes(puoti, LINE + "/ending", end, lambda owed: owed.dropped.update(email=ends_on), product="email")
    vendor.ask_of(puoti, subscriptions, "DELETE", LINE + "/ending", path={"product": "email"}, claims=puoti.admin)
    puoti.ledger.owed.dropped.clear()
    vendor.agrees(puoti)


def an_invoice_has_a_wrong_address(month: Month) -> None:
    """The customer corrects the address; staff issue the unpaid invoice again."""
    vendor, _, mode, _ = month.all
    route = "/billing-information/company"
    found = vendor.ask_of(mode, billing, "GET", route, claims=mode.admin)
    moved = {name: value for name, value in found.body.items() if name != "version"} | {"address_line_1": "Torstr. 1"}
    headers = {"If-Match": found.headers["ETag"]}
    vendor.ask_of(mode, information, "PUT", route, moved, headers=headers, claims=mode.admin)

    [wrong, _] = mode.ledger.invoices
    shown = month.on_invoice(mode, wrong, "correction/preview", credit, WRONG_ADDRESS)
    new = month.on_invoice(mode, wrong, "correction", credit, WRONG_ADDRESS)
    mode.ledger.correct(wrong, new["number"], month.number(mode, "credit_note.issued"))
    [note] = mode.ledger.notes.values()
    assert new["company"]["address_line_1"] == "Torstr. 1"
    assert [shown[each]["amount"] for each in ("waived", "refunded", "carried")] == [note.waived, 0, 0]
    vendor.agrees(mode)


def a_transfer_is_booked_wrongly_and_another_one_is_short(month: Month) -> None:
    """Staff record somebody else's money and take it back. A bank keeps twelve euros; the statement comes twice."""
    vendor, _, mode, _ = month.all
    ledger = mode.ledger
    _, training, invoice = ledger.invoices
    vendor.on("2026-06-09")
    transfer = {"amount": {"amount": 30_000, "currency": "EUR"}, "booked_on": "2026-06-09", "reference": "4711"}
    shares = {"allocations": [{"invoice": training, "amount": 30_000}]}
    made = vendor.ask_of(mode, payments, "POST", "/transfers", {**transfer, **shares}).body["transfer"]
    ledger.pay(training, 30_000)
    vendor.agrees(mode)
    wrong = {"reason": "It was another customer's"}
    path = {"transfer": made["id"]}
    vendor.ask_of(mode, payments, "POST", "/transfers/{transfer}/take-back", wrong, path=path)
    ledger.take_back(training, 30_000)
    vendor.agrees(mode)

    vendor.on("2026-06-10")
    short = ledger.invoices[invoice].left - 1200
    file = camt053(Paid(short, f"Rechnung {invoice}", "R1", day=vendor.today), day=vendor.today)
    [entry] = month.imported(file)
    assert (entry["status"], entry["doubt"]) == ("doubtful", "amount-less")
    month.decides(entry, {"allocations": [{"invoice": invoice, "amount": short}]})
    ledger.pay(invoice, short)
    vendor.agrees(mode)
    [again] = month.imported(file)
    assert (again["entry"], again["status"]) == (entry["entry"], "booked")
    assert len(vendor.ask_of(mode, payments, "GET", "/transfers").body["items"]) == 2
    assert ledger.invoices[invoice].left == 1200
    vendor.agrees(mode)


def a_day_without_search_is_given_back_to_the_card(month: Month) -> None:
    """A part of a line that was paid by card goes back to it."""
    vendor, kaffe, _, _ = month.all
    vendor.on("2026-06-11")
    [invoice] = kaffe.ledger.invoices
    part = {"lines": None, "parts": [{"line": 0, "amount": 1217}], "reason": "A day without search"}
    number = month.on_invoice(kaffe, invoice, "credit-notes", credit, part)["number"]
    note = kaffe.ledger.credit_note(number, invoice, 1217, by_card=True)
    vendor.agrees(kaffe)
    vendor.run("collection")
    note.left = 0
    [refund] = vendor.stripe.objects["refund"].values()
    assert refund["amount"] == note.refunded
    vendor.agrees(kaffe)


def new_prices_and_a_longer_term_are_announced(month: Month) -> None:
    """E-mail becomes dearer with the first renewal that leaves the notice. A customer agrees to pay every quarter."""
    vendor, kaffe, mode, _ = month.all
    vendor.on("2026-06-12")
    goods = {"products": [SEARCH, DEARER_EMAIL, CHAT]}
    vendor.ask(catalogue, "PUT", "/catalogue", goods, headers={"If-Match": '"1"'})
    avoidable_until = mode.ledger.last_day_to_avoid(SEPTEMBER)
    assert avoidable_until >= vendor.today + timedelta(days=30)

    route = "/catalogue-version"
    dearer = {"version": 2, "effective_on": str(SEPTEMBER), "reason": "Prices of the autumn"}
    month.changes(
        mode,
        route,
        dearer,
        lambda owed: owed.change("email", 3300, SEPTEMBER, vendor.today),
        seen=(subscriptions, route),
    )
    pending = vendor.ask_of(mode, subscriptions, "GET", route).body["pending_version"]
    assert pending["announced_on"] == str(vendor.today)
    assert pending["last_day_to_avoid_it"] == str(avoidable_until)
    told = [mail for mail in vendor.mails if mail.about.type == "catalogue_version.announced"]
    assert {mail.to for mail in told} >= {"ada@mode.example", "invoices@mode.example"}
    assert all("€33.00" in mail.text and "31 July 2026" in mail.text for mail in told)

    route = "/contract/term"
    quarterly = {"interval_months": 3, **WISH}
    given = vendor.change(kaffe, subscriptions, route, quarterly, seen=(subscriptions, route), path={})
    assert given["change"]["status"] == "proposed"
    vendor.agrees(kaffe)
    term = {"term": given["change"]["term"]}
    agreed = vendor.ask_of(kaffe, subscriptions, "POST", route + "/consent", term, claims=kaffe.admin).body
    kaffe.ledger.owed.terms.append((1, 3))
    assert coming(agreed) == kaffe.ledger.shown()
    vendor.agrees(kaffe)


def two_invoices_are_past_due_and_one_transfer_pays_both(month: Month) -> None:
    """Staff see what is past due. One transfer pays both, and another one is too much."""
    vendor, _, mode, _ = month.all
    ledger = mode.ledger
    _, training, invoice = ledger.invoices
    vendor.on("2026-06-23")
    vendor.run("collection")
    due = {training: 48_000, invoice: 1200}
    listed = vendor.pages(invoices, "/invoices/past-due")
    assert {each["number"]: each["due"]["amount"] for each in listed} == due
    vendor.agrees(mode)
    [account] = vendor.pages(accounts, "/accounts", past_due="true")
    assert account["account"] == mode.account

    both = Paid(49_200, f"{training}, {invoice}", "R2", day=vendor.today)
    more = Paid(700, f"{training}", "R3", day=vendor.today)
    [paid, over] = month.imported(mt940(both, more))
    assert [(each["status"], each["doubt"]) for each in (paid, over)] == [
        ("booked", None),
        ("doubtful", "paid-already"),
    ]
    for number, amount in due.items():
        ledger.pay(number, amount)
    vendor.agrees(mode)
    month.decides(over, {"credit": {"account": mode.account}})
    ledger.pay(training, 700)
    vendor.agrees(mode)
    assert vendor.pages(invoices, "/invoices/past-due") == []


def somebody_cancels(month: Month) -> None:
    """A customer cancels. Staff see why, and what is still charged."""
    vendor, _, _, puoti = month.all
    ledger = puoti.ledger
    vendor.on("2026-06-24")
    shown = vendor.ask_of(puoti, cancellations, "GET", "/cancellation", claims=puoti.admin).body["preview"]
    ledger.owed.ends = ledger.owed.end_of_notice(vendor.today)
    still = ledger.shown(invoices=9)
    assert len(still) == 1
    assert shown["active_until"] == str(ledger.owed.ends)
    assert charges_of(shown) == still
    assert shown["charges"]["total"]["amount"] == still[0][1].total
    assert shown["goodwill_lapses"]["amount"] == 0

    body = {**WHY, "active_until": shown["active_until"], "charges": shown["charges"]}
    vendor.ask_of(puoti, cancellations, "POST", "/cancellation", body, claims=puoti.admin)
    [cancelled] = vendor.pages(cancellations, "/cancellations")
    assert (cancelled["account"], cancelled["reason"], cancelled["text"]) == (puoti.account, WHY["reason"], WHY["text"])
    assert charges_of(cancelled) == still
    vendor.agrees(puoti)


def a_month_of_a_line_is_credited(month: Month) -> None:
    """The last of three months of e-mail, paid by transfer, becomes credit."""
    vendor, _, mode, _ = month.all
    vendor.on("2026-06-25")
    *_, invoice = mode.ledger.invoices
    part = {"lines": None, "parts": [{"line": 1, "months": 1}], "reason": "August without e-mail"}
    shown = month.on_invoice(mode, invoice, "credit-notes/preview", credit, part)
    number = month.on_invoice(mode, invoice, "credit-notes", credit, part)["number"]
    note = mode.ledger.credit_note(number, invoice, 2900)
    assert shown["carried"]["amount"] == note.carried == 2900
    vendor.agrees(mode)


def the_second_month_is_invoiced(month: Month) -> None:
    """On 1 July all that was agreed is on the invoices, and credit is taken off."""
    vendor, kaffe, mode, puoti = month.all
    vendor.on("2026-07-01", 6)
    vendor.run("renewal", "collection")
    for each in month.shops:
        each.ledger.issue(month.number(each))
    month.is_paid(kaffe)
    vendor.agrees(*month.shops)

    vendor.on("2026-07-03")
    month.debit_arrives(puoti)
    *_, invoice = mode.ledger.invoices
    rest = mode.ledger.invoices[invoice].left
    [entry] = month.imported(camt053(Paid(rest, invoice, "R4", day=vendor.today), name="STM-2", day=vendor.today))
    assert entry["status"] == "booked"
    mode.ledger.pay(invoice, rest)
    vendor.agrees(*month.shops)


def staff_close_the_books(month: Month) -> None:
    """The lists of both months, the register without a gap, the credit, and a comparison that finds nothing."""
    vendor, _, _, _ = month.all
    expected = ledger_sums(month.shops)
    rows = [
        row
        for name in ("2026-06", "2026-07")
        for route in ("/invoices", "/credit-notes")
        for row in vendor.sheet(route, month=name)
    ]
    assert {row["number"]: row_sums(row) for row in rows} == expected
    assert {row["number"]: row["account"] for row in rows} == {
        number: each.account for each in month.shops for number in [*each.ledger.invoices, *each.ledger.notes]
    }

    for series, documents in (("LV", 8), ("CN", 3)):
        numbers = vendor.pages(invoices, "/invoice-register", series=series, year="2026")
        assert [each["number"] for each in numbers] == [f"{series}-2026-{n:06}" for n in range(1, documents + 1)]
        assert {each["number"]: (each["tax"]["amount"], each["total"]["amount"]) for each in numbers} == {
            number: sums[1:3] for number, sums in expected.items() if number.startswith(series)
        }
    assert len(expected) == 8 + 3

    details = {each["account"]: each["details"] for each in vendor.pages(accounts, "/accounts")}
    assert {account: each["status"] for account, each in details.items()} == {
        "kaffe": "active",
        "mode": "active",
        "puoti": "cancelling",
    }
    assert [each.ledger.credit for each in month.shops] == [0, 0, 0]
    assert [each.ledger.applied for each in month.shops] == [0, 700 + 2900, 0]

    vendor.on("2026-07-05", 3)
    vendor.run("reconciliation")
    assert vendor.pages(reconciliation, "/reconciliation") == []
    assert [each for each in vendor.events if each.type == "reconciliation.differed"] == []


def charges_of(shown: dict[str, Any]) -> list[tuple[str, Sum]]:
    """The charges that are still due, as a preview or a receipt of a cancellation shows them."""
    return [(each["on"], Sum(each["net"]["amount"], each["tax"]["amount"])) for each in shown["charges_still_due"]]
