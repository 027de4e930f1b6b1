"""The directory of people, kept by a Cognito user pool."""

from __future__ import annotations

import secrets
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.accounts.directory import InvalidAddress, LogIn
from billing.kernel.errors import UpstreamFailed
from billing.kernel.permissions import STAFF_GROUP

PASSWORD_BYTES = 48


class CognitoDirectory:
    """See billing.accounts.directory.Directory."""

    def __init__(self, user_pool: str, session: Session) -> None:
        self._user_pool = user_pool
        self._cognito: Any = session.create_client("cognito-idp")

    def log_in(self, email: str, name: str) -> LogIn:
        try:
            try:
                return self._created(email, name)
            except self._cognito.exceptions.UsernameExistsException:
                return self._existing(email)
        except self._cognito.exceptions.InvalidParameterException as failure:
            raise InvalidAddress from failure
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The directory of people did not answer as it should. Try again.") from failure

    def remove(self, user: str) -> None:
        try:
            groups = self._cognito.admin_list_groups_for_user(UserPoolId=self._user_pool, Username=user)["Groups"]
            if STAFF_GROUP not in {group["GroupName"] for group in groups}:
                self._cognito.admin_delete_user(UserPoolId=self._user_pool, Username=user)
        except self._cognito.exceptions.UserNotFoundException:
            return
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The directory of people did not delete. Try again.") from failure

    def _created(self, email: str, name: str) -> LogIn:
        attributes = {"email": email, "email_verified": "true", "name": name}
        created = self._cognito.admin_create_user(
            UserPoolId=self._user_pool,
            Username=email,
            UserAttributes=[{"Name": key, "Value": value} for key, value in attributes.items()],
            MessageAction="SUPPRESS",
        )
        self._open(email)
        return LogIn(user=_attributes(created["User"]["Attributes"])["sub"], staff=False, verified=True)

    def _existing(self, email: str) -> LogIn:
        known = self._cognito.admin_get_user(UserPoolId=self._user_pool, Username=email)
        groups = self._cognito.admin_list_groups_for_user(UserPoolId=self._user_pool, Username=email)["Groups"]
        attributes = _attributes(known["UserAttributes"])
        staff = STAFF_GROUP in {group["GroupName"] for group in groups}
        if known["UserStatus"] == "FORCE_CHANGE_PASSWORD" and not staff:
            # Made, and cut off before it was opened.
            self._open(email)
        return LogIn(attributes["sub"], staff=staff, verified=attributes.get("email_verified") == "true")

    def _open(self, email: str) -> None:
        """Lets the person choose a password with a code that is sent to their address, as often as they need.

        With a temporary password Cognito would refuse that; so theirs is a permanent one, which nobody knows.
        """
        try:
            self._cognito.admin_set_user_password(
                UserPoolId=self._user_pool, Username=email, Password=_unknowable_password(), Permanent=True
            )
        except self._cognito.exceptions.InvalidParameterException as failure:
            raise UpstreamFailed("The directory of people cannot open the log-in.") from failure


def _unknowable_password() -> str:
    # Of every kind of character that a pool may ask for.
    return f"aA1-{secrets.token_urlsafe(PASSWORD_BYTES)}"


def _attributes(given: list[dict[str, str]]) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in given}
