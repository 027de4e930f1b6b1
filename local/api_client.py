"""A client of the front door that knows no more than a customer's program: HTTP and JSON."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from local.settings import LocalError

REQUEST_SECONDS_MAX = 90


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: status, headers and the raw body."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The parsed body. Raises ValueError if it is not JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class ApiClient:
    """Sends requests to a front door. `address` is its origin, such as http://127.0.0.1:8080."""

    address: str

    def request(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; `body` is sent as JSON unless it is None. The caller judges the status.

        Raises OSError if the front door does not answer.
        """
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        return self._send(method, path, None if body is None else json.dumps(body).encode(), sent)

    def person_token(self, client_id: str, email: str, password: str) -> str:
        """The ID token of a person, which the API expects. Raises LocalError if the log-in fails."""
        answer = self.request(
            "POST",
            "/auth",
            body={
                "AuthFlow": "USER_PASSWORD_AUTH",
                "ClientId": client_id,
                "AuthParameters": {"USERNAME": email, "PASSWORD": password},
            },
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth",
            },
        )
        if answer.status != HTTPStatus.OK:
            raise LocalError(f"{email} cannot log in: {answer.body.decode()}")
        token: str = answer.json()["AuthenticationResult"]["IdToken"]
        return token

    def machine_token(self, client_id: str, client_secret: str) -> str:
        """The access token of a machine, with all of its scopes. Raises LocalError if it is refused."""
        credentials = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        headers = {
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = self._send("POST", "/auth/oauth2/token", b"grant_type=client_credentials", headers)
        if answer.status != HTTPStatus.OK:
            raise LocalError(f"The machine gets no token: {answer.body.decode()}")
        token: str = answer.json()["access_token"]
        return token

    def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        address = urlsplit(self.address)
        connection = http.client.HTTPConnection(address.netloc, timeout=REQUEST_SECONDS_MAX)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
