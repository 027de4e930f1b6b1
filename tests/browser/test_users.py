"""The people of an account: invitations, roles, the last admin, removal, and an admin whom staff announce."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.harness import Visitor
from tests.browser.judging import sound
from tests.browser.people import HOSTILE, REQUEST, Answers

Visit = Callable[..., Visitor]

ACCOUNT = "accounts/nordlys-kaffe"
USERS = f"{ACCOUNT}/users"
PLACE = "nordlys-kaffe/users"


def user(place: int, name: str, role: str = "member", status: str = "active") -> dict[str, Any]:
    return {
        "user": f"user-{place}",
        "email": f"{'x' * 60}-{place}@example.com",
        "name": name,
        "role": role,
        "invited_at": "2026-11-01T08:00:00Z",
        "invited_by": None,
        "logged_in_at": "2026-11-02T08:00:00Z" if status == "active" else None,
        "status": status,
    }


def row(page: Page, words: str) -> Locator:
    return page.get_by_role("row").filter(has_text=words)


def test_somebody_is_invited_invited_again_promoted_and_removed_by_keyboard(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    email = f"ada-{uuid.uuid4().hex[:6]}@nordlys.example"
    person.open(PLACE)
    expect(row(page, "Astrid Holm")).to_contain_text("The last admin")
    page.get_by_role("textbox", name="Name").fill("Ada Ek")
    page.get_by_role("textbox", name="E-mail address").fill("ada at nordlys")
    page.get_by_role("button", name="Send the invitation", exact=True).click()
    expect(page.get_by_role("textbox", name="E-mail address")).to_be_focused()
    expect(page.get_by_text("This is no e-mail address.")).to_be_visible()
    page.get_by_role("textbox", name="E-mail address").fill(email)
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"{email} gets a mail.")).to_be_visible()
    ada = row(page, email)
    expect(ada).to_contain_text("Invited on")

    ada.get_by_role("button", name="Send the invitation again: Ada Ek").press("Enter")
    expect(page.get_by_text(f"The invitation is sent to {email} again.")).to_be_focused()
    ada.get_by_role("button", name="Make an admin: Ada Ek").press("Enter")
    expect(page.get_by_text("Ada Ek is an admin now.")).to_be_visible()
    # There are two now: nobody is the last.
    expect(page.get_by_text("The last admin")).to_have_count(0)
    ada.get_by_role("button", name="Make a member: Ada Ek").press("Enter")
    expect(ada).to_contain_text("Member")
    remove = ada.get_by_role("button", name="Remove: Ada Ek")
    remove.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Remove Ada Ek?")
    person.accessible()
    person.picture("users-remove")
    page.keyboard.press("Escape")
    expect(remove).to_be_focused()
    remove.press("Enter")
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Remove", exact=True).press("Enter")
    expect(page.get_by_text("Ada Ek has no access any more.")).to_be_focused()
    expect(ada).to_have_count(0)
    person.accessible()


def test_an_invitation_changes_no_role_of_somebody_who_is_there(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    sent: list[Any] = []
    page.on("request", lambda request: sent.append(request.method))
    person.open(PLACE)
    page.get_by_role("textbox", name="Nome").fill("Mikkel")
    page.get_by_role("textbox", name="Indirizzo e-mail").fill("Mikkel@Nordlys.example ")
    page.get_by_label("Ruolo").select_option("admin")
    page.get_by_role("button", name="Inviate l'invito", exact=True).click()

    expect(page.get_by_text("Mikkel Bruun ha già accesso.")).to_be_visible()
    expect(row(page, "mikkel@nordlys.example")).to_contain_text("Membro")
    assert "PUT" not in sent


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (409, "too-many-invitations", "Per oggi non si possono inviare altri inviti."),
        (429, "limit-reached", "Troppe richieste in questo momento."),
        (409, "concurrent-change", "Ora non è possibile."),
    ],
)
def test_a_refused_invitation_keeps_what_was_typed(visit: Visit, status: int, code: str, said: str) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    Answers(page).problem(USERS, status, code, "PUT")
    person.open(PLACE)
    page.get_by_role("textbox", name="Nome").fill(HOSTILE[0])
    page.get_by_role("textbox", name="Indirizzo e-mail").fill("ada@nordlys.example")
    page.get_by_role("button", name="Inviate l'invito", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page.get_by_role("alert")).to_contain_text(REQUEST)
    expect(page.get_by_role("textbox", name="Nome")).to_have_value(HOSTILE[0])
    person.accessible()


def test_names_of_any_kind_and_two_hundred_people(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    people = [user(place, name, "admin") for place, name in enumerate(HOSTILE)]
    people += [user(place, f"Person {place}", status="invited") for place in range(3, 200)]
    Answers(page).fixed(USERS, {"items": people})
    person.open(PLACE)

    expect(page.get_by_role("row")).to_have_count(201)
    expect(page.get_by_role("cell", name=HOSTILE[0], exact=True)).to_be_visible()
    sound(person, "users-hostile")
    page.get_by_role("button", name=re.compile("^Remove: <img")).click()
    expect(page.get_by_role("dialog")).to_contain_text(f"Remove {HOSTILE[0]}?")
    person.fits()


def test_an_admin_who_gives_up_the_role_or_leaves_is_asked_and_sees_the_page_anew(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)
    role = {"of": "admin"}
    mine: list[str] = []

    def changed(found: Any) -> None:
        for each in found["items"]:
            each["role"] = role["of"] if each["email"].startswith("astrid") else "admin"
            if each["email"].startswith("astrid"):
                mine.append(each["user"])

    api.changed(USERS + r"(\?role=admin)?", changed)
    api.changed("accounts", lambda found: {**found, "items": [{**each, "role": role["of"]} for each in found["items"]]})
    api.fixed(USERS, lambda _: role.update({"of": "member"}) or {}, method="PUT")
    person.open(PLACE)
    page.get_by_role("button", name="Make a member: Astrid Holm").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Only another admin can make you an admin again.")
    person.accessible()
    dialog.get_by_role("button", name="Make a member").click()
    # A member now: no buttons, but the admins.
    expect(page.get_by_text("Only an admin can change this. Your admins:")).to_be_visible()
    expect(page.get_by_role("heading", name="Invite somebody")).to_have_count(0)

    role["of"] = "admin"
    page.reload()
    expect(page.get_by_role("button", name="Remove: Astrid Holm")).to_be_visible()
    api.fixed(f"{USERS}/{mine[0]}", status=204, method="DELETE")
    api.fixed("accounts", lambda _: {"items": [], "next_cursor": None})
    page.get_by_role("button", name="Remove: Astrid Holm").click()
    expect(dialog).to_contain_text("You lose your own access at once.")
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("You have no access to an account yet.")).to_be_visible()
    assert page.url.endswith("#/")


@pytest.mark.parametrize("code", ["last-admin", "named-in-billing-information"])
def test_a_refused_removal_says_what_to_do_first(visit: Visit, code: str) -> None:
    person = visit(who="admin")
    page = person.page
    Answers(page).problem(f"{USERS}/[^/]+", 409, code, "DELETE")
    person.open(PLACE)
    page.get_by_role("button", name="Remove: Mikkel Bruun").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()

    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("first")
    person.accessible()


def announced(page: Any) -> None:
    page["appointment"] = {
        "appointment": "a1",
        "status": "open",
        "email": "new@nordlys.example",
        "name": HOSTILE[1],
        "reason": "The only admin has left the company.",
        "announced_at": "2026-11-20T08:00:00Z",
        "effective_at": "2026-12-04T08:00:00Z",
        "ended_at": None,
        "cause": None,
    }


def test_an_admin_objects_to_one_whom_staff_announce(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)
    objection = f"{ACCOUNT}/appointment/objection"
    api.changed(f"{ACCOUNT}/billing", announced)
    api.problem(objection, 409, "appointment-ended", "POST")
    person.open("nordlys-kaffe/overview")
    page.get_by_role("link", name="See the users").click()
    note = page.get_by_role("region", name="An admin is announced by our staff")
    expect(note).to_contain_text("Reason: The only admin has left the company.")
    sound(person, "users-announced")
    note.get_by_role("button", name="I object").click()
    expect(note.get_by_role("alert")).to_contain_text("The announcement has ended meanwhile.")
    page.unroute_all()
    api.fixed(objection, {}, method="POST")
    note.get_by_role("button", name="I object").press("Enter")
    expect(page.get_by_text("You have objected:")).to_be_focused()
    expect(note).to_have_count(0)
