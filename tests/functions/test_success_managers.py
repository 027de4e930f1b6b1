"""Customer success managers: saved by staff in versions, assigned to accounts, and shown to their people."""

from __future__ import annotations

from typing import Any

import pytest
from billing.correspondence.event_kinds import published
from billing.platform.dynamodb import keys
from billing.platform.events import mapping as event_mapping

from functions.administer_success_managers.app import handler as administer_success_managers
from tests.api_gateway import STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.company import Company
from tests.functions.reviews import MANAGER, SOFIE, assign, make_reviewable, put_manager
from tests.samples import with_value, without
from tests.stores import Stores

ONE = "/success-managers/{success_manager}"


def get(manager: str = MANAGER) -> Answer:
    event = request("GET", ONE, claims=STAFF, path={"success_manager": manager})
    return answer(administer_success_managers, event)


def listed(**query: str) -> Answer:
    return answer(administer_success_managers, request("GET", "/success-managers", claims=STAFF, query=query or None))


def contact(company: Company) -> Answer:
    event = request("GET", "/accounts/{account}/success-manager", claims=company.member, path=company.path)
    return answer(administer_success_managers, event)


def manager_events() -> list[Any]:
    """The published events about success managers."""
    return [
        published(event_mapping.event_from(item["body"]))
        for item in stored_items()
        if item["pk"] == keys.MANAGERS and str(item["sk"]).startswith(keys.EVENT)
    ]


def test_a_success_manager_is_added_and_changed(store: Stores) -> None:
    added = put_manager()
    assert (added.status, added.headers["ETag"]) == (200, '"1"')
    assert added.body == {
        **SOFIE,
        "success_manager": MANAGER,
        "working_hours": {**SOFIE["working_hours"], "friday": [], "saturday": [], "sunday": []},
    }

    away = {**SOFIE, "absences": [{"from": "2026-07-01", "until": "2026-08-01"}]}
    changed = put_manager(away, replaces=1)

    assert (changed.status, changed.headers["ETag"]) == (200, '"2"')
    assert get().body == changed.body
    assert sorted((each.after.version, each.before is None) for each in manager_events()) == [(1, True), (2, False)]


def test_a_repeated_request_changes_nothing(store: Stores) -> None:
    put_manager()
    before = stored_items()

    assert put_manager().headers["ETag"] == '"1"'
    assert put_manager(replaces=7).status == 200
    assert stored_items() == before


def test_a_change_must_name_the_current_version(store: Stores) -> None:
    put_manager()
    before = stored_items()
    other = {**SOFIE, "place": None}

    assert put_manager(other).status == 412, "there is one already"
    assert put_manager(other, replaces=2).status == 412
    event = request("PUT", ONE, claims=STAFF, path={"success_manager": MANAGER}, body=other)
    assert answer(administer_success_managers, event).status == 428
    assert stored_items() == before


def test_success_managers_are_listed_in_pages(store: Stores) -> None:
    for name in ("cy", "ada", "bo"):
        put_manager(manager=f"{name}-lind")

    first = listed(limit="2").body
    second = listed(limit="2", cursor=first["next_cursor"]).body

    assert [each["success_manager"] for each in first["items"] + second["items"]] == ["ada-lind", "bo-lind", "cy-lind"]
    assert second["next_cursor"] is None
    assert listed(cursor="nonsense").status == 422


def test_an_unknown_success_manager_is_not_found(store: Stores) -> None:
    assert get("nobody").status == 404


HOURS = ("working_hours", "monday")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (without(SOFIE, "name"), "#/name"),
        ({**SOFIE, "colour": "blue"}, "#/colour"),
        ({**SOFIE, "email": "sofie"}, "#/email"),
        ({**SOFIE, "name": "https://evil.example"}, "#/name"),
        ({**SOFIE, "time_zone": "Europe/Copenhagn"}, "#/time_zone"),
        ({**SOFIE, "review_minutes": 20}, "#/review_minutes"),
        ({**SOFIE, "review_minutes": 0}, "#/review_minutes"),
        ({**SOFIE, "review_minutes": 135}, "#/review_minutes"),
        ({**SOFIE, "review_minutes": "30"}, "#/review_minutes"),
        ({**SOFIE, "review_minutes": True}, "#/review_minutes"),
        ({**SOFIE, "place": "a\u0000b"}, "#/place"),
        (with_value(SOFIE, "9:00", *HOURS, 0, "from"), "#/working_hours/monday/0/from"),
        (with_value(SOFIE, "09:10", *HOURS, 0, "from"), "#/working_hours/monday/0/from"),
        (with_value(SOFIE, "0\uff19:15", *HOURS, 0, "from"), "#/working_hours/monday/0/from"),
        (with_value(SOFIE, "24:00", *HOURS, 1, "until"), "#/working_hours/monday/1/until"),
        (with_value(SOFIE, 540, *HOURS, 0, "from"), "#/working_hours/monday/0/from"),
        (with_value(SOFIE, "09:00", *HOURS, 0, "until"), "#/working_hours/monday/0"),
        (with_value(SOFIE, "11:45", *HOURS, 1, "from"), "#/working_hours/monday"),
        (with_value(SOFIE, [SOFIE["working_hours"]["monday"][0]] * 9, *HOURS), "#/working_hours/monday"),
        (with_value(SOFIE, [], "working_hours", "funday"), "#/working_hours/funday"),
        ({**SOFIE, "absences": [{"from": "2026-07-01", "until": "2026-07-01"}]}, "#/absences/0"),
        ({**SOFIE, "absences": [{"from": "2026-07-01"}]}, "#/absences/0/until"),
        ({**SOFIE, "absences": [{"from": 0, "until": "2026-07-01"}]}, "#/absences/0/from"),
    ],
)
def test_an_invalid_success_manager_is_refused(body: Any, pointer: str, store: Stores) -> None:
    given = put_manager(body)

    assert given.status == 422, given
    assert [error["pointer"] for error in given.body["errors"]] == [pointer]
    assert stored_items() == []


@pytest.mark.parametrize("name", ["Sofie", "s", "sofie--lind", "x" * 41, "sofie_lind"])
def test_an_invalid_id_is_refused(name: str, store: Stores) -> None:
    given = put_manager(manager=name)

    assert given.status == 422
    assert [(error["parameter"], error["in"]) for error in given.body["errors"]] == [("success_manager", "path")]


# ---- Assignments ----


def test_the_people_of_an_account_see_their_success_manager(company: Company, store: Stores) -> None:
    assert contact(company).status == 404
    put_manager()

    assert assign(company.account).status == 200

    assert contact(company).body == {"name": "Sofie Lindgren", "email": "sofie.staff@livello.example"}
    [event] = [each for each in store.events(company.account, limit=9, after=None).items if "assigned" in each.type]
    assigned: Any = published(event)
    assert (assigned.before, assigned.after.success_manager) == (None, MANAGER)


def test_a_repeated_assignment_changes_nothing(company: Company) -> None:
    put_manager()
    assign(company.account)
    before = stored_items()

    assert assign(company.account).status == 200
    assert stored_items() == before


def test_booked_reviews_stay_with_their_manager_after_a_new_assignment(company: Company, store: Stores) -> None:
    client = make_reviewable(company)
    review = client.booked()
    put_manager({**SOFIE, "name": "Bo Lund", "email": "bo.staff@livello.example"}, "bo-lund")

    assert assign(company.account, "bo-lund").body["name"] == "Bo Lund"

    assert contact(company).body["name"] == "Bo Lund"
    assert client.one(review).body["manager"]["name"] == "Sofie Lindgren"
    assert client.cancel(review).status == 204


def test_an_unknown_success_manager_cannot_be_assigned(company: Company) -> None:
    before = stored_items()

    given = assign(company.account, "nobody")

    assert given.status == 422
    assert [error["pointer"] for error in given.body["errors"]] == ["#/success_manager"]
    assert stored_items() == before
