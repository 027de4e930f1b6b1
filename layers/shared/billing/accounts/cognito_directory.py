"""The user directory in an Amazon Cognito user pool."""

from __future__ import annotations

import secrets
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.accounts.directory import InvalidAddress, LogIn
from billing.kernel.errors import UpstreamFailed
from billing.kernel.permissions import STAFF_GROUP

PASSWORD_BYTES = 48
SOFTWARE_TOKEN = "SOFTWARE_TOKEN_MFA"  # noqa: S105 - the name of a factor


class CognitoDirectory:
    """Implements billing.accounts.directory.Directory.

    `log_in` makes two to four calls, `has_log_in` one, `find` and `remove` up to two.
    """

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

    def find(self, email: str) -> LogIn | None:
        try:
            return self._described(email)[0]
        except self._cognito.exceptions.UserNotFoundException:
            return None
        except self._cognito.exceptions.InvalidParameterException as failure:
            raise InvalidAddress from failure
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The directory of people did not answer as it should. Try again.") from failure

    def has_log_in(self, user: str) -> bool:
        try:
            self._cognito.admin_get_user(UserPoolId=self._user_pool, Username=user)
        except self._cognito.exceptions.UserNotFoundException:
            return False
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The directory of people did not answer as it should. Try again.") from failure
        return True

    def remove(self, user: str) -> None:
        try:
            groups = self._cognito.admin_list_groups_for_user(UserPoolId=self._user_pool, Username=user)["Groups"]
            if STAFF_GROUP not in {group["GroupName"] for group in groups}:
                self._cognito.admin_delete_user(UserPoolId=self._user_pool, Username=user)
        except self._cognito.exceptions.UserNotFoundException:
            return
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The directory of people did not delete. Try again.") from failure

    def has_second_factor(self, user: str) -> bool:
        """Whether the user has an authenticator app, which each of their log-ins then asks for. One call.

        Raises UpstreamFailed.
        """
        try:
            described = self._cognito.admin_get_user(UserPoolId=self._user_pool, Username=user)
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The directory of people did not answer as it should. Try again.") from failure
        # An activated factor is asked for by every log-in: AdminSetUserMFAPreference in Cognito's API reference.
        return SOFTWARE_TOKEN in described.get("UserMFASettingList", [])

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
        log_in, status = self._described(email)
        if status == "FORCE_CHANGE_PASSWORD" and not log_in.staff:
            # An earlier request created the log-in and failed before it set the password. The temporary one may have
            # expired since: a permanent one opens the log-in all the same (AdminSetUserPassword, API reference).
            self._open(email)
        return log_in

    def _described(self, email: str) -> tuple[LogIn, str]:
        """The log-in of an address, and its status."""
        user = self._cognito.admin_get_user(UserPoolId=self._user_pool, Username=email)
        groups = self._cognito.admin_list_groups_for_user(UserPoolId=self._user_pool, Username=email)["Groups"]
        attributes = _attributes(user["UserAttributes"])
        staff = STAFF_GROUP in {group["GroupName"] for group in groups}
        log_in = LogIn(attributes["sub"], staff=staff, verified=attributes.get("email_verified") == "true")
        return log_in, user["UserStatus"]

    def _open(self, email: str) -> None:
        """Lets the user choose a password with a code that Cognito mails to their address.

        Cognito refuses such a code while the password is temporary. So this sets a random permanent password and
        forgets it.
        """
        try:
            self._cognito.admin_set_user_password(
                UserPoolId=self._user_pool, Username=email, Password=_random_password(), Permanent=True
            )
        except self._cognito.exceptions.InvalidParameterException as failure:
            raise UpstreamFailed("The directory of people cannot open the log-in.") from failure


def _random_password() -> str:
    # The prefix has every kind of character that a pool's password policy may require.
    return f"aA1-{secrets.token_urlsafe(PASSWORD_BYTES)}"


def _attributes(attributes: list[dict[str, str]]) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in attributes}
