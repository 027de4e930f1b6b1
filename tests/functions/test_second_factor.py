"""Staff without a second factor: the trigger of the user pool, and what a token without the group may do."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from billing import wiring
from billing.accounts.cognito_directory import CognitoDirectory
from billing.kernel.errors import UpstreamFailed
from billing.kernel.permissions import STAFF_GROUP

from functions.administer_users.app import handler as administer_users
from functions.get_billing.app import handler as get_billing
from functions.list_accounts.app import handler as list_accounts
from functions.require_second_factor.app import handler
from tests.api_gateway import answer, person, request
from tests.aws import UserPool
from tests.company import Company
from tests.template import ROOT, resources, template

STAFF_EMAIL = "staff@livello.example"
PASSWORD = "Correct-horse-1"


@pytest.fixture
def staff(user_pool: UserPool, fresh_wiring: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A member of staff in the user pool, without a second factor."""
    monkeypatch.setenv("STAFF_SECOND_FACTOR", "on")
    cognito: Any = wiring.session().create_client("cognito-idp")
    cognito.admin_create_user(UserPoolId=user_pool.pool, Username=STAFF_EMAIL)
    yield STAFF_EMAIL
    cognito.admin_delete_user(UserPoolId=user_pool.pool, Username=STAFF_EMAIL)


def set_up_second_factor(pool: str) -> None:
    """As docs/deploy.md says (Staff)."""
    cognito: Any = wiring.session().create_client("cognito-idp")
    flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    client = cognito.create_user_pool_client(UserPoolId=pool, ClientName="page", ExplicitAuthFlows=flows)
    cognito.admin_set_user_password(UserPoolId=pool, Username=STAFF_EMAIL, Password=PASSWORD, Permanent=True)
    token = cognito.initiate_auth(
        ClientId=client["UserPoolClient"]["ClientId"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": STAFF_EMAIL, "PASSWORD": PASSWORD},
    )["AuthenticationResult"]["AccessToken"]
    cognito.associate_software_token(AccessToken=token)
    cognito.verify_software_token(AccessToken=token, UserCode="123456")
    cognito.set_user_mfa_preference(AccessToken=token, SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True})


def switch_off_second_factor(pool: str) -> None:
    settings = {"Enabled": False, "PreferredMfa": False}
    cognito: Any = wiring.session().create_client("cognito-idp")
    cognito.admin_set_user_mfa_preference(UserPoolId=pool, Username=STAFF_EMAIL, SoftwareTokenMfaSettings=settings)


def asked(pool: str, *groups: str, user: str = STAFF_EMAIL) -> dict[str, Any]:
    """The event of Cognito before it makes a token."""
    event: dict[str, Any] = json.loads((ROOT / "events" / "require_second_factor.json").read_text("utf-8"))
    event |= {"userPoolId": pool, "userName": user}
    event["request"]["groupConfiguration"]["groupsToOverride"] = [*groups]
    return event


def changed(event: dict[str, Any]) -> Any:
    return handler(event, None)["response"]["claimsOverrideDetails"]


def test_staff_without_a_second_factor_lose_the_group_and_learn_why(user_pool: UserPool, staff: str) -> None:
    assert changed(asked(user_pool.pool, "finance", STAFF_GROUP)) == {
        "claimsToAddOrOverride": {"second_factor": "missing"},
        "groupOverrideDetails": {"groupsToOverride": ["finance"]},
    }


def test_staff_with_an_authenticator_app_keep_it_until_they_switch_it_off(user_pool: UserPool, staff: str) -> None:
    """Each refresh asks again."""
    set_up_second_factor(user_pool.pool)
    assert changed(asked(user_pool.pool, STAFF_GROUP)) is None

    switch_off_second_factor(user_pool.pool)
    assert changed(asked(user_pool.pool, STAFF_GROUP)) is not None


def test_nobody_else_is_looked_up(user_pool: UserPool, staff: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(CognitoDirectory, "has_second_factor", unexpected)

    assert changed(asked(user_pool.pool)) is None
    assert changed(asked(user_pool.pool, "finance")) is None
    without = asked(user_pool.pool)
    without["request"]["groupConfiguration"] = {}
    assert changed(without) is None
    monkeypatch.setenv("STAFF_SECOND_FACTOR", "off")
    assert changed(asked(user_pool.pool, STAFF_GROUP)) is None


def test_a_user_pool_that_does_not_answer_makes_no_token_for_staff(user_pool: UserPool, staff: str) -> None:
    with pytest.raises(UpstreamFailed):
        handler(asked(user_pool.pool, STAFF_GROUP, user="gone@livello.example"), None)


def test_such_a_token_has_no_rights_not_even_those_of_a_membership(company: Company) -> None:
    """Otherwise an admin who became staff could cancel for the customer: staff never may (DESIGN 3.4.3)."""
    for claims in (person("staff-1"), company.admin):
        token = {**claims, "second_factor": "missing"}
        for function, method, route, path in (
            (get_billing, "GET", "/accounts/{account}/billing", company.path),
            (get_billing, "GET", "/accounts/{account}/billing", {"account": "no-such-account"}),
            (administer_users, "GET", "/accounts/{account}/users", company.path),
            (list_accounts, "GET", "/accounts", None),
        ):
            given = answer(function, request(method, route, claims=token, path=path))

            assert (given.status, given.body["type"]) == (403, "urn:livello:problem:second-factor-missing")
            assert "authenticator app" in given.body["detail"]


def test_a_wrong_body_of_such_a_token_is_refused_in_the_same_way(company: Company) -> None:
    token = {**company.admin, "second_factor": "missing"}
    sent = request("PUT", "/accounts/{account}/users", claims=token, path=company.path, body="no JSON")

    assert answer(administer_users, sent).status == 403


def test_the_trigger_needs_no_layer_code_that_a_customers_log_in_would_wait_for() -> None:
    module = importlib.import_module("functions.require_second_factor.app")

    assert not {"wiring", "CognitoDirectory", "Logger"} & set(vars(module))


def test_the_user_pool_asks_for_a_factor_that_a_user_has_and_the_parameter_is_on() -> None:
    people = resources()["People"]["Properties"]
    trigger = resources()["RequireSecondFactor"]["Properties"]

    assert (people["MfaConfiguration"], people["EnabledMfas"]) == ("OPTIONAL", ["SOFTWARE_TOKEN_MFA"])
    assert "DeviceConfiguration" not in people, "a remembered device would do without the factor"
    assert trigger["Events"]["Token"]["Properties"] == {"UserPool": {"Ref": "People"}, "Trigger": "PreTokenGeneration"}
    assert "Policies" not in trigger, "the role must not refer to the pool that refers to its function"
    assert template()["Parameters"]["StaffSecondFactor"]["Default"] == "on"
