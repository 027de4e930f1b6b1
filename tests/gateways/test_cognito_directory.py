"""The directory of people, on moto and, where moto differs from Cognito, on recorded answers."""

from __future__ import annotations

from typing import Any

import pytest
from billing import wiring
from billing.domain.errors import UpstreamFailed
from billing.gateways.cognito_directory import CognitoDirectory
from billing.gateways.ports import InvalidAddress
from botocore.exceptions import ClientError, ConnectTimeoutError

from tests.aws import UserPool


class RecordedCognito:
    """Answers of Cognito for a user who exists, in the shape that the service documents."""

    def __init__(self, status: str, groups: list[str], verified: str = "true") -> None:
        self.exceptions: Any = getattr(wiring.session().create_client("cognito-idp"), "exceptions")  # noqa: B009
        self.status, self.groups, self.verified = status, groups, verified
        self.sent: list[dict[str, Any]] = []

    def admin_create_user(self, **asked: Any) -> dict[str, Any]:
        self.sent.append(asked)
        if asked.get("MessageAction") == "RESEND":
            return {"User": {"Attributes": []}}
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


def recorded(
    status: str, groups: list[str], user_pool: UserPool, verified: str = "true"
) -> tuple[CognitoDirectory, RecordedCognito]:
    directory = CognitoDirectory(user_pool.pool, wiring.session())
    cognito = RecordedCognito(status, groups, verified)
    directory._cognito = cognito
    return directory, cognito


def test_a_new_address_is_invited(user_pool: UserPool) -> None:
    log_in = user_pool.directory.invite("greta@nordlys.example", "Greta")

    assert log_in.user
    assert not log_in.staff
    assert "greta@nordlys.example" in user_pool.emails()


def test_the_same_address_is_the_same_person(user_pool: UserPool) -> None:
    first = user_pool.directory.invite("henrik@nordlys.example", "Henrik")
    user_pool.log_in("henrik@nordlys.example")

    assert user_pool.directory.invite("henrik@nordlys.example", "H.") == first


def test_whoever_never_logged_in_is_invited_again(user_pool: UserPool) -> None:
    directory, cognito = recorded("FORCE_CHANGE_PASSWORD", [], user_pool)

    assert directory.invite("iben@nordlys.example", "Iben").user == "user-9"
    assert [asked.get("MessageAction") for asked in cognito.sent] == [None, "RESEND"]
    assert [asked["DesiredDeliveryMediums"] for asked in cognito.sent] == [["EMAIL"], ["EMAIL"]]


def test_whoever_has_logged_in_gets_no_second_invitation(user_pool: UserPool) -> None:
    directory, cognito = recorded("CONFIRMED", ["sales"], user_pool)

    assert not directory.invite("iben@nordlys.example", "Iben").staff
    assert len(cognito.sent) == 1


def test_staff_are_recognised_and_not_written_to(user_pool: UserPool) -> None:
    directory, cognito = recorded("FORCE_CHANGE_PASSWORD", ["sales", "staff"], user_pool)

    assert directory.invite("support@vendor.example", "Sam").staff
    assert len(cognito.sent) == 1


def test_an_address_that_was_never_proved_is_told_apart(user_pool: UserPool) -> None:
    assert recorded("CONFIRMED", [], user_pool)[0].invite("iben@nordlys.example", "Iben").verified
    assert not recorded("CONFIRMED", [], user_pool, "false")[0].invite("iben@nordlys.example", "Iben").verified


def test_an_address_that_cognito_refuses(user_pool: UserPool) -> None:
    directory, cognito = recorded("CONFIRMED", [], user_pool)

    def refuse(**_: Any) -> None:
        raise cognito.exceptions.InvalidParameterException(
            {"Error": {"Code": "InvalidParameterException"}}, "AdminCreateUser"
        )

    cognito.admin_create_user = refuse  # type: ignore[method-assign,assignment]
    with pytest.raises(InvalidAddress):
        directory.invite("odd@nordlys.example", "Odd")


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
            directory.invite("jon@nordlys.example", "Jon")
