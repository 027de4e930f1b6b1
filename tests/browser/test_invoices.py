"""The list of invoices with its filters and files, and one invoice with its derivation and its payment."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from billing.invoicing.summary_views import InvoicesView
from billing.invoicing.views import InvoiceDetailsView
from playwright.sync_api import expect

from tests.browser.harness import Visitor
from tests.browser.people import HOSTILE, REQUEST, Answers
from tests.browser.samples import invoice, listed, money

Visit = Callable[..., Visitor]

NORDLYS = "nordlys-kaffe"
LIST = f"accounts/{NORDLYS}/invoices"
NUMBER = "LV-2026-000014"
ONE = f"{LIST}/{NUMBER}"


def test_the_samples_have_the_form_of_the_api() -> None:
    InvoiceDetailsView.model_validate(invoice("past_due", 1))
    InvoicesView.model_validate({"items": [listed(1), listed(2, "open", 1)], "next_cursor": None})


def query(request: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


def four_hundred(request: Any) -> Any:
    """400 invoices in pages; only years and statuses that there are."""
    asked = query(request)
    if asked.get("status") == "void" or asked.get("year") == "2020":
        return {"items": [], "next_cursor": None}
    first = int(asked.get("cursor", 400))
    last = max(0, first - int(asked["limit"]))
    items = [listed(place, asked.get("status", "paid")) for place in range(first, last, -1)]
    return {"items": items, "next_cursor": str(last) if last else None}


def with_invoices(person: Visitor) -> Answers:
    api = Answers(person.page)
    api.fixed(LIST, four_hundred)
    return api


def test_four_hundred_invoices_are_read_page_by_page(visit: Visit) -> None:
    person = visit(who="member")
    page = person.page
    with_invoices(person)
    person.open(f"{NORDLYS}/invoices")
    rows = page.get_by_role("table").first.get_by_role("row")
    expect(rows).to_have_count(51)
    for place in range(2, 9):
        more = page.get_by_role("button", name="Show more")
        more.press("Enter")
        expect(rows).to_have_count(50 * place + 1)
        if place < 8:
            expect(more).to_be_focused()
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    person.fits()
    person.accessible()


def test_filters_stay_when_one_comes_back_and_with_another_language(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    api = with_invoices(person)
    api.fixed(f"{LIST}/LV-2026-000400", invoice() | {"number": "LV-2026-000400"})
    person.open(f"{NORDLYS}/invoices")
    page.get_by_label("Year").select_option("2026")
    page.get_by_label("Status").select_option("paid")
    page.get_by_role("link", name="LV-2026-000400").click()
    person.heading("Invoice LV-2026-000400")
    page.go_back()

    expect(page.get_by_label("Year")).to_have_value("2026")
    expect(page.get_by_label("Status")).to_have_value("paid")
    page.get_by_label("Language", exact=True).select_option("it")
    expect(page.get_by_label("Anno")).to_have_value("2026")
    assert query(api.asked[-1]) == {"limit": "50", "year": "2026", "status": "paid"}
    person.picture("invoices-filtered-it")


def test_a_filter_that_finds_nothing_says_so_and_no_invoice_yet_says_why(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    api = with_invoices(person)
    person.open(f"{NORDLYS}/invoices")
    page.get_by_label("Stato").select_option("void")
    expect(page.get_by_text("Nessuna fattura di questo anno e stato.")).to_be_visible()
    person.accessible()
    page.unroute_all()
    api.fixed(LIST, {"items": [], "next_cursor": None})
    page.get_by_label("Stato").select_option("")
    expect(page.get_by_text("Ancora nessuna fattura. La prima è emessa")).to_be_visible()


def test_the_table_is_for_the_spreadsheet_of_the_language(visit: Visit) -> None:
    person = visit(who="member", locale="it-IT")
    page = person.page
    asked: list[Any] = []
    page.on("request", lambda each: asked.append(each) if each.headers.get("accept") == "text/csv" else None)
    person.open(f"{NORDLYS}/invoices")
    with page.expect_download() as download:
        page.get_by_role("button", name="Tabella (CSV)").click()

    content = download.value.path().read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")  # by its mark a spreadsheet knows UTF-8
    assert b";" in content.splitlines()[0]
    assert download.value.suggested_filename == f"invoices-{NORDLYS}.csv"
    assert query(asked[-1]) == {"locale": "it"}


@pytest.mark.parametrize(("status", "code"), [(503, "busy"), (422, "bad-parameter")])
def test_a_table_that_fails_is_said(visit: Visit, status: int, code: str) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(f"{NORDLYS}/invoices")
    expect(page.get_by_role("heading", name="The next invoice")).to_be_visible()
    expect(page.get_by_role("table")).not_to_have_count(0)
    Answers(page).problem(LIST, status, code)
    page.get_by_role("button", name="Table (CSV)").click()

    expect(page.get_by_role("alert")).to_contain_text(REQUEST)
    person.accessible()


def download_view(status: str, link: str | None = None) -> dict[str, Any]:
    return {"status": status, "asked_at": None, "link": link, "until": "2026-12-05T12:00:00Z" if link else None}


def test_the_archive_of_a_year_is_asked_for_awaited_and_offered(visit: Visit) -> None:
    person = visit(who="member")
    page = person.page
    api = with_invoices(person)
    answers = ["none", "preparing", "preparing", "ready"]

    def state(_: Any) -> Any:
        now = answers.pop(0) if len(answers) > 1 else answers[0]
        return download_view(now, "https://files.example/archive.zip" if now == "ready" else None)

    api.fixed(f"{LIST}/archive", state)
    api.fixed(f"{LIST}/archive", download_view("preparing"), 202, "POST")
    person.open(f"{NORDLYS}/invoices")
    page.get_by_label("Year").select_option("2026")
    page.get_by_role("button", name="All documents of 2026 (ZIP)").click()
    expect(page.get_by_text("The archive is being prepared.")).to_be_visible()
    person.accessible()
    link = page.get_by_role("link", name="download it")
    expect(link).to_have_attribute("href", "https://files.example/archive.zip")
    expect(page.get_by_text(re.compile("until 5 Dec 2026"))).to_be_visible()
    person.picture("archive-ready")


def test_an_archive_that_cannot_be_asked_for_is_said_once(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    api = with_invoices(person)
    api.fixed(f"{LIST}/archive", download_view("expired"))
    api.problem(f"{LIST}/archive", 503, "busy", "POST")
    person.open(f"{NORDLYS}/invoices")
    page.get_by_label("Anno").select_option("2026")
    button = page.get_by_role("button", name="Tutti i documenti del 2026 (ZIP)")
    button.click()
    expect(page.get_by_role("alert")).to_have_count(1)
    api.fixed(f"{LIST}/archive", download_view("preparing"), 202, "POST")
    button.click()
    expect(page.get_by_text("L'archivio è in preparazione.")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_list_that_fails_can_be_tried_again_and_so_can_its_next_page(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)
    api.offline(LIST)
    person.open(f"{NORDLYS}/invoices")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("There was no answer.")
    person.accessible()
    page.unroute_all()
    with_invoices(person)
    alert.get_by_role("button", name="Try again").click()
    rows = page.get_by_role("table").first.get_by_role("row")
    expect(rows).to_have_count(51)
    api.problem(LIST, 500, "error")
    person.refused.add(500)
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("alert")).to_contain_text("Something has failed on our side.")
    expect(rows).to_have_count(51)
    with_invoices(person)
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(101)
    person.faults = [each for each in person.faults if "DISCONNECTED" not in each]


# ---- One invoice ----


@pytest.mark.parametrize(("who", "locale"), [("admin", "en-GB"), ("member", "it-IT"), ("staff", "en-GB")])
def test_an_invoice_shows_how_it_came_to_its_amounts(visit: Visit, who: str, locale: str) -> None:
    person = visit(who=who, locale=locale)
    page = person.page
    Answers(page).fixed(ONE, invoice())
    person.open(f"{NORDLYS}/invoices/{NUMBER}")
    if locale == "it-IT":
        person.heading(f"Fattura {NUMBER}")
        expect(page.get_by_text("15 nov 2026 – 14 dic 2026")).to_be_visible()  # noqa: RUF001
        expect(page.get_by_text("dal 15 nov 2026 al 14 dic 2026: 1 mese")).to_be_visible()
        expect(page.get_by_text("Imposta, 25 %")).to_be_visible()
    else:
        person.heading(f"Invoice {NUMBER}")
        # As in the PDF: the last day, and not the first one after it.
        expect(page.get_by_text("15 Nov 2026 – 14 Dec 2026")).to_be_visible()  # noqa: RUF001
        expect(page.get_by_text("15 Nov 2026 to 14 Dec 2026: 1 month")).to_be_visible()
        expect(page.get_by_text("Tax, 25%")).to_be_visible()
        expect(page.get_by_role("link", name="why this tier")).to_be_visible()
    expect(page).to_have_title(re.compile(f"^{NUMBER} . "))
    expect(page.get_by_role("button", name=re.compile("Try the payment|Confirm"))).to_have_count(0)
    person.accessible()
    person.fits()
    person.picture(f"invoice-{who}-{locale}")


def test_an_invoice_that_is_not_ones_own_is_not_there(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    person.open(f"{NORDLYS}/invoices/LV-2020-999999")

    expect(page.get_by_role("alert")).to_contain_text("Qui non c'è nulla, o non vi avete accesso.")
    person.heading("LV-2020-999999")
    person.accessible()
    person.fits()


def test_a_credit_note_and_a_re_issued_invoice_lead_to_what_they_correct(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    note = invoice() | {"corrects": {"number": "LV-2026-000013", "reason": HOSTILE[0]}, "number": "CN-2026-000001"}
    note["lines"][0]["description"] = HOSTILE[1]
    note["company"] = note["company"] | {"name": HOSTILE[2]}
    Answers(page).fixed(f"{LIST}/CN-2026-000001", note)
    person.open(f"{NORDLYS}/invoices/CN-2026-000001")

    person.heading("Credit note CN-2026-000001")
    expect(page.get_by_text(HOSTILE[0])).to_be_visible()
    expect(page.get_by_role("link", name="LV-2026-000013")).to_have_attribute(
        "href", f"#/{NORDLYS}/invoices/LV-2026-000013"
    )
    expect(page.get_by_role("heading", name="Payment")).to_have_count(0)
    person.accessible()
    person.fits(1280)
    person.fits()
    person.picture("credit-note-hostile")


def test_a_pdf_that_is_not_written_yet_is_awaited_and_gets_the_focus(visit: Visit) -> None:
    person = visit(who="member")
    page = person.page
    api = Answers(page)
    api.fixed(ONE, invoice())
    states = [
        {"status": "preparing", "link": None, "works_until": None},
        {"status": "ready", "link": "https://files.example/x.pdf", "works_until": "2026-11-28T18:00:00Z"},
    ]
    api.fixed(f"{ONE}/pdf", lambda _: states.pop(0))
    person.open(f"{NORDLYS}/invoices/{NUMBER}")
    page.get_by_role("button", name=f"Download {NUMBER}: PDF").press("Enter")

    expect(page.get_by_text("The document is being written…")).to_be_visible()
    person.accessible()
    link = page.get_by_role("link", name="Ready: open it")
    expect(link).to_be_focused()
    expect(link).to_have_attribute("href", "https://files.example/x.pdf")


def test_a_pdf_that_takes_too_long_is_not_awaited_for_ever(visit: Visit) -> None:
    person = visit(who="member", locale="it-IT")
    page = person.page
    page.clock.install()
    api = Answers(page)
    api.fixed(ONE, invoice())
    api.fixed(f"{ONE}/pdf", {"status": "preparing", "link": None, "works_until": None}, 202)
    person.open(f"{NORDLYS}/invoices/{NUMBER}")
    button = page.get_by_role("button", name=f"Scarica {NUMBER}: PDF")
    button.press("Enter")
    expect(page.get_by_text("Il documento è in preparazione…")).to_be_visible()
    for _ in range(32):
        page.clock.run_for(2000)
        page.wait_for_timeout(10)

    expect(page.get_by_text("Ci vuole più del solito. Riprovate più tardi.")).to_be_visible()
    expect(button).to_be_focused()
    person.accessible()


def test_an_invoice_that_is_no_e_invoice_says_so(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)
    api.fixed(ONE, invoice())
    api.problem(f"{ONE}/xml", 409, "not-electronic")
    person.open(f"{NORDLYS}/invoices/{NUMBER}")
    page.get_by_role("button", name="E-invoice (XML)").click()

    expect(page.get_by_role("alert")).to_contain_text("There is no e-invoice of this document.")
    person.accessible()


def test_a_written_document_opens_at_once(visit: Visit) -> None:
    person = visit(who="member")
    page = person.page
    api = Answers(page)
    api.fixed(ONE, invoice())
    link = f"{person.stack.settings.address}/file.pdf"
    page.route(
        link,
        lambda route: route.fulfill(
            body="%PDF-1.7",
            content_type="application/pdf",
            headers={"content-disposition": 'attachment; filename="Livello-LV-2026-000014.pdf"'},
        ),
    )
    api.fixed(f"{ONE}/pdf", {"status": "ready", "link": link, "works_until": "2026-11-28T18:00:00Z"})
    person.open(f"{NORDLYS}/invoices/{NUMBER}")
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {NUMBER}: PDF").click()
    assert download.value.suggested_filename == "Livello-LV-2026-000014.pdf"
    person.heading(NUMBER)


PAST_DUE = {"failure": "declined", "attempts": 2, "next_attempt_on": "2026-12-01"}


@pytest.mark.parametrize(
    ("status", "locale", "said"),
    [
        ("paid", "en-GB", "It is paid."),
        ("in_transit", "it-IT", "Il pagamento è in corso."),
        ("past_due", "en-GB", "The payment was refused again."),
    ],
)
def test_an_admin_tries_a_payment_again_and_is_told_what_came_of_it(
    visit: Visit, status: str, locale: str, said: str
) -> None:
    person = visit(who="admin", locale=locale)
    page = person.page
    api = Answers(page)
    api.changed(f"accounts/{NORDLYS}/billing", lambda body: body["payment_details"].update(method="card"))
    api.fixed(ONE, invoice("past_due", 230313, **PAST_DUE))
    left = 230313 if status == "past_due" else 0
    api.fixed(f"{ONE}/payment-attempts", invoice(status, left), 200, "POST")
    person.open(f"{NORDLYS}/invoices/{NUMBER}")
    retry = page.get_by_role(
        "button", name="Try the payment again now" if locale == "en-GB" else "Riprovate ora il pagamento"
    )
    expect(retry).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("another card|altra carta"))).to_be_visible()
    person.accessible()
    person.picture(f"invoice-past-due-{locale}")
    retry.press("Enter")

    expect(page.get_by_role("status").filter(has_text=said)).to_be_focused()
    person.accessible()


@pytest.mark.parametrize(("code", "status"), [("already-paid", 409), ("busy", 503), ("upstream-failed", 502)])
def test_a_payment_that_cannot_be_tried_says_why(visit: Visit, code: str, status: int) -> None:
    person = visit(who="admin")
    person.refused.add(502)
    page = person.page
    api = Answers(page)
    api.changed(f"accounts/{NORDLYS}/billing", lambda body: body["payment_details"].update(method="card"))
    api.fixed(ONE, invoice("past_due", 230313, **PAST_DUE))
    api.problem(f"{ONE}/payment-attempts", status, code, "POST")
    person.open(f"{NORDLYS}/invoices/{NUMBER}")
    retry = page.get_by_role("button", name="Try the payment again now")
    retry.press("Enter")

    expect(page.get_by_role("alert")).to_contain_text(REQUEST)
    expect(retry).to_be_focused()


@pytest.mark.parametrize(("method", "link"), [("bank_transfer", 0), (None, 1)])
def test_what_cannot_be_charged_is_not_tried(visit: Visit, method: str | None, link: int) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)
    api.changed(f"accounts/{NORDLYS}/billing", lambda body: body["payment_details"].update(method=method))
    api.fixed(ONE, invoice("past_due", 230313, failure="no_payment_method", reference="RF18 5390 0754 7034"))
    person.open(f"{NORDLYS}/invoices/{NUMBER}")
    expect(page.get_by_text("RF18 5390 0754 7034")).to_be_visible()

    expect(page.get_by_role("button", name="Try the payment again now")).to_have_count(0)
    expect(page.get_by_role("main").get_by_role("link", name="Set up a payment method")).to_have_count(link)
    person.accessible()


@pytest.mark.parametrize("who", ["member", "staff"])
def test_who_only_reads_cannot_try_a_payment(visit: Visit, who: str) -> None:
    person = visit(who=who)
    page = person.page
    Answers(page).fixed(ONE, invoice("past_due", 100, failure="authentication_required"))
    person.open(f"{NORDLYS}/invoices/{NUMBER}")

    expect(page.get_by_text("The bank wants your consent.")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("button", name=re.compile("Confirm|Try"))).to_have_count(0)


def test_a_consent_that_stripe_refuses_is_said_in_words(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    person.refused |= {402}
    page = person.page
    api = Answers(page)
    api.fixed(ONE, invoice("past_due", 230313, failure="authentication_required"))
    consent = {"payment_intent": "pi_1", "client_secret": "pi_1_secret_x", "publishable_key": "pk_test_x"}
    api.fixed(f"{ONE}/consent", consent, 200, "POST")
    person.open(f"{NORDLYS}/invoices/{NUMBER}")
    expect(page.get_by_text("La vostra banca vuole che confermiate questo pagamento.")).to_be_visible()
    page.get_by_role("button", name="Confermate presso la banca").click()

    # The stand-in does not know this payment.
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="rifiutato di nuovo")).to_have_count(0)
    expect(page.get_by_role("button", name="Confermate presso la banca")).to_be_visible()
    person.accessible()
    person.fits()


def test_every_fact_of_a_payment_is_shown(visit: Visit) -> None:
    person = visit(who="member", locale="it-IT")
    page = person.page
    line = {"credit_note": "CN-2026-000001", "place": 0, "amount": money(100), "reason": "goodwill"}
    whole = invoice(
        "past_due",
        100,
        waived=money(200),
        refunded=money(300),
        reference="RF18",
        credited=[line],
        reminders={"sent": [{"on": "2026-11-20", "kind": "first"}], "next_on": "2026-12-02", "pause": None},
        **PAST_DUE,
    )
    whole["credit"] = money(500)
    whole["lines"][0]["instead_of"] = whole["lines"][0]["steps"]
    Answers(page).fixed(ONE, whole)
    person.open(f"{NORDLYS}/invoices/{NUMBER}")

    for said in ("La banca ha rifiutato.", "1 dic 2026", "RF18", "2 dic 2026", "Invece di quanto fatturato:"):
        expect(page.get_by_text(said)).to_be_visible()
    expect(page.get_by_role("link", name="CN-2026-000001")).to_be_visible()
    person.accessible()
    person.fits()
    person.picture("invoice-every-fact")
