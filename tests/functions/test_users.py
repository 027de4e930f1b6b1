"""Users of an account: invitations, changes and removals. An account keeps at least one admin (DESIGN 3.4.4)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from billing import wiring
from billing.accounts.cognito_directory import CognitoDirectory
from billing.accounts.directory import InvalidAddress, LogIn
from billing.accounts.records import AccountStore
from billing.accounts.rules import INVITED_AGAIN_AFTER, USERS_MAX, User
from billing.kernel.errors import ConcurrentChange
from billing.kernel.permissions import Role
from botocore.exceptions import ClientError

from functions.administer_users.app import handler as administer_users
from functions.get_billing.app import handler as get_billing
from functions.get_events.app import handler as get_events
from functions.get_invoices.app import handler as get_invoices
from functions.get_usage.app import handler as get_usage
from functions.list_accounts.app import handler as list_accounts
from tests.api_gateway import NOW, STAFF, Answer, Handler, answer, person, request
from tests.aws import UserPool, put_item, stored_items
from tests.company import Company, provisioned
from tests.samples import ACCOUNT, with_value
from tests.store.samples import sample_event
from tests.stores import Stores

USERS = "/accounts/{account}/users"
ADA = {"email": "ada@nordlys.example", "name": "Ada Holm"}
BO = {"email": "bo@nordlys.example", "name": "Bo Lind"}
NEW_FIELDS = {"invitation"}
"""What a user of an earlier release lacks."""


def put(company: Company, body: dict[str, Any], *, claims: dict[str, str] | None = None, now: datetime = NOW) -> Answer:
    asked = request("PUT", USERS, claims=claims or company.admin, path=company.path, body=body, now=now)
    return answer(administer_users, asked)


def remove(company: Company, user: str, *, claims: dict[str, str] | None = None) -> Answer:
    path = {**company.path, "user": user}
    return answer(administer_users, request("DELETE", USERS + "/{user}", claims=claims or company.admin, path=path))


def listed(company: Company, query: dict[str, str] | None = None) -> list[tuple[str, str]]:
    given = answer(administer_users, request("GET", USERS, claims=company.admin, path=company.path, query=query))
    return sorted((user["email"], user["role"]) for user in given.body["items"])


def person_number(number: int, role: str = "member") -> dict[str, Any]:
    return {"email": f"user-{number}@nordlys.example", "name": f"User {number}", "role": role}


def users(company: Company, *, claims: dict[str, str] | None = None, now: datetime = NOW) -> dict[str, Any]:
    """The users of the account by name, as the API shows them."""
    asked = request("GET", USERS, claims=claims or company.admin, path=company.path, now=now)
    return {each["name"]: each for each in answer(administer_users, asked).body["items"]}


def user_events(company: Company) -> list[str]:
    """The types of the account's events about users, oldest first."""
    events = [json.loads(str(each["body"])) for each in stored_items() if str(each["sk"]).startswith("EVENT#")]
    return [each["type"] for each in events if each["type"].startswith("user.")]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """An account sends three invitations a day. The company of the tests has sent one already: Bo's."""
    monkeypatch.setenv("INVITATIONS_PER_DAY", "3")
    wiring.forget()
    return 3


def test_users_are_listed_by_role(company: Company) -> None:
    assert listed(company) == [(ADA["email"], "admin"), (BO["email"], "member")]
    assert listed(company, {"role": "admin"}) == [(ADA["email"], "admin")]
    assert listed(company, {"role": "member"}) == [(BO["email"], "member")]


def test_an_invited_user_can_log_in_and_sees_the_account(company: Company, user_pool: UserPool) -> None:
    invited = put(company, {"email": "Dina@Nordlys.example", "name": "Dina", "role": "member"})

    assert invited.status == 200
    assert invited.body["email"] == "dina@nordlys.example"
    assert "dina@nordlys.example" in user_pool.emails()
    accounts = answer(list_accounts, request("GET", "/accounts", claims=person(invited.body["user"]))).body
    assert accounts["items"] == [{"account": "nordlys-kaffe", "name": "Nordlys Kaffe", "role": "member"}]


def logged_in(user: str) -> datetime | None:
    return wiring.account_store().account(ACCOUNT["account"]).logged_in.get(user)


def look(user: str, *, at: datetime = NOW, role: str = "member") -> Answer:
    path = {"account": ACCOUNT["account"]}
    return answer(administer_users, request("GET", USERS, claims=person(user), path=path, query={"role": role}, now=at))


def test_the_first_request_of_a_person_about_an_account_is_noted_once(company: Company) -> None:
    dina = put(company, {"email": "dina@nordlys.example", "name": "Dina", "role": "member"}).body["user"]
    version = wiring.account_store().account(company.account).version
    assert logged_in(dina) is None

    for minutes in (1, 2):
        assert look(dina, at=NOW + timedelta(minutes=minutes)).status == 200

    assert logged_in(dina) == NOW + timedelta(minutes=1)
    assert wiring.account_store().account(company.account).version == version, "no change of others is stale"
    assert not wiring.account_store().note_log_in(company.account, dina, NOW, is_admin=False)
    put(company, {"email": "dina@nordlys.example", "name": "Dina", "role": "admin"})
    assert logged_in(dina) == NOW + timedelta(minutes=1), "an event of the account leaves it"


def test_a_refused_request_of_a_member_is_one_too(company: Company) -> None:
    dina = put(company, {"email": "dina@nordlys.example", "name": "Dina", "role": "member"}).body["user"]

    assert remove(company, "nobody", claims=person(dina)).status == 403

    assert logged_in(dina) == NOW


def test_staff_and_strangers_leave_no_mark(company: Company) -> None:
    before = stored_items()

    assert look("stranger").status == 404
    assert answer(administer_users, request("GET", USERS, claims=STAFF, path=company.path)).status == 200

    assert stored_items() == before


def test_who_was_removed_and_comes_again_has_not_logged_in(company: Company) -> None:
    member = str(company.member["sub"])
    assert logged_in(member) is not None

    remove(company, member)

    assert logged_in(member) is None
    put(company, {**BO, "role": "member"})
    assert logged_in(member) is None
    assert look(member).status == 200
    assert logged_in(member) == NOW


@pytest.mark.parametrize(
    ("handler", "route"),
    [
        (get_billing, "/accounts/{account}/billing"),
        (get_events, "/accounts/{account}/events"),
        (get_invoices, "/accounts/{account}/invoices"),
        (get_usage, "/accounts/{account}/usage"),
    ],
)
def test_the_first_request_may_be_one_that_only_reads(handler: Handler, route: str, company: Company) -> None:
    dina = put(company, {"email": "dina@nordlys.example", "name": "Dina", "role": "admin"}).body["user"]

    assert answer(handler, request("GET", route, claims=person(dina), path=company.path)).status == 200

    assert logged_in(dina) == NOW


def test_a_mark_that_collides_is_set_by_the_next_request(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    dina = put(company, {"email": "dina@nordlys.example", "name": "Dina", "role": "member"}).body["user"]
    with monkeypatch.context() as collision:

        def collide(*_: object, **__: object) -> bool:
            raise ConcurrentChange

        collision.setattr(AccountStore, "note_log_in", collide)
        assert look(dina).status == 200
    assert logged_in(dina) is None

    assert look(dina).status == 200

    assert logged_in(dina) == NOW


def test_a_first_request_of_a_deleted_account_writes_nothing(store: Stores) -> None:
    assert not store.note_log_in("gone", "user-1", NOW, is_admin=True)
    assert stored_items() == []


def test_a_repeated_invitation_adds_one_user(company: Company) -> None:
    erik = {"email": "erik@nordlys.example", "name": "Erik", "role": "member"}
    first = put(company, erik)
    before = stored_items()

    again = put(company, erik)

    assert again.body == first.body
    assert stored_items() == before


def test_an_unverified_address_gets_no_access(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise an attacker could change their own address to that of a future admin of another company."""
    before = stored_items()
    mallory = LogIn("mallory", staff=False, verified=False)
    monkeypatch.setattr(CognitoDirectory, "log_in", lambda *_: mallory)

    given = put(company, {"email": "cfo@victim.example", "name": "CFO", "role": "admin"})

    assert given.status == 422
    assert given.body["errors"][0]["pointer"] == "#/email"
    assert stored_items() == before


def test_an_address_that_the_directory_refuses_is_invalid(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> LogIn:
        raise InvalidAddress

    monkeypatch.setattr(CognitoDirectory, "log_in", refuse)

    given = put(company, {"email": "odd@victim.example", "name": "Odd", "role": "admin"})

    assert given.status == 422
    assert given.body["errors"][0]["pointer"] == "#/email"


def test_a_user_of_two_companies_has_one_log_in(company: Company, user_pool: UserPool) -> None:
    assert provisioned(with_value(ACCOUNT, "other-shop", "account")).status == 201
    before = user_pool.emails()

    invited = put(Company("other-shop", company.admin, company.member), {**BO, "role": "admin"})

    assert invited.body["user"] == company.member["sub"]
    assert user_pool.emails() == before
    accounts = answer(list_accounts, request("GET", "/accounts", claims=company.member)).body["items"]
    assert [(each["account"], each["role"]) for each in accounts] == [
        ("nordlys-kaffe", "member"),
        ("other-shop", "admin"),
    ]


def test_a_role_takes_effect_with_the_next_request(company: Company) -> None:
    newcomer = {"email": "frida@nordlys.example", "name": "Frida", "role": "member"}
    assert put(company, newcomer, claims=company.member).status == 403

    assert put(company, {**BO, "role": "admin"}).status == 200
    assert put(company, newcomer, claims=company.member).status == 200

    assert put(company, {**BO, "role": "member"}).status == 200
    assert put(company, newcomer, claims=company.member).status == 403


def test_a_removed_user_no_longer_sees_the_account(company: Company) -> None:
    assert remove(company, company.member["sub"]).status == 204

    assert listed(company) == [(ADA["email"], "admin")]
    asked = request("GET", USERS, claims=company.member, path=company.path)
    assert answer(administer_users, asked).status == 404
    assert answer(list_accounts, request("GET", "/accounts", claims=company.member)).body["items"] == []


def test_a_second_removal_is_not_found(company: Company) -> None:
    assert remove(company, company.member["sub"]).status == 204
    assert remove(company, company.member["sub"]).status == 404


@pytest.mark.parametrize("leave", ["step down", "be removed"])
def test_the_last_admin_cannot_leave(company: Company, leave: str) -> None:
    before = stored_items()

    refused = put(company, {**ADA, "role": "member"}) if leave == "step down" else remove(company, company.admin["sub"])

    assert refused.status == 409
    assert refused.body["type"] == "urn:livello:problem:last-admin"
    assert stored_items() == before


@pytest.mark.parametrize("leave", ["step down", "be removed"])
def test_an_admin_can_leave_if_there_is_another(company: Company, leave: str) -> None:
    assert put(company, {**BO, "role": "admin"}).status == 200

    if leave == "step down":
        assert put(company, {**ADA, "role": "member"}).status == 200
    else:
        assert remove(company, company.admin["sub"]).status == 204


def test_staff_cannot_be_invited(company: Company, user_pool: UserPool) -> None:
    user_pool.add_staff("success@vendor.example")
    before = stored_items()

    given = put(company, {"email": "success@vendor.example", "name": "Sam", "role": "admin"})

    assert given.status == 422
    assert given.body["errors"][0]["pointer"] == "#/email"
    assert stored_items() == before


def test_a_full_account_refuses_another_user(company: Company, store: Stores, user_pool: UserPool) -> None:
    account = store.account(company.account)
    crowd = {f"user-{number}": Role.MEMBER for number in range(USERS_MAX - 3)}
    crowded = replace(account, roles={**account.roles, **crowd})
    store.save_user(crowded, User("user-0", "user-0@crowd.example", "User 0", Role.MEMBER), sample_event())
    last = {"email": "last@crowd.example", "name": "Last", "role": "member"}
    assert put(company, last).status == 200
    before, invited = stored_items(), user_pool.emails()

    one_too_many = put(company, {**last, "email": "late@crowd.example"})

    assert one_too_many.status == 409
    assert stored_items() == before
    assert user_pool.emails() == invited
    assert put(company, {**last, "role": "admin"}).status == 200, "existing users can still be changed"


@pytest.mark.parametrize("operation", ["TransactWriteItems", "Query"])
def test_a_throttled_table_asks_for_a_retry_after_a_second(
    operation: str, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored_items()
    client: Any = wiring.dynamodb()
    call = client._make_api_call

    def throttled(name: str, request: dict[str, Any]) -> Any:
        if name == operation:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Slow down."}}, name)
        return call(name, request)

    with monkeypatch.context() as patch:
        patch.setattr(client, "_make_api_call", throttled)
        refused = put(company, {**BO, "role": "admin"})

    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert refused.body["type"] == "urn:livello:problem:busy"
    assert stored_items() == before
    assert put(company, {**BO, "role": "admin"}).status == 200


# ---- Invitations -----------------------------------------------------------------------------------


def test_users_are_listed_with_their_invitations(company: Company) -> None:
    put(company, person_number(1), now=NOW + timedelta(hours=1))

    given = answer(administer_users, request("GET", USERS, claims=company.member, path=company.path))

    invitations = {each["name"]: (each["invited_at"], each["invited_by"]) for each in given.body["items"]}
    assert invitations == {
        "Ada Holm": ("2026-06-10T12:00:00Z", {"kind": "staff", "user": "staff-1"}),
        "Bo Lind": ("2026-06-10T12:00:00Z", {"kind": "customer", "user": company.admin["sub"]}),
        "User 1": ("2026-06-10T13:00:00Z", {"kind": "customer", "user": company.admin["sub"]}),
    }


def test_an_account_sends_so_many_invitations_a_day_and_no_more(
    company: Company, limit: int, user_pool: UserPool
) -> None:
    assert [put(company, person_number(number)).status for number in range(2)] == [200, 200]
    before, log_ins = stored_items(), user_pool.emails()

    refused = put(company, person_number(2), now=NOW + timedelta(hours=3, milliseconds=500))

    assert (refused.status, refused.body["type"]) == (429, "urn:livello:problem:too-many-invitations")
    assert "3 invitations" in refused.body["detail"]
    assert refused.headers["Retry-After"] == str(9 * 3600), "at the next midnight in UTC, never before"
    assert stored_items() == before
    assert user_pool.emails() == log_ins


def test_the_next_day_has_invitations_of_its_own(company: Company, limit: int) -> None:
    midnight = NOW + timedelta(hours=12)
    assert [put(company, person_number(number)).status for number in range(3)] == [200, 200, 429]
    assert put(company, person_number(3), now=midnight - timedelta(milliseconds=1)).status == 429

    assert [put(company, person_number(number), now=midnight).status for number in range(3, 7)] == [200, 200, 200, 429]
    # The clock of another machine that is behind gives no invitation of yesterday.
    assert put(company, person_number(8), now=midnight - timedelta(seconds=1)).status == 429


def test_removals_and_other_admins_do_not_give_new_invitations(company: Company, limit: int) -> None:
    assert put(company, {**BO, "role": "admin"}).status == 200
    for _ in range(2):
        invited = put(company, person_number(1))
        assert invited.status == 200
        assert remove(company, invited.body["user"]).status == 204

    assert put(company, person_number(1)).status == 429
    assert put(company, person_number(2), claims=company.member).status == 429


def test_at_the_limit_users_can_still_be_changed_and_removed(company: Company, limit: int) -> None:
    assert [put(company, person_number(number)).status for number in range(3)] == [200, 200, 429]

    assert put(company, {**BO, "role": "admin"}).status == 200
    assert put(company, {**BO, "name": "Bo L.", "role": "member"}).status == 200
    assert remove(company, company.member["sub"]).status == 204


def test_another_account_has_invitations_of_its_own(company: Company, limit: int) -> None:
    assert [put(company, person_number(number)).status for number in range(3)] == [200, 200, 429]
    assert provisioned(with_value(ACCOUNT, "other-shop", "account")).status == 201

    assert put(Company("other-shop", company.admin, company.member), person_number(1)).status == 200


def test_a_role_that_is_raised_and_lowered_sends_no_mail_without_end(company: Company, limit: int) -> None:
    for _ in range(limit):
        assert put(company, {**BO, "role": "admin"}).status == 200
        assert put(company, {**BO, "role": "member"}).status == 200
    before = stored_items()

    refused = put(company, {**BO, "role": "admin"})

    assert (refused.status, refused.body["type"]) == (429, "urn:livello:problem:too-many-promotions")
    assert refused.headers["Retry-After"] == str(12 * 3600)
    assert stored_items() == before
    assert put(company, person_number(1)).status == 200, "invitations are counted apart"
    assert put(company, {**BO, "role": "admin"}, now=NOW + timedelta(hours=12)).status == 200


def test_a_waiting_invitation_is_sent_again_after_a_while_and_counts(company: Company, limit: int) -> None:
    dina = person_number(1)
    assert put(company, dina).status == 200
    before = stored_items()
    assert put(company, dina, now=NOW + INVITED_AGAIN_AFTER - timedelta(seconds=1)).status == 200
    assert stored_items() == before, "it is the same request, sent again"

    answers = [put(company, dina, now=NOW + INVITED_AGAIN_AFTER * number) for number in (1, 2)]

    assert [each.status for each in answers] == [200, 429]
    assert answers[0].body["invited_at"] == "2026-06-10T12:15:00Z"
    assert user_events(company) == ["user.added", "user.added", "user.invited_again"]


def test_nobody_who_has_logged_in_is_invited_again(company: Company) -> None:
    before = stored_items()

    assert put(company, {**BO, "role": "member"}, now=NOW + timedelta(days=9)).status == 200

    assert stored_items() == before


def test_an_invitation_that_is_sent_again_clears_the_mark_of_its_address(company: Company, store: Stores) -> None:
    dina = person_number(1)
    put(company, dina)
    store.mark_undeliverable(company.account, dina["email"], sample_event())

    assert put(company, dina, now=NOW + INVITED_AGAIN_AFTER).status == 200

    assert store.correspondents(company.account).undeliverable == frozenset()


def test_a_request_that_is_repeated_at_the_limit_is_answered_as_before(company: Company, limit: int) -> None:
    first = [put(company, person_number(number)) for number in range(2)]
    assert put(company, person_number(2)).status == 429

    assert put(company, person_number(1)).body == first[1].body


def test_a_user_of_an_earlier_release_is_shown_and_can_be_invited_again(company: Company) -> None:
    dina = put(company, person_number(1)).body["user"]
    [item] = [each for each in stored_items() if each["sk"] == f"USER#{dina}"]
    body = {name: value for name, value in json.loads(str(item["body"])).items() if name not in NEW_FIELDS}
    indexed = {name: str(item[name]) for name in ("gsi1pk", "gsi1sk")}
    put_item(str(item["pk"]), str(item["sk"]), json.dumps(body), **indexed)

    shown = users(company)["User 1"]

    assert [shown[name] for name in ("invited_at", "invited_by", "logged_in_at", "status")] == [None] * 3 + ["invited"]
    assert put(company, person_number(1)).body["invited_at"] == "2026-06-10T12:00:00Z"
    assert user_events(company) == ["user.added", "user.added", "user.invited_again"]


def test_a_user_is_invited_until_their_first_request(company: Company) -> None:
    dina = put(company, person_number(1))
    assert (dina.body["status"], dina.body["logged_in_at"]) == ("invited", None)
    shown = users(company)
    assert {name: each["status"] for name, each in shown.items()} == {
        "Ada Holm": "active",
        "Bo Lind": "active",
        "User 1": "invited",
    }
    later = NOW + timedelta(hours=1)

    # The first request itself shows it already.
    own = users(company, claims=person(dina.body["user"]), now=later)["User 1"]

    assert (own["status"], own["logged_in_at"]) == ("active", "2026-06-10T13:00:00Z")
    assert users(company, now=later + timedelta(hours=1))["User 1"] == own
    assert put(company, person_number(1, "admin")).body["status"] == "active"


def test_a_refused_member_sees_which_admins_have_logged_in(company: Company) -> None:
    put(company, person_number(1, "admin"))

    refused = put(company, person_number(2), claims=company.member)

    assert refused.status == 403
    assert sorted((each["name"], each["status"]) for each in refused.body["admins"]) == [
        ("Ada Holm", "active"),
        ("User 1", "invited"),
    ]
