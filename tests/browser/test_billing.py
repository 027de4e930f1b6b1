"""Overview, billing, and the edit of company, billing and contact."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.harness import Visitor
from tests.browser.people import REQUEST, Answers
from tests.browser.samples import listed, money

Visit = Callable[..., Visitor]

NORDLYS = "nordlys-kaffe"
ADMINS = [{"name": "Astrid Holm", "email": "astrid@nordlys.example"}]


@pytest.mark.parametrize(("who", "edits"), [("admin", 3), ("member", 0), ("staff", 0)])
@pytest.mark.parametrize(
    ("locale", "title", "edit"), [("en-GB", "Billing", "Edit"), ("it-IT", "Fatturazione", "Modifica")]
)
def test_billing_has_its_four_sections_and_who_may_edit(
    visit: Visit, who: str, edits: int, locale: str, title: str, edit: str
) -> None:
    person = visit(who=who, locale=locale)
    page = person.page
    person.open(f"{NORDLYS}/billing")
    person.heading(title)

    expect(page.get_by_role("heading", level=2)).to_have_count(5)
    expect(page.get_by_role("link", name=re.compile(f"^{edit}: "))).to_have_count(edits)
    expect(page.get_by_text("astrid@nordlys.example")).to_have_count(1 if who == "member" else 0)
    person.accessible()
    person.fits()
    person.picture(f"billing-{who}-{locale}")


def test_a_member_at_the_address_of_an_edit_reads(visit: Visit) -> None:
    person = visit(who="member")
    person.open(f"{NORDLYS}/billing/company")
    person.heading("Billing")

    expect(person.page.get_by_role("heading", name="Payment details")).to_be_visible()
    expect(person.page.get_by_role("textbox")).to_have_count(0)


def many(body: Any) -> None:
    """30 products, and everything that a product may say."""
    line = body["subscription"]["lines"][0]
    lines = [deepcopy(line) | {"product": f"product-{place}", "name": f"Product {place}"} for place in range(30)]
    lines[0] |= {
        "up_to": None,
        "price_is_agreed": True,
        "begins_on": "2027-01-15",
        "ends_on": "2027-02-15",
        "pending_change": {"effective_on": "2027-01-15", "up_to": 100000, "price_per_month": money(0)},
        "discounts": [
            {"percent": None, "amount": money(-1), "until": None, "reason": None},
            {"percent": "33.33", "amount": None, "until": "2028-01-15", "reason": "<b>Bold</b> " + "x" * 200},
        ],
    }
    body["subscription"]["lines"] = lines
    body["subscription"]["discounts"] = [{"percent": "10", "amount": None, "until": None, "reason": "Paid yearly"}]
    tier = {"up_to": 100000, "price_per_month": money(100)}
    body["subscription"]["pending_version"] = {
        "catalogue_version": 2,
        "effective_on": "2027-02-15",
        "last_day_to_avoid_it": "2027-01-14",
        "announced_on": "2026-11-15",
        "lines": [
            {"product": "search", "name": "Search", "unit": "searches", "before": tier, "after": tier, "agreed": False}
        ],
    }
    body["invoices"] = [
        listed(place, "past_due" if place == 11 else "paid", 100 * (place == 11)) for place in range(12)
    ]


@pytest.mark.parametrize("locale", ["en-GB", "it-IT"])
def test_thirty_products_and_new_prices_fit(visit: Visit, locale: str) -> None:
    person = visit(who="admin", locale=locale)
    page = person.page
    Answers(page).changed(f"accounts/{NORDLYS}/billing", many)
    person.open(f"{NORDLYS}/billing")

    new = {"en-GB": "If you cancel by 14 Jan 2027", "it-IT": "Se cancellate entro il 14 gen 2027"}[locale]
    expect(page.get_by_text(new)).to_be_visible()
    expect(page.get_by_role("table").first.get_by_role("row")).to_have_count(31)
    expect(page.get_by_text("<b>Bold</b>")).to_be_visible()
    person.accessible()
    person.fits(1280)
    person.fits()
    person.picture(f"billing-many-{locale}")


def nothing(body: Any) -> None:
    """An account without anything yet."""
    body["subscription"] |= {"lines": [], "discounts": []}
    body["invoices"] = []
    body["billing_information"]["company"] |= {"address_line_2": None, "postcode": None, "vat_number": None}
    body["billing_information"]["contact"] |= {"phone": None}
    body["payment_details"] |= {"method": None, "card": None, "debit": None, "next_charge": None}


@pytest.mark.parametrize("screen", ["overview", "billing"])
def test_an_account_with_nothing_in_it_says_why(visit: Visit, screen: str) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    api = Answers(page)
    api.changed(f"accounts/{NORDLYS}/billing", nothing)
    api.changed(f"accounts/{NORDLYS}/usage", lambda body: body.update(products=[]))
    api.changed(f"accounts/{NORDLYS}/autoscaling", lambda body: body.update(items=[]))
    person.open(f"{NORDLYS}/{screen}")

    expect(page.get_by_text("Nessun metodo di pagamento è impostato.")).to_be_visible()
    expect(page.get_by_text("Non è previsto nessun addebito.")).to_be_visible()
    if screen == "overview":
        expect(page.get_by_text("Non è ancora stato registrato alcun utilizzo.")).to_be_visible()
        expect(page.get_by_text("Ancora nessuna fattura.")).to_be_visible()
        expect(page.get_by_text("L'abbonamento non ha prodotti.")).to_be_visible()
    else:
        expect(page.get_by_text("Ancora nessuna fattura. La prima è emessa")).to_be_visible()
        expect(page.get_by_role("link", name="Impostate un metodo di pagamento")).to_be_visible()
    person.accessible()
    person.fits()
    person.picture(f"{screen}-nothing")


@pytest.mark.parametrize(
    ("method", "locale", "said"),
    [
        ("card", "en-GB", "by card"),
        ("sepa_debit", "it-IT", "con addebito diretto SEPA"),
        ("bank_transfer", "it-IT", "con bonifico"),
    ],
)
def test_the_overview_says_how_the_next_charge_is_paid(visit: Visit, method: str, locale: str, said: str) -> None:
    person = visit(who="admin", locale=locale)
    page = person.page
    Answers(page).changed(f"accounts/{NORDLYS}/billing", lambda body: body["payment_details"].update(method=method))
    person.open(f"{NORDLYS}/overview")

    expect(page.get_by_text(re.compile(f"2026 {said}$"))).to_be_visible()


def test_the_overview_names_the_product_of_the_last_decision(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    decision = {
        "month": "2026-10",
        "product": "email",
        "explanations": [
            {"code": "autoscaling.fits", "values": {"limit": "50000", "months_known": 3}, "text": "All fit."}
        ],
    }
    Answers(page).changed(f"accounts/{NORDLYS}/autoscaling", lambda body: body.update(items=[decision]))
    person.open(f"{NORDLYS}/overview")

    expect(page.get_by_text(re.compile("^E-mail, October 2026: "))).to_be_visible()


def test_one_part_that_fails_leaves_the_others(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)
    api.problem(f"accounts/{NORDLYS}/usage", 503, "busy")
    api.offline(f"accounts/{NORDLYS}/autoscaling")
    person.open(f"{NORDLYS}/overview")

    expect(page.get_by_role("alert")).to_have_count(2)
    expect(page.get_by_text("There was no answer. Check your connection.")).to_be_visible()
    expect(page.get_by_role("heading", name="Next charge")).to_be_visible()
    person.accessible()
    person.fits()
    page.unroute_all()
    page.get_by_role("alert").first.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(1)
    person.faults = [each for each in person.faults if "DISCONNECTED" not in each]


def test_who_is_removed_meanwhile_is_told_the_admins(visit: Visit) -> None:
    person = visit(who="member", locale="it-IT")
    page = person.page
    Answers(page).problem(f"accounts/{NORDLYS}/billing", 403, "admins-only", admins=ADMINS)
    person.open(f"{NORDLYS}/billing")

    expect(page.get_by_role("alert")).to_contain_text("Solo un amministratore del vostro account può farlo.")
    expect(page.get_by_role("link", name="astrid@nordlys.example")).to_have_attribute(
        "href", "mailto:astrid@nordlys.example"
    )
    person.accessible()


# ---- Edits ----


@pytest.mark.parametrize(
    ("section", "label", "value", "title"),
    [
        ("company", "Indirizzo", "Via Nuova 1", "Società"),
        ("billing", "Indirizzo e-mail per le fatture", "conti@lucciola.example", "Fatturazione"),
        ("contact", "Telefono", "+39 051 555 0199", "Contatto"),
    ],
)
def test_each_section_is_edited_by_keyboard(visit: Visit, section: str, label: str, value: str, title: str) -> None:
    person = visit(who="italian", locale="it-IT")
    page = person.page
    person.open("lucciola-libri/billing")
    page.get_by_role("link", name=f"Modifica: {title}").focus()
    page.keyboard.press("Enter")
    field = page.get_by_label(re.compile(rf"^{label}( \(facoltativo\))?$"))
    expect(page.locator("#content")).to_be_focused()
    expect(page).to_have_title(re.compile(f"^{title} . Fatturazione"))
    person.accessible()
    person.fits()
    person.picture(f"edit-{section}")
    before = field.input_value()
    field.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type(value)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Dettagli di pagamento")).to_be_visible()
    expect(page.get_by_text(value)).to_be_visible()
    expect(page.locator("#content")).to_be_focused()
    person.open(f"lucciola-libri/billing/{section}")
    field.fill(before)
    page.get_by_role("button", name="Salva").click()
    expect(page.get_by_text(before).first).to_be_visible()


def test_a_refused_field_has_the_error_and_the_focus_and_nothing_is_below(visit: Visit) -> None:
    person = visit(who="italian", locale="it-IT")
    page = person.page
    person.open("lucciola-libri/billing/company")
    page.get_by_label("Nome").fill("")
    page.get_by_label("Partita IVA").fill("DK1")
    page.get_by_role("button", name="Salva").press("Enter")

    name = page.get_by_label("Nome")
    expect(name).to_be_focused()
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_accessible_description(re.compile("Almeno 1|necessario"))
    expect(page.get_by_label("Partita IVA")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text("Alcuni dati non possono essere accettati così.")
    expect(page.get_by_role("alert")).not_to_contain_text("sotto")
    person.accessible()
    person.fits()
    person.picture("edit-refused")
    page.get_by_role("button", name="Non modificare").click()
    person.heading("Fatturazione")


def test_what_is_wrong_with_no_field_of_the_form_is_said_too(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    errors = [{"pointer": "#/", "code": "conflict", "detail": "In English."}]
    Answers(page).problem(
        f"accounts/{NORDLYS}/billing-information/contact", 422, "rule-violation", "PUT", errors=errors
    )
    person.open(f"{NORDLYS}/billing/contact")
    page.get_by_label("Phone").fill("+45 1")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("alert")).to_contain_text("This contradicts what is known.")
    page.get_by_role("button", name="Do not change").click()


@pytest.mark.parametrize(
    ("status", "code"), [(503, "busy"), (429, "limit-reached"), (0, "offline"), (409, "account-closed")]
)
def test_a_save_that_fails_loses_nothing_and_keeps_the_focus(visit: Visit, status: int, code: str) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)
    path = f"accounts/{NORDLYS}/billing-information/contact"
    api.problem(path, status, code, "PUT") if status else api.offline(path, "PUT")
    person.open(f"{NORDLYS}/billing/contact")
    page.get_by_label("Phone").fill("+45 72 72 72 72")
    save = page.get_by_role("button", name="Save")
    save.press("Enter")

    expect(page.get_by_role("alert")).to_be_visible()
    if status:
        expect(page.get_by_role("alert")).to_contain_text(REQUEST)
    expect(save).to_be_focused()
    expect(page.get_by_label("Phone")).to_have_value("+45 72 72 72 72")
    person.accessible()
    page.get_by_role("button", name="Do not change").click()
    person.faults = [each for each in person.faults if "DISCONNECTED" not in each]


def test_what_was_typed_is_there_after_another_screen_and_can_be_given_up(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(f"{NORDLYS}/billing/contact")
    page.get_by_label("Phone").fill("+45 73")
    page.get_by_role("link", name="Users").click()
    person.heading("Users")
    page.go_back()
    expect(page.get_by_label("Phone")).to_have_value("+45 73")
    expect(page.get_by_text("What you typed is still here, and not saved yet.")).to_be_visible()
    page.get_by_role("button", name="Do not change").click()
    person.heading("Billing")
    assert page.evaluate("Object.keys(sessionStorage).filter((each) => each.includes('draft'))") == []


def stale(person: Visitor, section: str, change: Callable[[Any], Any]) -> Answers:
    """The form is open; then somebody else changes the section."""
    api = Answers(person.page)
    path = f"accounts/{NORDLYS}/billing-information/{section}"
    api.problem(path, 412, "stale-version", "PUT")
    api.changed(path, change)
    return api


def test_a_change_by_somebody_else_is_shown_beside_ones_own(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(f"{NORDLYS}/billing/company")
    page.get_by_label("City").fill("Aarhus")
    stale(person, "company", lambda body: body.update(city="Odense", country="SE"))
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.get_by_role("row", name="City Aarhus Odense")).to_be_visible()
    expect(page.get_by_role("row", name="Country Denmark Sweden")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(3)
    person.accessible()
    person.fits()
    person.picture("edit-412")
    page.unroute_all()
    sent = Answers(page)
    sent.fixed(f"accounts/{NORDLYS}/billing-information/company", {}, method="PUT")
    page.get_by_role("button", name="Save mine").click()
    expect(page.get_by_role("heading", name="Payment details")).to_be_visible()
    [request] = sent.asked
    assert (request.post_data_json or {})["city"] == "Aarhus"
    assert request.headers["if-match"]


def test_the_change_of_somebody_else_may_be_taken(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    person.open(f"{NORDLYS}/billing/contact")
    page.get_by_label("Telefono").fill("+45 74")
    stale(person, "contact", lambda body: body.update(phone="+45 75"))
    page.get_by_role("button", name="Salva").click()
    page.get_by_role("button", name="Prendete i loro").click()

    expect(page.get_by_role("heading", name="Dettagli di pagamento")).to_be_visible()
    person.open(f"{NORDLYS}/billing/contact")
    expect(page.get_by_label("Telefono")).to_have_value("+45 75")


def test_the_same_change_by_somebody_else_needs_no_question(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(f"{NORDLYS}/billing/contact")
    page.get_by_label("Phone").fill("+45 76")
    stale(person, "contact", lambda body: body.update(phone="+45 76"))
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", name="Payment details")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_two_tabs_that_edit_the_same_lose_nobodys_change(visit: Visit) -> None:
    person = visit(who="admin")
    first = person.page
    person.open(f"{NORDLYS}/billing/contact")
    before = first.get_by_label("Phone").input_value()
    token = first.evaluate("sessionStorage.getItem('livello.refresh')")
    second = person.context.new_page()
    second.add_init_script(f"sessionStorage.setItem('livello.refresh', {json.dumps(token)})")
    second.goto(f"{person.stack.settings.address}/#/{NORDLYS}/billing/contact")
    second.get_by_label("Phone").fill("+45 77 77 77 77")
    second.get_by_role("button", name="Save").click()
    expect(second.get_by_text("+45 77 77 77 77")).to_be_visible()

    first.get_by_label("Phone").fill("+45 78 78 78 78")
    first.get_by_role("button", name="Save").click()
    expect(first.get_by_role("row", name="Phone +45 78 78 78 78 +45 77 77 77 77")).to_be_visible()
    first.get_by_role("button", name="Save mine").click()
    expect(first.get_by_text("+45 78 78 78 78")).to_be_visible()
    # The other tab gets the new one with the next look at billing.
    second.get_by_role("link", name="Users").click()
    second.get_by_role("link", name="Billing", exact=True).click()
    expect(second.get_by_text("+45 78 78 78 78")).to_be_visible()
    person.open(f"{NORDLYS}/billing/contact")
    first.get_by_label("Phone").fill(before)
    first.get_by_role("button", name="Save").click()
    expect(first.get_by_text(before)).to_be_visible()


@pytest.mark.parametrize("size", ["200%"])
def test_large_text_is_not_cut(visit: Visit, size: str) -> None:
    person = visit(who="italian", locale="it-IT")
    page = person.page
    for place in ("overview", "billing", "billing/company"):
        person.open(f"lucciola-libri/{place}")
        expect(page.get_by_role("status").filter(has_text="Caricamento")).to_have_count(0)
        page.evaluate(f"document.documentElement.style.fontSize = '{size}'")
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        person.fits(640)
        person.picture(f"large-{place.replace('/', '-')}")
