"""The form of Stripe's stand-in for a card or a bank account: what it takes, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, expect

from tests.browser.harness import Visitor
from tests.browser.people import REQUEST, Answers

Visit = Callable[..., Visitor]

NORDLYS, LUCCIOLA = "nordlys-kaffe", "lucciola-libri"
SAVE, SALVA = "Save and pay with it from now on", "Salvate e pagate così d'ora in poi"


def frame(person: Visitor) -> FrameLocator:
    return person.page.frame_locator("iframe").first


def type_card(person: Visitor, number: str, expiry: str = "1234", italian: bool = False) -> None:
    fields = (
        ("Numero della carta", "Data di scadenza", "Codice di sicurezza")
        if italian
        else ("Card number", "Expiration date", "Security code")
    )
    for label, value in zip(fields, (number, expiry, "123"), strict=True):
        frame(person).get_by_label(label).fill(value)


def test_a_declined_card_is_said_in_words_and_another_one_is_taken(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.refused |= {402}
    person.open(f"{NORDLYS}/billing/payment")
    type_card(person, "4000000000000002")
    save = page.get_by_role("button", name=SAVE)
    save.press("Enter")

    expect(page.get_by_role("alert")).to_have_text("The bank has declined. Try another card, or ask your bank.")
    expect(save).to_be_focused()
    person.accessible()
    person.fits()
    person.picture("card-declined")
    type_card(person, "5555555555554444")
    save.click()
    expect(page.get_by_text("Saved. Your next charges are made with it.")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_focused()
    person.accessible()
    page.get_by_role("link", name="To billing").click()
    expect(page.get_by_text("Mastercard •••• 4444")).to_be_visible()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("4000000000009995", "I fondi non sono sufficienti."),
        ("4000000000000069", "Questa carta è scaduta."),
        ("4000000000000127", "Il codice di sicurezza non è corretto."),
        ("4242", "Il numero della carta non è completo."),
    ],
)
def test_refusals_are_in_the_language_of_the_page(visit: Visit, number: str, said: str) -> None:
    person = visit(who="italian", locale="it-IT")
    person.refused |= {402}
    person.open(f"{LUCCIOLA}/billing/payment")
    type_card(person, number, italian=True)
    person.page.get_by_role("button", name=SALVA).click()

    expect(person.page.get_by_role("alert")).to_have_text(said)


@pytest.mark.parametrize(("button", "is_taken"), [("Complete", True), ("Fail", False)])
def test_the_bank_asks_before_a_card_is_saved(visit: Visit, button: str, is_taken: bool) -> None:
    person = visit(who="admin")
    page = person.page
    person.refused |= {402}
    person.open(f"{NORDLYS}/billing/payment")
    type_card(person, "4000002500003155")
    page.get_by_role("button", name=SAVE).click()
    bank = page.frame_locator("iframe").last
    expect(bank.get_by_role("button", name=button)).to_be_visible()
    person.picture("card-3ds")
    bank.get_by_role("button", name=button).click()

    if is_taken:
        expect(page.get_by_text("Saved. Your next charges are made with it.")).to_be_visible()
    else:
        expect(page.get_by_role("alert")).to_contain_text("The confirmation at your bank has failed.")


def test_a_bank_account_is_taken_where_euros_are_charged(visit: Visit) -> None:
    person = visit(who="italian", locale="it-IT")
    page = person.page
    person.open(f"{LUCCIOLA}/billing/payment")
    page.get_by_label("Con addebito diretto SEPA su un conto bancario").check()
    frame(person).get_by_label("IBAN").fill("IT60X0542811101000000123456")
    frame(person).get_by_label("Nome e cognome").fill("Giulia Ferri")
    frame(person).get_by_label("E-mail").fill("giulia@lucciola.example")
    person.fits()
    person.picture("sepa")
    page.get_by_role("button", name=SALVA).click()

    expect(page.get_by_text("Salvato. I prossimi addebiti avvengono così.")).to_be_visible()
    page.get_by_role("link", name="Alla fatturazione").click()
    expect(page.get_by_text("Addebito diretto SEPA")).to_be_visible()
    expect(page.get_by_text(re.compile("Italia •••• 3456"))).to_be_visible()
    # A card is back for the other tests.
    page.get_by_role("link", name="Usate un'altra carta").click()
    page.get_by_label("Con carta").check()
    type_card(person, "4242424242424242", italian=True)
    page.get_by_role("button", name=SALVA).click()
    expect(page.get_by_text("Salvato. I prossimi addebiti avvengono così.")).to_be_visible()


def test_a_method_that_is_not_offered_is_said_and_the_other_one_goes_on(visit: Visit) -> None:
    person = visit(who="italian", locale="it-IT")
    page = person.page
    person.open(f"{LUCCIOLA}/billing/payment")
    expect(frame(person).get_by_label("Numero della carta")).to_be_visible()
    errors = [{"pointer": "#/method", "code": "not-allowed", "detail": "In English.", "limits": {"allowed": ["card"]}}]
    Answers(page).problem(f"accounts/{LUCCIOLA}/payment-method/setup", 422, "rule-violation", "POST", errors=errors)
    page.get_by_label("Con addebito diretto SEPA").check()

    expect(page.get_by_role("alert")).to_have_text("Questo metodo non è previsto per il vostro account.")
    person.accessible()
    page.unroute_all()
    page.get_by_label("Con carta").check()
    expect(frame(person).get_by_label("Numero della carta")).to_be_visible()


def test_what_stripe_has_taken_is_not_typed_again(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(f"{NORDLYS}/billing/payment")
    type_card(person, "4242424242424242")
    Answers(page).problem(f"accounts/{NORDLYS}/payment-method", 503, "busy", "PUT")
    page.get_by_role("button", name=SAVE).click()

    expect(page.get_by_role("alert")).to_contain_text(REQUEST)
    person.accessible()
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Saved. Your next charges are made with it.")).to_be_visible()


def test_a_card_that_was_overtaken_needs_a_new_form(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(f"{NORDLYS}/billing/payment")
    type_card(person, "4242424242424242")
    Answers(page).problem(f"accounts/{NORDLYS}/payment-method", 409, "setup-superseded", "PUT")
    page.get_by_role("button", name=SAVE).click()

    expect(page.get_by_role("alert")).to_contain_text("Another payment method was saved after this one.")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(frame(person).get_by_label("Card number")).to_have_value("")
    expect(page.get_by_role("button", name=SAVE)).to_be_enabled()


def test_a_form_that_cannot_be_loaded_can_be_tried_again(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    script = re.compile(r"stripe\.js|/v3/")
    page.route(script, lambda route: route.abort("blockedbyclient"))
    person.open(f"{NORDLYS}/billing/payment")

    expect(page.get_by_role("alert")).to_contain_text("Il modulo della carta non può essere caricato.")
    person.accessible()
    person.fits()
    page.unroute_all()
    page.get_by_role("button", name="Riprova").click()
    expect(frame(person).get_by_label("Numero della carta")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    person.faults.clear()


def test_a_payment_service_that_is_down_is_said(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.refused |= {502}
    Answers(page).problem(f"accounts/{NORDLYS}/payment-method/setup", 502, "upstream-failed", "POST")
    person.open(f"{NORDLYS}/billing/payment")

    expect(page.get_by_role("alert")).to_contain_text("A service that we need does not answer.")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(frame(person).get_by_label("Card number")).to_be_visible()


def test_the_form_is_typed_by_keyboard_alone(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(f"{NORDLYS}/billing")
    page.get_by_role("link", name="Use another card or bank account").focus()
    page.keyboard.press("Enter")
    expect(frame(person).get_by_label("Card number")).to_be_visible()
    expect(page).to_have_title(re.compile("^Payment method . Billing"))
    frame(person).get_by_label("Card number").focus()
    page.keyboard.type("4242424242424242")
    page.keyboard.press("Tab")
    page.keyboard.type("1234")
    page.keyboard.press("Tab")
    page.keyboard.type("123")
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.type") == "submit":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved. Your next charges are made with it.")).to_be_visible()


def test_the_form_speaks_the_language_that_is_chosen(visit: Visit) -> None:
    person = visit(who="admin")
    person.open(f"{NORDLYS}/billing/payment")
    expect(frame(person).get_by_label("Card number")).to_be_visible()
    person.page.get_by_label("Language", exact=True).select_option("it")

    expect(frame(person).get_by_label("Numero della carta")).to_be_visible()
    expect(person.page.get_by_role("button", name=SALVA)).to_be_enabled()


def transfers(body: Any) -> None:
    body["payment_details"] |= {
        "method": "bank_transfer",
        "card": None,
        "payment_term_days": 30,
    }


def test_who_pays_by_transfer_sees_the_term(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    Answers(person.page).changed(f"accounts/{NORDLYS}/billing", transfers)
    person.open(f"{NORDLYS}/billing")

    expect(person.page.get_by_text("Bonifico")).to_be_visible()
    expect(person.page.get_by_text("30 giorni")).to_be_visible()
