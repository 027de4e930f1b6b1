"""The directory of log-ins, on moto, and on recorded answers where moto differs from Cognito."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from billing import wiring
from billing.accounts.cognito_directory import CognitoDirectory
from billing.accounts.directory import InvalidAddress
from billing.kernel.errors import UpstreamFailed
from botocore.exceptions import ClientError, ConnectTimeoutError

from tests.aws import REGION, UserPool


class RecordedCognito:
    """Cognito's answers for an existing user, in the documented shape."""

    def __init__(self, status: str, groups: list[str], verified: str = "true") -> None:
        self.exceptions: Any = getattr(wiring.session().create_client("cognito-idp"), "exceptions")  # noqa: B009
        self.status, self.groups, self.verified = status, groups, verified
        self.passwords_set: list[dict[str, Any]] = []

    def admin_create_user(self, **_: Any) -> dict[str, Any]:
        error = {"Error": {"Code": "UsernameExistsException", "Message": "User account already exists"}}
        raise self.exceptions.UsernameExistsException(error, "AdminCreateUser")

    def admin_get_user(self, **_: Any) -> dict[str, Any]:
        attributes = {"sub": "user-9", "email_verified": self.verified}
        return {
            "UserStatus": self.status,
            "UserAttributes": [{"Name": name, "Value": value} for name, value in attributes.items()],
        }

    def admin_list_groups_for_user(self, **_: Any) -> dict[str, Any]:
        return {"Groups": [{"GroupName": group} for group in self.groups]}

    def admin_set_user_password(self, **request: Any) -> None:
        self.passwords_set.append(request)


def recorded(
    status: str, groups: list[str], user_pool: UserPool, verified: str = "true"
) -> tuple[CognitoDirectory, RecordedCognito]:
    directory = CognitoDirectory(user_pool.pool, wiring.session())
    cognito = RecordedCognito(status, groups, verified)
    directory._cognito = cognito
    return directory, cognito


def test_the_owner_of_a_new_log_in_can_reset_its_password(user_pool: UserPool) -> None:
    """Cognito sends the code for a new password only to a confirmed user with a verified address."""
    log_in = user_pool.directory.log_in("greta@nordlys.example", "Greta")

    cognito = boto3.client("cognito-idp", region_name=REGION)
    stored = cognito.admin_get_user(UserPoolId=user_pool.pool, Username="greta@nordlys.example")
    assert log_in.user
    assert not log_in.staff
    assert stored["UserStatus"] == "CONFIRMED"
    assert {"Name": "email_verified", "Value": "true"} in stored["UserAttributes"]


def test_cognito_sends_no_mail_for_a_new_log_in(user_pool: UserPool, monkeypatch: pytest.MonkeyPatch) -> None:
    request: dict[str, Any] = {}
    directory = CognitoDirectory(user_pool.pool, wiring.session())
    create = directory._cognito.admin_create_user
    monkeypatch.setattr(
        directory._cognito, "admin_create_user", lambda **arguments: (request.update(arguments), create(**arguments))[1]
    )

    directory.log_in("gunnar@nordlys.example", "Gunnar")

    assert request["MessageAction"] == "SUPPRESS"


def test_each_log_in_gets_another_long_password(user_pool: UserPool) -> None:
    directory, cognito = recorded("FORCE_CHANGE_PASSWORD", [], user_pool)

    for _ in range(2):
        directory.log_in("iben@nordlys.example", "Iben")

    first, second = (request["Password"] for request in cognito.passwords_set)
    assert first != second
    assert len(first) > 64


def test_an_address_has_one_log_in(user_pool: UserPool) -> None:
    first = user_pool.directory.log_in("henrik@nordlys.example", "Henrik")
    user_pool.log_in("henrik@nordlys.example")

    assert user_pool.directory.log_in("henrik@nordlys.example", "H.") == first


def test_a_half_made_log_in_is_completed(user_pool: UserPool) -> None:
    directory, cognito = recorded("FORCE_CHANGE_PASSWORD", [], user_pool)

    assert directory.log_in("iben@nordlys.example", "Iben").user == "user-9"
    assert [(request["Username"], request["Permanent"]) for request in cognito.passwords_set] == [
        ("iben@nordlys.example", True)
    ]


def test_a_chosen_password_is_kept(user_pool: UserPool) -> None:
    directory, cognito = recorded("CONFIRMED", ["sales"], user_pool)

    assert not directory.log_in("iben@nordlys.example", "Iben").staff
    assert not cognito.passwords_set


def test_the_log_in_of_staff_is_recognised_and_not_changed(user_pool: UserPool) -> None:
    directory, cognito = recorded("FORCE_CHANGE_PASSWORD", ["sales", "staff"], user_pool)

    assert directory.log_in("support@vendor.example", "Sam").staff
    assert not cognito.passwords_set


def test_an_unverified_address_is_reported_as_unverified(user_pool: UserPool) -> None:
    assert recorded("CONFIRMED", [], user_pool)[0].log_in("iben@nordlys.example", "Iben").verified
    assert not recorded("CONFIRMED", [], user_pool, "false")[0].log_in("iben@nordlys.example", "Iben").verified


def test_an_address_that_cognito_refuses_is_an_invalid_address(user_pool: UserPool) -> None:
    directory, cognito = recorded("CONFIRMED", [], user_pool)

    def refuse(**_: Any) -> None:
        raise cognito.exceptions.InvalidParameterException(
            {"Error": {"Code": "InvalidParameterException"}}, "AdminCreateUser"
        )

    cognito.admin_create_user = refuse  # type: ignore[method-assign,assignment]
    with pytest.raises(InvalidAddress):
        directory.log_in("odd@nordlys.example", "Odd")


@pytest.mark.parametrize(
    "failure",
    [
        ClientError({"Error": {"Code": "TooManyRequestsException"}}, "AdminCreateUser"),
        ConnectTimeoutError(endpoint_url="https://directory.example"),
    ],
)
def test_a_failure_of_cognito_is_an_upstream_failure(failure: Exception, user_pool: UserPool) -> None:
    directory, cognito = recorded("CONFIRMED", [], user_pool)

    def fail(**_: Any) -> None:
        raise failure

    for operation in ("admin_create_user", "admin_get_user"):
        setattr(cognito, operation, fail)
        with pytest.raises(UpstreamFailed):
            directory.log_in("jon@nordlys.example", "Jon")
