"""The screens beside billing as people of each role see them, and what happens when the API gives no answer."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.harness import Visitor
from tests.browser.judging import sound
from tests.browser.people import REQUEST, Answers

Visit = Callable[..., Visitor]

SCREENS = {
    "usage": ("Usage", "Utilizzo", "usage", "Search"),
    "reduction": ("Use less", "Ridurre l'utilizzo", "usage/reduction", "Search"),
    "decisions": ("Tier decisions", "Decisioni sulle fasce", "autoscaling", "Next decision"),
    "reviews": ("Reviews", "Revisioni", "reviews", "Your reviews"),
    "users": ("Users", "Utenti", "users", "mikkel@nordlys.example"),
    "cancellation": ("Cancellation", "Cancellazione", "cancellation", "Your notice ends"),
    "export": ("Export", "Esportazione", "export", "No export has been asked for."),
    "log": ("Log", "Registro", "events", "Account set up"),
}
"""By the name in the address: both titles, what the screen asks the API for, and words that it then shows."""


@pytest.mark.parametrize("screen", SCREENS)
def test_problems_are_said_in_words_and_tried_again(visit: Visit, screen: str) -> None:
    title, _, asked, words = SCREENS[screen]
    person = visit(who="admin")
    person.refused.add(500)
    page, path = person.page, f"accounts/nordlys-kaffe/{asked}"
    main = page.get_by_role("main")

    # Nothing is answered.
    page.route(re.compile(rf"/v1/{path}(\?.*)?$"), lambda _: None)
    person.open(f"nordlys-kaffe/{screen}")
    person.heading(title)
    expect(main.get_by_role("status").filter(has_text="Loading…").first).to_be_visible()
    page.unroute_all()
    for status, code, said in (
        (500, "internal", "Something has failed on our side."),
        (503, "busy", "Too much is asked at the moment."),
        (404, "account-not-found", "There is no such account, or you have no access to it."),
    ):
        Answers(page).problem(path, status, code)
        page.reload()
        alert = main.get_by_role("alert").first
        expect(alert).to_contain_text(said)
        expect(alert).to_contain_text(REQUEST)
        page.unroute_all()
    person.accessible()
    Answers(page).offline(path)
    main.get_by_role("button", name="Try again").first.click()
    expect(main.get_by_role("alert").first).to_contain_text("There was no answer.")
    page.unroute_all()
    main.get_by_role("button", name="Try again").first.click()
    expect(main.get_by_text(words).first).to_be_visible()
    expect(main.get_by_role("alert")).to_have_count(0)
    person.faults.clear()


@pytest.mark.parametrize("screen", SCREENS)
def test_the_menu_leads_by_keyboard_with_title_and_focus_in_italian(visit: Visit, screen: str) -> None:
    _, title, *_ = SCREENS[screen]
    person = visit(who="italian", locale="it-IT")
    page = person.page
    page.emulate_media(reduced_motion="reduce")
    person.open("lucciola-libri/overview")
    person.heading("Lucciola Libri")
    page.keyboard.press("/")
    page.get_by_role("searchbox").fill(title)
    page.keyboard.press("Enter")

    person.heading(title)
    expect(page).to_have_title(re.compile(f"^{title} \N{EN DASH} Lucciola Libri"))
    expect(page.get_by_role("main").get_by_role("status").filter(has_text="Caricamento")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.activeElement.id") == "content"
    for figures in page.locator("details").all()[:2]:
        figures.evaluate("(each) => each.open = true")
    sound(person, screen, "it")


MEMBERS = {
    "reduction": "Only an admin can try this.",
    "users": "Only an admin can change this.",
    "reviews": "Only an admin can change this.",
    "cancellation": "Only an admin of your company can cancel.",
    "export": "Only an admin can change this.",
    "log": "Only an admin of your account can do this.",
}


@pytest.mark.parametrize("screen", MEMBERS)
def test_members_change_nothing_and_are_told_who_can(visit: Visit, screen: str) -> None:
    person = visit(who="member")
    person.open(f"nordlys-kaffe/{screen}")
    main = person.page.get_by_role("main")

    expect(main.get_by_text(MEMBERS[screen]).first).to_be_visible()
    expect(main.get_by_role("link", name="astrid@nordlys.example").first).to_be_visible()
    words = "Book this time|Send the invitation|I understand|Ask for|Remove|Make "
    expect(main.get_by_role("button", name=re.compile(words))).to_have_count(0)
    enabled = main.get_by_role("button", name="What would be decided", disabled=False)
    expect(enabled).to_have_count(0)
    sound(person, f"{screen}-member")


STAFF = {
    "cancellation": "Only an admin of the customer can cancel.",
    "export": "Only an admin of the customer can export the account.",
    "users": "mikkel@nordlys.example",
    "reviews": "Your reviews",
    "log": "Account set up",
}


@pytest.mark.parametrize("screen", STAFF)
def test_staff_see_the_screens_of_the_customer_and_why_they_cannot_act(visit: Visit, screen: str) -> None:
    person = visit(who="staff")
    person.open(f"nordlys-kaffe/{screen}")
    main = person.page.get_by_role("main")

    expect(main.get_by_text("You see this as the customer does")).to_be_visible()
    expect(main.get_by_text(STAFF[screen]).first).to_be_visible()
    words = "Book this time|Send the invitation|I understand|Ask for|Remove|Make "
    expect(main.get_by_role("button", name=re.compile(words))).to_have_count(0)
    sound(person, f"{screen}-staff")
