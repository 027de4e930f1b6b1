"""A running contract is paid in another currency from a renewal on, if nothing is left in the old one by then."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from billing import wiring
from billing.accounts.rules import existing
from billing.correspondence.audiences import LetterContext, Recipient, Vendor
from billing.correspondence.event_kinds import published
from billing.correspondence.letters import letter
from billing.invoicing.credit_notes import CreditOutcome
from billing.invoicing.documents.pdf import invoice_pdf
from billing.invoicing.documents.render import render_documents
from billing.invoicing.invoices import DocumentKind, IssuedInvoice
from billing.invoicing.reconciliation.commands import _books
from billing.invoicing.reconciliation.rules import Ledger, findings

from functions.get_billing.app import handler as get_billing
from functions.get_invoices.app import handler as get_invoices
from functions.issue_credit_note.app import handler as credit
from functions.record_payment.app import handler as record_payment
from functions.release_invoicing.app import handler as one_offs
from functions.update_payment_method.app import handler as update
from local.stripe.api import Stripe
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.cards import card
from tests.company import Company, provisioned, put_catalogue
from tests.documents.test_pdf import squeezed
from tests.functions import test_discounts as discounts
from tests.functions import test_products as products
from tests.functions.ending import call_cancellation, cancel, deliver, events_of, fire
from tests.functions.test_autoscaling import use
from tests.functions.test_discounts import invoiced
from tests.functions.test_money import FIRST, INVOICES, SECOND, figures, one, post, tell, transfers
from tests.functions.test_open_claims import claims, debit, pay_again
from tests.functions.test_products import WITH_CHAT, follows
from tests.functions.test_reactivation import agree, requested
from tests.functions.test_terms import ask, consent, problem, propose, status
from tests.samples import ACCOUNT, with_value
from tests.stripe import ask as ask_stripe

RENEWAL, DAY = "2026-07-15", "2026-10-15"
"""The renewal after NOW, and the first one whose last day to avoid it, 14 September, leaves a notice of 30 days."""

THIRD, FOURTH = "LV-2026-000003", "LV-2026-000004"
QUARTER = 12_862 + 17_700
"""In euros: search for 3 * 49.00 less 12.5 percent, e-mail for 3 * 59.00."""
IN_KRONER = 95_812 + 131_700
"""The same tiers in kroner: search for 3 * 365.00 less 12.5 percent, e-mail for 3 * 439.00."""

pytestmark = pytest.mark.usefixtures("work")


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


def to_kroner(company: Company, interval_months: int | None = None, **more: Any) -> Answer:
    body = {"interval_months": interval_months, "currency": "DKK", "reason": "They have moved"}
    return ask(company, "PUT", body, **more)


def without_fixed_discount(company: Company) -> None:
    assert discounts.change(company, discounts.LAUNCH).status == 200


def agreed(company: Company, interval_months: int | None = None, now: datetime = NOW) -> str:
    """Kroner from DAY on, agreed; the term's id."""
    without_fixed_discount(company)
    term = str(to_kroner(company, interval_months, now=now).body["change"]["term"])
    given = consent(company, term, now=now)
    assert given.status == 200, given
    return term


def paid(company: Company, number: str, day: str = RENEWAL) -> None:
    body = {"paid_on": day, "reference": f"transfer of {number}"}
    given = post(record_payment, company, number, "payments", body, now=noon(day))
    assert given.status == 200, given


def all_paid(company: Company, *numbers: str) -> None:
    for number in numbers or (FIRST, SECOND, THIRD):
        paid(company, number)


def upcoming(company: Company, now: datetime = NOW) -> Any:
    event = request("GET", INVOICES + "/upcoming", claims=company.member, path=company.path, now=now)
    return answer(get_invoices, event).body


def codes(given: Answer) -> list[str]:
    assert given.status == 200, given
    return [each["code"] for each in given.body["obstacles"]]


def contract(company: Company) -> Any:
    return existing(wiring.invoice_store().billing_context(company.account)).subscriber.account.contract


def books_agree(company: Company, day: str) -> None:
    store = wiring.reconciliation_store()
    recorded = existing(store.books(company.account, noon("2026-01-01").date()))
    books = _books(recorded, wiring.invoicing_settings())
    assert findings(books, Ledger(), noon(day)) == ()


@pytest.fixture(autouse=True)
def _quarter_is_invoiced(company: Company) -> None:
    """The quarters until RENEWAL are invoiced, in euros. The customer pays by transfer."""
    transfers(company)
    assert len(invoiced(company, "2026-06-10")) == 2


# ---- Proposed and agreed ----


def test_a_contract_changes_its_currency_with_a_renewal(company: Company) -> None:
    without_fixed_discount(company)
    shown = to_kroner(company, preview=True, tag="")
    given = to_kroner(company)

    assert follows(shown) == follows(given)
    since, with_it, without = follows(given)
    assert (since, with_it, without) == (
        DAY,
        [(RENEWAL, QUARTER), (DAY, IN_KRONER)],
        [(RENEWAL, QUARTER), (DAY, QUARTER)],
    )
    last = given.body["follows"]["invoices"][-1]
    assert (last["net"]["currency"], last["total"]["amount"]) == ("DKK", round(IN_KRONER * 1.25))
    assert [(each["before"], each["after"]) for each in given.body["prices"]] == [
        ({"amount": 4900, "currency": "EUR"}, {"amount": 36_500, "currency": "DKK"}),
        ({"amount": 5900, "currency": "EUR"}, {"amount": 43_900, "currency": "DKK"}),
    ]
    assert codes(given) == ["unpaid-invoice", "unpaid-invoice"]
    assert (status(company), given.body["change"]["currency"]) == ("proposed", "DKK")
    term = given.body["change"]["term"]
    for caller in (company.member, STAFF):
        assert consent(company, term, caller).status == 403
    assert consent(company, term, preview=True).status == 200
    answered = consent(company, term)
    assert answered.body["change"] == consent(company, term).body["change"]
    assert (status(company), contract(company).currency) == ("agreed", "EUR")

    assert invoiced(company, RENEWAL)[2:] == [(RENEWAL, QUARTER)]
    assert (upcoming(company, noon("2026-08-01"))["net"]) == {"amount": IN_KRONER, "currency": "DKK"}
    all_paid(company)
    assert invoiced(company, DAY)[3:] == [(DAY, IN_KRONER)]
    issued = one(company, FOURTH)
    assert (issued["total"]["currency"], issued["lines"][0]["net"]["currency"]) == ("DKK", "DKK")
    assert (contract(company).currency, contract(company).currency_of(3)) == ("DKK", "EUR")
    assert ask(company, "GET", now=noon(DAY)).body["currency"] == "DKK"
    assert figures(company, THIRD) == ("paid", 0)
    [changed] = events_of("contract_currency.changed")
    assert (changed.before, (changed.after or {})["currency"]) == ({"currency": "EUR"}, "DKK")
    assert problem(ask(company, "DELETE", now=noon(DAY))) == (409, "term-ended")
    books_agree(company, DAY)
    assert invoiced(company, "2027-01-15")[4:] == [("2027-01-15", 109_500 + 131_700)]  # without the launch discount
    paid(company, FOURTH, DAY)
    books_agree(company, "2027-01-15")
    # And the billing page has its figures in kroner.
    event = request(
        "GET", "/accounts/{account}/billing", claims=company.member, path=company.path, now=noon("2027-01-16")
    )
    page = answer(get_billing, event)
    assert page.body["payment_details"]["next_charge"]["net"]["currency"] == "DKK"
    assert {each["price_per_month"]["currency"] for each in page.body["subscription"]["lines"]} == {"DKK"}


def test_what_stays_in_the_way_is_named_and_refused(
    company: Company, stripe_account: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    products.put(company, "search", None, 30_000)

    shown = to_kroner(company, preview=True, tag="")
    assert [each["code"] for each in shown.body["obstacles"] if each["stays"]] == ["agreed-price", "fixed-discount"]
    assert shown.body["follows"]["invoices"] == shown.body["prices"] == []
    given = to_kroner(company)

    assert given.status == 422
    assert [(each["pointer"], each["code"], each["limits"]["obstacle"]) for each in given.body["errors"]] == [
        ("#/currency", "unusable", "agreed-price"),
        ("#/currency", "unusable", "fixed-discount"),
    ]
    assert status(company) is None


def test_a_tier_without_a_price_in_the_currency_is_refused(company: Company) -> None:
    without_fixed_discount(company)
    given = ask(company, "PUT", {"currency": "SEK", "reason": "They have moved"})

    assert [each["limits"]["obstacle"] for each in given.body["errors"]] == ["no-price", "no-price"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"currency": "EUR"}, "#/currency"),
        ({"currency": "EUR", "interval_months": 3}, "#/currency"),
        ({"currency": "XXX"}, "#/currency"),
        ({"currency": "dkk"}, "#/currency"),
        ({"currency": 978}, "#/currency"),
        ({}, "#/"),
    ],
)
def test_a_currency_that_there_is_not_is_refused(body: Any, pointer: str, company: Company) -> None:
    given = ask(company, "PUT", {**body, "reason": "They have moved"})

    assert (given.status, given.body["errors"][0]["pointer"].rstrip("/")) == (422, pointer.rstrip("/")), given


def test_interval_and_currency_change_together(company: Company) -> None:
    agreed(company, 12)
    invoiced(company, RENEWAL)
    all_paid(company)

    assert invoiced(company, DAY)[3:] == [(DAY, 424_312 + 12 * 43_900)]
    assert contract(company).paid_period(9) == (9, 21)
    assert one(company, FOURTH)["until"] == "2027-10-15"


def test_staff_take_it_back_and_propose_it_again(company: Company) -> None:
    agreed(company)

    assert ask(company, "DELETE").status == 204
    assert status(company) == "taken_back"
    [ended] = events_of("contract_term.ended")
    assert (ended.before or {})["currency"] == "DKK"
    invoiced(company, RENEWAL)
    all_paid(company)
    assert invoiced(company, DAY)[3:] == [(DAY, QUARTER)]
    assert to_kroner(company, now=noon(DAY)).body["change"]["since"] == "2027-01-15"


def test_the_same_again_keeps_the_consent(company: Company) -> None:
    """Also on a day that leaves no notice for that renewal."""
    term = agreed(company)
    given = to_kroner(company, now=noon("2026-09-01"))

    assert (given.body["change"]["term"], given.body["change"]["status"], given.body["change"]["since"]) == (
        term,
        "agreed",
        DAY,
    )
    assert events_of("contract_term.ended") == []


def test_two_members_of_staff_at_once(company: Company) -> None:
    without_fixed_discount(company)
    seen = ask(company, "GET").headers["ETag"]

    assert to_kroner(company, tag=seen).status == 200
    assert propose(company, 1, tag=seen).status == 412
    assert to_kroner(company, tag=seen).status == 200  # the same again
    assert to_kroner(company, tag="").status == 200
    assert len(events_of("contract_term.proposed")) == 1


# ---- Something is left on the day ----


def lapsed(company: Company) -> list[str]:
    """What was left; the renewal is invoiced in euros, and all prices stay."""
    assert invoiced(company, DAY)[-1][0] == DAY
    assert one(company, FOURTH)["total"]["currency"] == "EUR"
    assert contract(company).currency == "EUR"
    found = ask(company, "GET", now=noon(DAY)).body["change"]
    assert found["status"] == "lapsed"
    [ended] = events_of("contract_term.ended")
    assert [*(ended.after or {})["left"]] == found["left"]
    return list(found["left"])


def test_it_lapses_where_an_invoice_is_not_paid(company: Company) -> None:
    agreed(company)
    invoiced(company, RENEWAL)
    all_paid(company, FIRST, SECOND)

    assert lapsed(company) == ["unpaid-invoice"]


def test_it_lapses_where_credit_is_left(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    agreed(company)
    invoiced(company, RENEWAL)
    all_paid(company)
    assert (
        post(credit, company, THIRD, "credit-notes", {"lines": [0], "reason": "Free"}, now=noon(RENEWAL)).status < 300
    )

    assert codes(to_kroner(company, preview=True, tag="")) == ["credit"]
    # And each preview says so before.
    assert upcoming(company, noon("2026-09-02"))["net"] == {"amount": QUARTER, "currency": "EUR"}
    event = request(
        "GET", "/accounts/{account}/billing", claims=company.member, path=company.path, now=noon("2026-09-02")
    )
    shown = answer(get_billing, event).body["payment_details"]["next_charge"]
    assert shown["net"] == {"amount": QUARTER, "currency": "EUR"}
    fire(noon("2026-09-08"), work, monkeypatch, "ending", real=noon("2026-09-08"))
    [near] = events_of("renewal.notice_deadline_near")
    assert (near.after or {})["renewal"]["amount"] == {"amount": QUARTER, "currency": "EUR"}
    assert lapsed(company) == ["credit"]


def test_it_lapses_where_a_one_off_waits(company: Company) -> None:
    agreed(company)
    invoiced(company, RENEWAL)
    all_paid(company)
    route = "/accounts/{account}/one-offs/{one_off}"
    body = {"kind": "charge", "description": "Training", "amount": 5000, "currency": "EUR", "reason": "Asked for"}
    path = {**company.path, "one_off": "training"}
    event = request("PUT", route, claims=STAFF, path=path, body=body, now=noon("2026-09-01"))
    given = answer(one_offs, event)
    assert given.status in {200, 201}, given

    coming = upcoming(company, noon("2026-09-02"))
    assert coming["net"] == {"amount": QUARTER + 5000, "currency": "EUR"}  # as the run makes it
    assert lapsed(company) == ["one-off"]
    assert one(company, FOURTH)["net"] == coming["net"]


def test_it_lapses_for_a_cancelled_account(company: Company) -> None:
    agreed(company)
    invoiced(company, RENEWAL)
    all_paid(company)
    assert cancel(company, "2027-01-15", now=noon("2026-09-20")).status == 201

    assert lapsed(company) == ["cancelled"]


def test_a_debit_pays_euros_only(company: Company, stripe_account: Stripe) -> None:
    without_fixed_discount(company)
    debit(company, stripe_account)

    given = to_kroner(company)
    assert [each["limits"] for each in given.body["errors"]] == [{"obstacle": "payment-method", "of": "sepa_debit"}]


def test_it_lapses_where_a_debit_was_set_up_since(company: Company, stripe_account: Stripe) -> None:
    agreed(company)
    invoiced(company, RENEWAL)
    all_paid(company)
    debit(company, stripe_account)

    assert lapsed(company) == ["payment-method"]


def test_a_debit_whose_setup_ends_after_the_change_is_refused(company: Company, stripe_account: Stripe) -> None:
    agreed(company)
    path = "/accounts/{account}/payment-method"

    def asked(method: str, route: str, body: Any, now: datetime) -> Answer:
        return answer(update, request(method, route, claims=company.admin, path=company.path, body=body, now=now))

    setup = asked("POST", path + "/setup", {"method": "sepa_debit"}, NOW).body["setup_intent"]
    invoiced(company, RENEWAL)
    all_paid(company)
    assert invoiced(company, DAY)[3:] == [(DAY, IN_KRONER)]
    iban = "payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]=DE89370400440532013000"
    ask_stripe(stripe_account, "POST", f"/v1/setup_intents/{setup}/confirm", iban)

    given = asked("PUT", path, {"setup_intent": setup}, noon(DAY))
    assert (given.status, given.body["errors"][0]["code"]) == (422, "unsupported")
    tell(stripe_account, "setup_intent.succeeded")
    assert existing(wiring.invoice_store().billing_context(company.account)).profile.payment_method is None


# ---- Other changes meanwhile ----


def test_a_change_that_would_stand_in_its_way_is_refused(company: Company) -> None:
    agreed(company)

    assert problem(products.put(company, "email", 25_000, 5000)) == (409, "currency-change-pending")
    assert problem(discounts.change(company, discounts.LAUNCH, {**discounts.LOYALTY, "from": RENEWAL})) == (
        409,
        "currency-change-pending",
    )
    assert discounts.change(company, discounts.LAUNCH, {**discounts.MORE, "from": DAY}).status == 200
    invoiced(company, RENEWAL)
    all_paid(company)
    assert invoiced(company, DAY)[3:] == [(DAY, IN_KRONER - 13_170)]


def test_a_product_that_is_added_meanwhile_has_its_price(company: Company) -> None:
    assert put_catalogue(WITH_CHAT, replaces=1).status == 200
    assert provisioned(with_value(ACCOUNT, "with-chat", "account")).status == 201
    other = Company("with-chat", company.admin, company.admin)
    transfers(other)
    invoiced(other, "2026-06-10")
    agreed(other)
    assert products.put(other, "chat", 100, now=noon("2026-06-20")).status == 200
    invoiced(other, RENEWAL)
    all_paid(other, THIRD, FOURTH, "LV-2026-000005")

    assert upcoming(other, noon("2026-08-01"))["net"] == {"amount": IN_KRONER + 3 * 7500, "currency": "DKK"}
    assert invoiced(other, DAY)[-1] == (DAY, IN_KRONER + 3 * 7500)


def test_a_run_that_is_late_makes_the_same(company: Company) -> None:
    agreed(company)
    all_paid(company, FIRST, SECOND)
    invoiced(company, "2026-07-16")
    paid(company, THIRD, "2026-07-16")

    assert invoiced(company, "2027-01-20")[3:] == [(DAY, IN_KRONER), ("2027-01-15", 109_500 + 131_700)]
    books_agree(company, "2027-01-20")


def test_a_larger_tier_from_the_day_on_is_paid_in_the_new_currency(company: Company) -> None:
    agreed(company)
    invoiced(company, RENEWAL)
    all_paid(company)
    assert products.put(company, "search", 25_000, now=noon("2026-09-20")).status == 200

    assert invoiced(company, DAY)[3:] == [(DAY, 193_988 + 131_700)]
    books_agree(company, DAY)
    for day in ("2027-01-15", "2027-04-15", "2027-07-15"):
        assert invoiced(company, day)[-1] == (day, 3 * (73_900 + 43_900))


def test_what_is_to_come_is_shown_in_the_new_currency(company: Company) -> None:
    """In the answer, the event, the mail and on the page: as the invoices to come."""
    agreed(company)
    invoiced(company, RENEWAL)
    all_paid(company)
    given = products.put(company, "search", 25_000, now=noon("2026-09-20"))
    path = "/accounts/{account}/billing"
    page = answer(get_billing, request("GET", path, claims=company.member, path=company.path, now=noon("2026-09-21")))

    kroner = {"amount": 73_900, "currency": "DKK"}
    for subscription in (given.body["subscription"], page.body["subscription"]):
        [line] = [each for each in subscription["lines"] if each["product"] == "search"]
        assert line["price_per_month"] == {"amount": 4900, "currency": "EUR"}
        assert line["pending_change"] == {"up_to": 25_000, "price_per_month": kroner, "effective_on": DAY}
    changed = events_of("subscription.changed")[-1]
    assert ((changed.before or {})["line"]["price"]["currency"], (changed.after or {})["line"]["price"]) == (
        "EUR",
        kroner,
    )
    assert "New tier: up to 25,000 searches, DKK 739.00 per month" in written("subscription.changed", "en")


# ---- Afterwards ----


@pytest.fixture
def in_kroner(company: Company) -> Company:
    """The company on DAY: three invoices in euros are paid, the fourth is in kroner."""
    agreed(company)
    invoiced(company, RENEWAL)
    all_paid(company)
    assert invoiced(company, DAY)[3:] == [(DAY, IN_KRONER)]
    return company


def test_a_credit_note_of_a_former_currency_is_repaid_by_hand(in_kroner: Company) -> None:
    company, total = in_kroner, one(in_kroner, THIRD)["total"]["amount"]
    given = post(credit, company, THIRD, "credit-notes", {"lines": None, "reason": "Mistake"}, now=noon(DAY))
    assert given.status == 201, given
    billing = existing(wiring.invoice_store().billing_context(company.account))
    assert (billing.credit, billing.other_credit) == (0, {"EUR": total})
    assert figures(company, FOURTH)[0] == "open"  # euros pay no kroner
    books_agree(company, DAY)

    def repay(amount: int, currency: str) -> Answer:
        body = {"amount": {"amount": amount, "currency": currency}, "repaid_on": DAY, "reference": "back"}
        return post(record_payment, company, THIRD, "repayments", body, now=noon(DAY))

    assert repay(total + 1, "EUR").status == 422
    assert repay(total, "DKK").status == 422
    assert repay(total, "EUR").status == 200
    assert existing(wiring.invoice_store().billing_context(company.account)).credits == {}
    books_agree(company, DAY)


def test_its_credit_note_says_that_what_is_open_in_its_currency_is_paid_first(in_kroner: Company) -> None:
    """The mail and the PDF say the same: no next invoice takes it, and an open one in euros does."""
    company, total = in_kroner, one(in_kroner, SECOND)["total"]["amount"]
    assert take_back(company, transfer_of(company, SECOND), now=noon(DAY)).status == 200
    assert figures(company, SECOND) == ("past_due", total)
    body = {"lines": None, "reason": "Mistake"}
    assert post(credit, company, THIRD, "credit-notes", body, now=noon(DAY)).status == 201
    assert figures(company, SECOND) == ("paid", 0)
    rest = one(company, THIRD)["total"]["amount"] - total
    assert existing(wiring.invoice_store().billing_context(company.account)).credits == {"EUR": rest}

    said: list[str] = []

    def render(invoice: IssuedInvoice, outcome: CreditOutcome | None) -> dict[DocumentKind, bytes]:
        said.append(squeezed(invoice_pdf(invoice, None, outcome)))
        return {}

    documents, note = wiring.documents(), "CN-2026-000001"
    render_documents(company.account, note, store=wiring.invoice_store(), documents=documents, render=render)
    for text in (said[0], written("credit_note.issued", "en")):
        assert (
            "less what is still open in this currency, back to you: your invoices are in another currency now" in text
        )
        assert "and your next invoices" not in text


def test_an_invoice_in_a_former_currency_is_issued_again(in_kroner: Company) -> None:
    company, before = in_kroner, one(in_kroner, THIRD)
    given = post(credit, company, THIRD, "correction", {"reason": "The address was wrong"}, now=noon(DAY))
    assert given.status == 201, given
    assert (given.body["total"], given.body["credit"]) == (before["total"], before["total"])
    assert figures(company, given.body["number"]) == ("paid", 0)
    assert existing(wiring.invoice_store().billing_context(company.account)).credits == {}
    books_agree(company, DAY)


def test_what_is_left_in_a_former_currency_is_told_at_the_end(in_kroner: Company) -> None:
    company, total = in_kroner, one(in_kroner, THIRD)["total"]["amount"]
    post(credit, company, THIRD, "credit-notes", {"lines": None, "reason": "Mistake"}, now=noon(DAY))
    given = call_cancellation(company, "GET", now=noon(DAY))
    euros = {"amount": total, "currency": "EUR"}
    assert given.body["others"] == [{"to_pay": {"amount": 0, "currency": "EUR"}, "to_repay": euros}]
    assert given.body["to_pay"]["currency"] == "DKK"


def test_it_changes_back_and_what_was_left_is_credit_again(in_kroner: Company) -> None:
    company, total = in_kroner, one(in_kroner, THIRD)["total"]["amount"]
    post(credit, company, THIRD, "credit-notes", {"lines": None, "reason": "Mistake"}, now=noon(DAY))
    back = {"currency": "EUR", "reason": "They have moved back"}
    given = ask(company, "PUT", back, now=noon(DAY))
    assert given.body["change"]["since"] == "2027-01-15"
    assert consent(company, given.body["change"]["term"], now=noon(DAY)).status == 200
    paid(company, FOURTH, DAY)
    coming = upcoming(company, noon(DAY))

    assert invoiced(company, "2027-01-15")[-1] == ("2027-01-15", 3 * (4900 + 5900))
    last = one(company, "LV-2027-000001")
    assert last["credit"] == {"amount": total, "currency": "EUR"} or last["credit"]["amount"] == min(
        total, last["total"]["amount"]
    )
    assert (coming["credit"], coming["due"]) == (last["credit"], last["due"])
    assert contract(company).currency_of(9) == "DKK"
    books_agree(company, "2027-01-15")


def test_the_renewal_notice_follows_the_interval(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract that is paid monthly has none (DESIGN 3.1.9)."""

    def due() -> list[str]:
        return [each["body"] for each in stored_items() if each["sk"] == "DUE#ending"]

    agreed(company, 1)
    assert len(due()) == 1
    invoiced(company, RENEWAL)
    all_paid(company)
    invoiced(company, DAY)
    fire(noon("2026-10-16"), work, monkeypatch, "ending")
    assert due() == []
    [term] = [each for each in stored_items() if each["sk"] == "PAGE#TERM"]
    assert "gsi1pk" not in term


def test_the_renewal_notice_names_the_interval_that_is_agreed_with_the_currency(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does the withdrawal of a cancellation: the amount is that of a year."""
    agreed(company, 12)
    invoiced(company, RENEWAL)
    all_paid(company)
    fire(noon("2026-09-10"), work, monkeypatch, "ending", real=noon("2026-09-10"))
    near = events_of("renewal.notice_deadline_near")[-1].after or {}
    assert cancel(company, DAY, now=noon("2026-09-11")).status == 201
    assert call_cancellation(company, "DELETE", now=noon("2026-09-12")).status in {200, 204}
    [withdrawn] = events_of("cancellation.withdrawn")

    for facts in (near, withdrawn.after or {}):
        amount = {"amount": 424_312 + 12 * 43_900, "currency": "DKK"}
        assert (facts["renewal"]["on"], facts["renewal"]["amount"], facts["interval_months"]) == (DAY, amount, 12)


def test_the_notice_follows_also_where_another_term_is_proposed_at_once(company: Company, work: Any) -> None:
    """A contract that was paid monthly has no notice. It must have one after its currency and interval have changed."""
    assert propose(company, 1).status == 200
    without_fixed_discount(company)
    invoiced(company, RENEWAL)
    term = to_kroner(company, 6, now=noon(RENEWAL)).body["change"]["term"]
    assert consent(company, term, now=noon(RENEWAL)).status == 200
    all_paid(company)
    invoiced(company, "2026-08-15")
    paid(company, FOURTH, "2026-08-15")
    invoiced(company, "2026-09-15")
    assert (contract(company).currency, contract(company).interval_of(8)) == ("DKK", 6)

    assert ask(company, "PUT", {"interval_months": 12, "reason": "Asked for"}, now=noon("2026-09-15")).status == 200
    assert [each["body"] for each in stored_items() if each["sk"] == "DUE#ending"] == [
        '{"stage":"notice","on":"2027-02-07"}'
    ]


@pytest.mark.parametrize("is_agreed", [False, True])
def test_it_ends_with_the_contract_that_it_was_proposed_for(
    is_agreed: bool, company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told at once, with the day that the customer knows, and nobody agrees to it in a new contract."""
    without_fixed_discount(company)
    term = to_kroner(company).body["change"]["term"]
    assert not is_agreed or consent(company, term).status == 200
    assert cancel(company, RENEWAL, now=noon("2026-06-12")).status == 201
    all_paid(company, FIRST, SECOND)
    fire(noon(RENEWAL), work, monkeypatch, "renewal", "ending", real=noon(RENEWAL))

    assert status(company, noon(RENEWAL)) == "lapsed"
    [ended] = events_of("contract_term.ended")
    assert ((ended.before or {})["since"], (ended.after or {})["is_cancelled"]) == (DAY, True)
    assert agree(company, now=noon("2026-07-16")).status == 202
    assert deliver(requested()) == {"batchItemFailures": []}
    assert problem(consent(company, term, now=noon("2026-07-20"))) == (409, "term-ended")
    assert ask(company, "GET", now=noon("2026-07-20")).body["change"]["since"] == DAY


def test_money_that_comes_late_in_a_former_currency_is_kept_apart(in_kroner: Company) -> None:
    """It is refused as a transfer that pays too much: kroner are the credit of this account."""
    body = {"paid_on": DAY, "reference": "twice", "amount": {"amount": 100, "currency": "EUR"}}
    given = post(record_payment, in_kroner, THIRD, "payments", body, now=noon(DAY))
    assert (given.status, given.body["errors"][0]["code"]) == (422, "too-large")


def test_a_card_pays_both_currencies(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    agreed(company)
    for day in (RENEWAL, "2026-07-16", DAY, "2026-10-16"):
        fire(noon(day), work, monkeypatch, "renewal", "collection", real=noon(day))
    assert [one(company, each)["total"]["currency"] for each in (THIRD, FOURTH)] == ["EUR", "DKK"]
    assert [figures(company, each)[0] for each in (FIRST, SECOND, THIRD, FOURTH)] == ["paid"] * 4
    # Charged once more for an invoice in euros: that is credit in euros, and staff are told.
    pay_again(company, stripe_account, THIRD)
    tell(stripe_account, "payment_intent.succeeded")
    [unexpected] = events_of("payment.unexpected")
    assert ((unexpected.after or {})["credit"]["currency"]) == "EUR"
    billing = existing(wiring.invoice_store().billing_context(company.account))
    assert (billing.credit, [*billing.other_credit]) == (0, ["EUR"])
    # A charge-back of an invoice in euros is owed again in euros, and that credit pays it.
    assert (
        post(credit, company, SECOND, "credit-notes", {"lines": None, "reason": "Mistake"}, now=noon(DAY)).status == 201
    )
    fire(noon("2026-10-17"), work, monkeypatch, "collection", real=noon("2026-10-17"))
    assert one(company, "CN-2026-000001")["payment"]["status"] == "paid"
    assert existing(wiring.invoice_store().billing_context(company.account)).other_credit == billing.other_credit


def test_money_without_an_invoice_is_credit_in_its_own_currency(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest invoice keeps it, and that is in kroner by then."""
    card(company, stripe_account)
    agreed(company)
    for day in (RENEWAL, "2026-07-16", DAY, "2026-10-16"):
        fire(noon(day), work, monkeypatch, "renewal", "collection", real=noon(day))
    pay_again(company, stripe_account, "LV-2025-000009")
    tell(stripe_account, "payment_intent.succeeded")

    [unexpected] = events_of("payment.unexpected")
    after, paid_first = unexpected.after or {}, one(company, FIRST)["total"]
    assert (after["number"], after["credit"]) == (THIRD, paid_first)
    billing = existing(wiring.invoice_store().billing_context(company.account))
    assert billing.credits == {"EUR": paid_first["amount"]}


def test_a_new_contract_after_it_has_one_currency(
    in_kroner: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What began in the contract that has ended is not ended by a run of the new one."""
    company, end = in_kroner, "2027-01-15"
    paid(company, FOURTH, DAY)
    assert cancel(company, end, now=noon(DAY)).status == 201
    fire(noon(end), work, monkeypatch, "renewal", "ending", real=noon(end))
    given = agree(company, now=noon(end))
    assert given.status == 202, given
    assert deliver(requested()) == {"batchItemFailures": []}

    assert contract(company).currency_of(0) == contract(company).currency == "DKK"
    books_agree(company, end)
    assert invoiced(company, "2027-04-15")[-1][0] == "2027-04-15"
    assert events_of("contract_term.ended") == []


def test_the_mail_of_a_larger_tier_shows_the_next_invoice_in_its_currency(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed(company)
    invoiced(company, RENEWAL)
    all_paid(company)
    use(500, date(2026, 4, 1), date(2026, 9, 1))
    fire(noon("2026-09-01"), work, monkeypatch, "autoscaling")

    [moved] = events_of("subscription.autoscaled")
    after = moved.after or {}
    assert after["next_invoice"]["on"] == DAY
    assert after["next_invoice"]["amount"] == {"amount": 193_988 + 131_700, "currency": "DKK"}
    assert after["extra"]["currency"] == "EUR"


def transfer_of(company: Company, number: str) -> str:
    """The id of the transfer that has paid an invoice."""
    keys = [each["sk"] for each in stored_items() if each["sk"].startswith("TRANSFER#") and number in each["body"]]
    return str(keys[0]).removeprefix("TRANSFER#")


def take_back(company: Company, transfer: str, now: datetime) -> Answer:
    route, body = "/accounts/{account}/transfers/{transfer}/take-back", {"reason": "It was another customer's"}
    path = {**company.path, "transfer": transfer}
    return answer(record_payment, request("POST", route, claims=STAFF, path=path, body=body, now=now))


def written(kind: str, language: str) -> str:
    """The words of the mail about the newest event of a kind."""
    context = LetterContext("Nordlys Kaffe", language, "Europe/Copenhagen", None)
    recipient = Recipient("ada@nordlys.example", "Ada Holm")
    made = letter(
        published(events_of(kind)[-1]), context, recipient, Vendor("Livello", "https://page", "us@livello.example")
    )
    return " ".join(f"{made.subject} {made.text}".split())


def test_what_is_left_in_a_former_currency_is_kept_as_a_claim(
    in_kroner: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And every mail on the way names both currencies."""
    company, total = in_kroner, one(in_kroner, THIRD)["total"]["amount"]
    paid(company, FOURTH, DAY)
    post(credit, company, THIRD, "credit-notes", {"lines": None, "reason": "Mistake"}, now=noon(DAY))
    assert cancel(company, "2027-01-15", now=noon(DAY)).status == 201
    for day in ("2027-01-15", "2027-01-27", "2027-01-30"):
        fire(noon(day), work, monkeypatch, "renewal", "collection", "ending", real=noon(day))
        if day == "2027-01-15":
            [deactivated], [told] = events_of("account.deactivated"), events_of("account.money_open")
            euros = {"amount": total, "currency": "EUR"}
            assert (deactivated.after or {})["others"] == [{"to_pay": None, "to_repay": euros}]
            assert [each["to_repay"] for each in (told.after or {})["documents"]] == [euros]
            for language, gives_back in (("en", "We still have to give back"), ("it", "Dobbiamo ancora restituire")):
                assert gives_back in written("account.deactivated", language)
                assert "382.03" in written("account.money_open", "en")
                assert written("account.money_open", language)

    [kept] = claims()
    assert (kept["to_repay"], kept["to_pay"]["amount"]) == (euros, 0)


def test_each_mail_names_the_currencies(company: Company) -> None:
    without_fixed_discount(company)
    term = to_kroner(company).body["change"]["term"]
    assert "do you agree to pay every 3 months, in DKK from 15 October 2026" in written("contract_term.proposed", "en")
    assert "accettate il pagamento ogni 3 mesi, in DKK" in written("contract_term.proposed", "it")
    consent(company, term)
    assert "instead of every 3 months, in EUR" in written("contract_term.agreed", "en")
    assert "14 September 2026" in written("contract_term.agreed", "en")
    assert "anziché ogni 3 mesi, in EUR" in written("contract_term.agreed", "it")
    invoiced(company, RENEWAL)
    all_paid(company)
    invoiced(company, DAY)
    assert "What was invoiced before stays in EUR" in written("contract_currency.changed", "en")
    assert "resta in EUR" in written("contract_currency.changed", "it")
    post(credit, company, THIRD, "credit-notes", {"lines": None, "reason": "Mistake"}, now=noon(DAY))
    assert "back to you: your invoices are in another currency now" in written("credit_note.issued", "en")
    assert "le vostre fatture sono ora in" in written("credit_note.issued", "it")


def test_the_mail_of_a_change_that_has_lapsed_says_what_was_left(company: Company) -> None:
    agreed(company)
    invoiced(company, RENEWAL)
    invoiced(company, DAY)

    assert "in EUR this was left: an invoice is not paid." in written("contract_term.ended", "en")
    assert "in EUR restava questo: una fattura non è pagata." in written("contract_term.ended", "it")
