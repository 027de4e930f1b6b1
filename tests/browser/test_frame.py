"""What is around every screen: who is logged in, the account, the language, the search, banners, and sessions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from local.demo.seeding import PASSWORD
from tests.browser.harness import Visitor
from tests.browser.people import EMAILS, HOSTILE, REQUEST, Answers
from tests.browser.samples import listed

Visit = Callable[..., Visitor]

NORDLYS = "nordlys-kaffe"


def membership(place: int, name: str = "") -> dict[str, Any]:
    return {"account": f"company-{place}", "name": name or f"Company {place}", "role": "admin"}


# ---- Accounts ----


def test_staff_find_an_account_by_keyboard_and_look_at_it(visit: Visit) -> None:
    person = visit(who="staff")
    page = person.page
    person.open()
    person.heading("Choose a management account")
    expect(page.get_by_role("row")).to_have_count(4)
    page.get_by_role("searchbox").press_sequentially("luc")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").nth(1)).to_contain_text("Active")
    person.accessible()
    person.fits()
    person.picture("picker-staff")
    page.get_by_role("link", name="Lucciola Libri").focus()
    page.keyboard.press("Enter")

    person.heading("Lucciola Libri")
    expect(page.get_by_text("You see this as the customer does, and change nothing.")).to_be_visible()
    expect(page.locator("#content")).to_be_focused()
    expect(page).to_have_title(re.compile("^Overview . Lucciola Libri . "))
    person.open("lucciola-libri/billing")
    person.heading("Billing")
    expect(page.get_by_role("heading", name="Payment details")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^Edit"))).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("card|payment method"))).to_have_count(0)
    # A reload renews the session: whoever was staff is staff.
    page.reload()
    expect(page.get_by_text("You see this as the customer does, and change nothing.")).to_be_visible()
    page.get_by_role("link", name="Lucciola Libri").click()
    person.heading("Choose a management account")
    assert page.title().startswith("Choose a management account")


def test_staff_are_told_what_is_not_found_and_what_is_not_shown(visit: Visit) -> None:
    person = visit(who="staff", locale="it-IT")
    page = person.page
    many = {"items": [membership(place) | {"role": "staff", "details": None} for place in range(50)]}
    Answers(page).fixed("accounts", many | {"next_cursor": "more"})
    person.open()

    expect(page.get_by_text("Ce ne sono altri: precisate la ricerca.")).to_be_visible()
    page.unroute_all()
    page.get_by_role("searchbox").fill("zzz")
    expect(page.get_by_text("Nessun account trovato.")).to_be_visible()
    person.accessible()


def test_a_list_of_accounts_is_a_menu_up_to_ten_and_a_search_beyond(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)
    some = [{"account": NORDLYS, "name": "Nordlys Kaffe", "role": "admin"}]
    api.fixed("accounts", {"items": [*some, membership(1, HOSTILE[0]), membership(2, HOSTILE[1])], "next_cursor": None})
    person.open()
    person.heading("Choose a management account")
    menu = page.get_by_label("Management account")
    expect(menu.get_by_role("option")).to_have_count(4)
    person.accessible()
    person.picture("picker-hostile")
    menu.select_option(NORDLYS)
    person.heading("Nordlys Kaffe")
    page.unroute_all()

    api.fixed("accounts", {"items": [*some, *map(membership, range(12))], "next_cursor": None})
    page.reload()
    person.heading("Nordlys Kaffe")
    page.get_by_role("link", name="Nordlys Kaffe").click()
    person.heading("Choose a management account")
    page.get_by_role("searchbox").fill("Company 11")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("searchbox").fill("zzz")
    # That nothing is found does not mean that there is no access.
    expect(page.get_by_text("No account is found.")).to_be_visible()
    page.get_by_role("searchbox").fill("nordlys")
    page.get_by_role("link", name="Nordlys Kaffe").click()
    person.heading("Nordlys Kaffe")


def test_without_an_account_the_page_says_whom_to_ask(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    Answers(person.page).fixed("accounts", {"items": [], "next_cursor": None})
    person.open()

    expect(person.page.get_by_text("Non avete ancora accesso a un account.")).to_be_visible()
    person.accessible()
    person.fits()
    person.picture("picker-nothing")


def test_a_link_to_another_companys_invoice_leads_back_to_ones_own(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open("lucciola-libri/invoices/LV-2026-000001")

    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_text("There is no such account, or you have no access to it.").first).to_be_visible()
    person.accessible()
    person.picture("foreign-account")
    page.get_by_role("link", name="Your accounts").click()
    person.heading("Nordlys Kaffe")
    assert page.evaluate("localStorage.getItem('livello.account')") == NORDLYS


@pytest.mark.parametrize("place", [f"{NORDLYS}/nonsense", f"{NORDLYS}/%E0%A4%A/x"])
def test_an_address_without_a_screen_has_a_heading_and_a_way_on(visit: Visit, place: str) -> None:
    person = visit(who="admin")
    person.open(place)

    person.heading("There is no such screen.")
    person.accessible()
    person.fits()
    person.page.get_by_role("main").get_by_role("link", name="Overview").click()
    person.heading("Nordlys Kaffe")


# ---- Problems ----


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (503, "busy", "Too much is asked at the moment."),
        (429, "limit-reached", "Too much is asked at the moment."),
        (500, "error", "Something has failed on our side."),
    ],
)
def test_a_problem_has_words_a_way_on_and_the_id_of_the_request(
    visit: Visit, status: int, code: str, words: str
) -> None:
    person = visit(who="admin")
    person.refused.add(500)
    page = person.page
    Answers(page).problem("accounts", status, code)
    person.open(f"{NORDLYS}/billing")

    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("alert")).to_contain_text(REQUEST)
    person.accessible()
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    person.heading("Billing")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_answer_that_cannot_be_read_is_a_problem_and_no_endless_wait(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    page.route("**/v1/accounts/*/billing", lambda route: route.fulfill(content_type="text/html", body="<p>Wi-Fi</p>"))
    person.open(f"{NORDLYS}/billing")

    expect(page.get_by_role("alert")).to_contain_text("Something has failed on our side.")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Payment details")).to_be_visible()


def test_a_screen_that_loads_slowly_says_so(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/accounts/*/billing", hold)
    person.open(f"{NORDLYS}/billing")

    expect(page.get_by_role("status").filter(has_text="Caricamento…")).to_be_visible()
    person.accessible()
    for route in held:
        route.continue_()
    expect(page.get_by_role("heading", name="Dettagli di pagamento")).to_be_visible()


def test_a_part_of_the_page_that_is_not_there_any_more_says_what_to_do(visit: Visit) -> None:
    person = visit(who="admin")
    person.open(f"{NORDLYS}/overview")
    person.heading("Nordlys Kaffe")
    person.page.route("**/assets/users*.js", lambda route: route.fulfill(status=404, body=""))
    person.page.get_by_role("link", name="Users").click()

    expect(person.page.get_by_role("alert")).to_contain_text("could not be loaded")
    person.accessible()
    person.faults.clear()
    person.page.unroute_all()
    person.page.get_by_role("button", name="Try again").click()
    person.heading("Users")


# ---- Sessions ----


def expired(person: Visitor) -> None:
    """The API takes the token no longer, and the session cannot be renewed."""
    Answers(person.page).problem(".*", 401, "unauthenticated", "PUT")
    person.page.evaluate("sessionStorage.setItem('livello.refresh', 'ended')")


def log_in_again(person: Visitor, who: str) -> None:
    page = person.page
    page.wait_for_url("**/oauth2/**")
    page.unroute_all()
    page.locator("input:not([type=hidden])").first.fill(EMAILS[who])
    page.locator("button[type=submit]").first.click()
    page.locator("input[type=password]").fill(PASSWORD)
    page.locator("button[type=submit]").first.click()


def test_whoever_logs_in_again_in_the_middle_of_an_edit_loses_nothing(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(f"{NORDLYS}/billing/contact")
    page.get_by_label("Phone").fill("+45 70 70 70 70")
    expired(person)
    page.get_by_role("button", name="Save").click()

    log_in_again(person, "admin")
    expect(page.get_by_label("Phone")).to_have_value("+45 70 70 70 70")
    expect(page.get_by_text("What you typed is still here, and not saved yet.")).to_be_visible()
    person.accessible()
    page.get_by_role("button", name="Do not change").click()
    person.heading("Billing")
    page.get_by_role("link", name="Edit: Contact").click()
    expect(page.get_by_label("Phone")).not_to_have_value("+45 70 70 70 70")
    expect(page.get_by_text("What you typed is still here")).to_have_count(0)


def test_what_one_person_typed_is_not_shown_to_the_next(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(f"{NORDLYS}/billing/contact")
    page.get_by_label("Phone").fill("+45 70 70 70 70")
    expired(person)
    page.get_by_role("button", name="Save").click()

    log_in_again(person, "member")
    person.heading("Billing")
    assert page.evaluate("Object.values(sessionStorage).filter((each) => each.includes('70 70'))") == []


def old_token(person: Visitor) -> None:
    """The ID token is about to end: the next request renews the session first."""
    person.page.evaluate("window.livelloNow = Date.now; Date.now = () => window.livelloNow() + 3_600_000")


@pytest.mark.parametrize("status", [None, 500, 429])
def test_a_log_in_that_is_down_ends_no_session(visit: Visit, status: int | None) -> None:
    person = visit(who="admin")
    person.refused |= {500}
    page = person.page
    person.open(f"{NORDLYS}/overview")
    person.heading("Nordlys Kaffe")
    old_token(person)
    page.route(
        "**/oauth2/token",
        lambda route: route.fulfill(status=status, body="") if status else route.abort("internetdisconnected"),
    )
    page.get_by_role("link", name="Users").click()

    alert = page.get_by_role("alert").first
    said = {None: "There was no answer.", 500: "Something has failed", 429: "Too much is asked"}
    expect(alert).to_contain_text(said[status])
    assert page.url.endswith("/users")
    page.unroute_all()
    alert.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("table")).to_contain_text("astrid@nordlys.example")
    person.faults = [each for each in person.faults if "oauth2/token" not in each]


def test_after_a_log_out_the_back_button_shows_nothing(visit: Visit) -> None:
    person = visit()
    page = person.page
    person.log_in(EMAILS["member"], PASSWORD, f"{NORDLYS}/overview")
    person.heading("Nordlys Kaffe")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/oauth2/**")

    page.go_back()
    page.wait_for_url("**/oauth2/**")
    assert "Nordlys" not in page.inner_text("body")


def test_a_page_that_the_browser_kept_from_before_the_log_out_is_loaded_again(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(f"{NORDLYS}/overview")
    person.heading("Nordlys Kaffe")
    page.evaluate("sessionStorage.clear()")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")

    page.wait_for_url("**/oauth2/**")


def test_a_refused_log_in_says_so_and_does_not_go_round(visit: Visit) -> None:
    person = visit(locale="it-IT")
    page = person.page
    page.goto(f"{person.stack.settings.address}/?error=access_denied&error_description=Utente+sospeso")

    person.heading("Non avete effettuato l'accesso")
    expect(page.get_by_text("Utente sospeso")).to_be_visible()
    person.accessible()
    person.fits()
    page.get_by_role("button", name="Accedi").click()
    page.wait_for_url("**/oauth2/**")


# ---- Language ----


def test_another_language_keeps_the_place_the_focus_and_what_was_typed(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(f"{NORDLYS}/billing/contact")
    page.get_by_label("Phone").fill("+45 71")
    page.get_by_label("Language", exact=True).focus()
    page.get_by_label("Language", exact=True).select_option("it")

    person.heading("Fatturazione")
    expect(page.get_by_label("Telefono")).to_have_value("+45 71")
    assert page.evaluate("document.activeElement?.getAttribute('aria-label')") == "Lingua"
    assert page.evaluate("document.documentElement.lang") == "it"
    expect(page).to_have_title(re.compile("^Contatto . Fatturazione . Nordlys Kaffe"))
    page.reload()
    person.heading("Fatturazione")
    page.get_by_role("button", name="Non modificare").click()


def test_a_browser_of_another_language_gets_that_of_the_account(visit: Visit) -> None:
    person = visit(who="italian", locale="de-DE")
    person.open("lucciola-libri/billing")

    person.heading("Fatturazione")
    expect(person.page.get_by_label("Lingua", exact=True)).to_have_value("it")


def test_products_are_named_in_the_language_of_the_page(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    person.open(f"{NORDLYS}/billing")
    table = person.page.get_by_role("table").first
    expect(table).to_contain_text("Ricerca")
    expect(table).to_contain_text(re.compile("fino a [0-9.]+ ricerche"))
    person.open(f"{NORDLYS}/overview")
    expect(person.page.get_by_text(re.compile("Ricerca: fino a"))).to_be_visible()
    expect(person.page.get_by_role("heading", name="Ricerca")).to_be_visible()


# ---- Search ----


@pytest.mark.parametrize(
    ("wanted", "screen"),
    [
        ("fatturazione", "Billing"),
        ("utenti", "Users"),
        ("fattura", "Billing"),
        ("current subscription", "Billing"),
        ("informazioni di fatturazione", "Billing"),
        ("dettagli di pagamento", "Billing"),
        ("iban", "Billing"),
        ("Come faccio a cancellare il mio account?", "Cancellation"),
        ("e-invoice", "Invoices"),
        ("fattura elettronica", "Invoices"),
    ],
)
def test_the_search_finds_screens_by_the_words_of_both_languages(visit: Visit, wanted: str, screen: str) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(f"{NORDLYS}/log")
    person.heading("Log")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type(wanted)
    expect(page.get_by_role("dialog").get_by_role("link").first).to_have_text(screen)
    page.keyboard.press("Enter")
    person.heading(screen)
    expect(page.locator("#content")).to_be_focused()


def test_the_search_closes_and_gives_the_focus_back(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    person.open(f"{NORDLYS}/overview")
    person.heading("Nordlys Kaffe")
    page.get_by_role("button", name="Cerca").focus()
    page.keyboard.press("/")
    page.keyboard.type("zzz")
    expect(page.get_by_text("Nessuna pagina ha questo nome.")).to_be_visible()
    person.accessible()
    person.fits()
    person.picture("search")
    page.keyboard.press("Escape")
    if page.get_by_role("dialog").count():  # the first one may empty the field
        page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Cerca")).to_be_focused()


# ---- Banners ----


def card(month: int, year: int) -> dict[str, Any]:
    return {"brand": "visa", "last_four": "4242", "expiry_month": month, "expiry_year": year}


def everything(page: Any) -> None:
    """Everything at once that a banner says."""
    page["invoices"] = [listed(3, "past_due", 230313), listed(2, "past_due", 1)]
    page["status"] = "cancelling"
    page["ends"] = {"active_until": "2027-01-15", "purge_on": "2027-02-14"}
    page["payment_details"] |= {"method": "card", "card": card(1, 2020)}
    page["subscription"]["lines"][0]["pending_change"] = {
        "effective_on": "2027-01-15",
        "up_to": 100000,
        "price_per_month": {"amount": 200000, "currency": "DKK"},
    }
    page["appointment"] = {
        "appointment": "a",
        "status": "open",
        "email": "x@nordlys.example",
        "name": HOSTILE[0],
        "reason": "The only admin has left.",
        "announced_at": "2026-11-20T12:00:00Z",
        "effective_at": "2026-11-27T23:30:00Z",
        "ended_at": None,
        "cause": None,
    }


def test_banners_say_what_is_owed_what_ends_and_what_comes(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    Answers(page).changed(f"accounts/{NORDLYS}/billing", everything)
    person.open(f"{NORDLYS}/users")
    person.heading("Users")

    for words in (
        "2 invoices are past due.",
        "The subscription is cancelled. It is active until 15 Jan 2027.",
        "Your card has expired.",
        "Search moves to another tier on 15 Jan 2027: DKK 2,000.00 per month.",
        # In the account's time zone it is the next day already.
        f"{HOSTILE[0]} becomes an admin on 28 Nov 2026, unless an admin objects.",
    ):
        expect(page.get_by_text(words)).to_be_visible()
    person.accessible()
    person.fits()
    person.picture("banners")
    page.get_by_role("link", name="See what is owed").click()
    person.heading("Invoices")
    # What is owed, and nothing else.
    expect(page.get_by_label("Status")).to_have_value("past_due")


def test_banners_in_italian_and_for_who_only_reads(visit: Visit) -> None:
    person = visit(who="member", locale="it-IT")
    page = person.page

    def change(body: Any) -> None:
        everything(body)
        body["payment_details"]["card"] = card(12, 2026)

    Answers(page).changed(f"accounts/{NORDLYS}/billing", change)
    page.clock.set_fixed_time("2026-11-28T12:00:00Z")
    person.open(f"{NORDLYS}/overview")

    expect(page.get_by_text("2 fatture sono scadute.")).to_be_visible()
    expect(page.get_by_text("La vostra carta scade alla fine di dicembre 2026.")).to_be_visible()
    expect(page.get_by_role("link", name="Annullate la cancellazione")).to_have_count(0)
    expect(page.get_by_role("link", name="Usate un'altra carta")).to_have_count(0)


def test_one_invoice_past_due_is_one_click_away(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    Answers(page).changed(
        f"accounts/{NORDLYS}/billing", lambda body: body.update(invoices=[listed(3, "past_due", 230313)])
    )
    person.open(f"{NORDLYS}/overview")

    link = page.get_by_role("link", name="See what is owed")
    expect(link).to_have_attribute("href", f"#/{NORDLYS}/invoices/LV-2026-000003")


def test_a_deactivated_account_says_until_when_it_can_come_back(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    Answers(page).changed(
        f"accounts/{NORDLYS}/billing",
        lambda body: body.update(status="deactivated", ends={"active_until": "2026-11-15", "purge_on": "2026-12-15"}),
    )
    person.open(f"{NORDLYS}/billing")

    expect(page.get_by_text("L'account è disattivato. Tutto sarà eliminato il 15 dic 2026.")).to_be_visible()
    expect(page.get_by_role("link", name="Riattivatelo")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^Modifica"))).to_have_count(0)
    person.accessible()
    person.open(f"{NORDLYS}/billing/company")
    person.heading("Fatturazione")
    expect(page.get_by_role("textbox")).to_have_count(0)


# ---- Narrow, large, small ----


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_as_text_and_fits(visit: Visit, name: str) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)
    api.changed("accounts", lambda body: body["items"][0].update(name=name))

    def change(body: Any) -> None:
        body["name"] = name
        body["billing_information"]["company"]["name"] = name
        body["billing_information"]["contact"]["name"] = name
        body["subscription"]["lines"][0]["name"] = name[:60]
        body["subscription"]["lines"][0]["translations"] = {}

    api.changed(f"accounts/{NORDLYS}/billing", change)
    person.open(f"{NORDLYS}/overview")
    person.heading(name)
    person.fits()
    person.picture(f"overview-hostile-{HOSTILE.index(name)}")
    page.get_by_role("link", name="Billing", exact=True).click()
    expect(page.get_by_text(name, exact=True).first).to_be_visible()
    person.fits()
    person.accessible()
    person.picture(f"billing-hostile-{HOSTILE.index(name)}")
    assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0


def test_the_menu_opens_and_closes_on_a_narrow_screen_with_large_text(visit: Visit) -> None:
    person = visit(who="italian", locale="it-IT")
    page = person.page
    page.set_viewport_size({"width": 320, "height": 700})
    person.open("lucciola-libri/billing")
    person.heading("Fatturazione")
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.wait_for_timeout(100)
    wide = page.evaluate("document.documentElement.scrollWidth")
    person.picture("billing-320-200")
    assert wide <= 320
    button = page.get_by_role("button", name="Menu")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    page.get_by_role("link", name="Utenti").click()
    person.heading("Utenti")
    expect(button).to_have_attribute("aria-expanded", "false")
    page.evaluate("document.documentElement.style.fontSize = ''")
