"""The directory of people, on moto and, where moto differs from Cognito, on recorded answers."""

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
    """Answers of Cognito for a user who exists, in the shape that the service documents."""

    def __init__(self, status: str, groups: list[str], verified: str = "true") -> None:
        self.exceptions: Any = getattr(wiring.session().create_client("cognito-idp"), "exceptions")  # noqa: B009
        self.status, self.groups, self.verified = status, groups, verified
        self.opened: list[dict[str, Any]] = []

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

    def admin_set_user_password(self, **asked: Any) -> None:
        self.opened.append(asked)


def recorded(
    status: str, groups: list[str], user_pool: UserPool, verified: str = "true"
) -> tuple[CognitoDirectory, RecordedCognito]:
    directory = CognitoDirectory(user_pool.pool, wiring.session())
    cognito = RecordedCognito(status, groups, verified)
    directory._cognito = cognito
    return directory, cognito


def test_a_new_address_gets_a_log_in_whose_password_its_owner_can_choose(user_pool: UserPool) -> None:
    """Cognito sends a code to choose one with to whom it knows as confirmed, and to nobody else."""
    log_in = user_pool.directory.log_in("greta@nordlys.example", "Greta")

    cognito = boto3.client("cognito-idp", region_name=REGION)
    known = cognito.admin_get_user(UserPoolId=user_pool.pool, Username="greta@nordlys.example")
    assert log_in.user
    assert not log_in.staff
    assert known["UserStatus"] == "CONFIRMED"
    assert {"Name": "email_verified", "Value": "true"} in known["UserAttributes"]


def test_the_directory_itself_writes_to_nobody(user_pool: UserPool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    directory = CognitoDirectory(user_pool.pool, wiring.session())
    create = directory._cognito.admin_create_user
    monkeypatch.setattr(
        directory._cognito, "admin_create_user", lambda **given: (asked.update(given), create(**given))[1]
    )

    directory.log_in("gunnar@nordlys.example", "Gunnar")

    assert asked["MessageAction"] == "SUPPRESS"


def test_no_two_passwords_are_alike(user_pool: UserPool) -> None:
    directory, cognito = recorded("FORCE_CHANGE_PASSWORD", [], user_pool)

    for _ in range(2):
        directory.log_in("iben@nordlys.example", "Iben")

    first, second = (asked["Password"] for asked in cognito.opened)
    assert first != second
    assert len(first) > 64


def test_the_same_address_is_the_same_person(user_pool: UserPool) -> None:
    first = user_pool.directory.log_in("henrik@nordlys.example", "Henrik")
    user_pool.log_in("henrik@nordlys.example")

    assert user_pool.directory.log_in("henrik@nordlys.example", "H.") == first


def test_a_log_in_that_was_only_half_made_is_finished(user_pool: UserPool) -> None:
    directory, cognito = recorded("FORCE_CHANGE_PASSWORD", [], user_pool)

    assert directory.log_in("iben@nordlys.example", "Iben").user == "user-9"
    assert [(asked["Username"], asked["Permanent"]) for asked in cognito.opened] == [("iben@nordlys.example", True)]


def test_nobody_loses_the_password_that_they_have_chosen(user_pool: UserPool) -> None:
    directory, cognito = recorded("CONFIRMED", ["sales"], user_pool)

    assert not directory.log_in("iben@nordlys.example", "Iben").staff
    assert not cognito.opened


def test_staff_are_recognised_and_left_alone(user_pool: UserPool) -> None:
    directory, cognito = recorded("FORCE_CHANGE_PASSWORD", ["sales", "staff"], user_pool)

    assert directory.log_in("support@vendor.example", "Sam").staff
    assert not cognito.opened


def test_an_address_that_was_never_proved_is_told_apart(user_pool: UserPool) -> None:
    assert recorded("CONFIRMED", [], user_pool)[0].log_in("iben@nordlys.example", "Iben").verified
    assert not recorded("CONFIRMED", [], user_pool, "false")[0].log_in("iben@nordlys.example", "Iben").verified


def test_an_address_that_cognito_refuses(user_pool: UserPool) -> None:
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
def test_a_directory_that_does_not_answer(failure: Exception, user_pool: UserPool) -> None:
    directory, cognito = recorded("CONFIRMED", [], user_pool)

    def fail(**_: Any) -> None:
        raise failure

    for operation in ("admin_create_user", "admin_get_user"):
        setattr(cognito, operation, fail)
        with pytest.raises(UpstreamFailed):
            directory.log_in("jon@nordlys.example", "Jon")
