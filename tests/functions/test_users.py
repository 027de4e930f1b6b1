"""Users of an account: invitations, changes and removals. An account keeps at least one admin (DESIGN 3.4.4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from billing import wiring
from billing.accounts.cognito_directory import CognitoDirectory
from billing.accounts.directory import InvalidAddress, LogIn
from billing.accounts.records import AccountStore
from billing.accounts.rules import USERS_MAX, User
from billing.kernel.errors import ConcurrentChange
from billing.kernel.permissions import Role
from botocore.exceptions import ClientError

from functions.administer_users.app import handler as administer_users
from functions.list_accounts.app import handler as list_accounts
from tests.api_gateway import NOW, STAFF, Answer, answer, person, request
from tests.aws import UserPool, stored_items
from tests.company import Company, provisioned
from tests.samples import ACCOUNT, with_value
from tests.store.samples import sample_event
from tests.stores import Stores

USERS = "/accounts/{account}/users"
ADA = {"email": "ada@nordlys.example", "name": "Ada Holm"}
BO = {"email": "bo@nordlys.example", "name": "Bo Lind"}


def put(company: Company, body: dict[str, Any], *, claims: dict[str, str] | None = None) -> Answer:
    return answer(administer_users, request("PUT", USERS, claims=claims or company.admin, path=company.path, body=body))


def remove(company: Company, user: str, *, claims: dict[str, str] | None = None) -> Answer:
    path = {**company.path, "user": user}
    return answer(administer_users, request("DELETE", USERS + "/{user}", claims=claims or company.admin, path=path))


def listed(company: Company, query: dict[str, str] | None = None) -> list[tuple[str, str]]:
    given = answer(administer_users, request("GET", USERS, claims=company.admin, path=company.path, query=query))
    return sorted((user["email"], user["role"]) for user in given.body["items"])


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
