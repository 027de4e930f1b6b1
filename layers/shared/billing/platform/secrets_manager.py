"""A secret of AWS Secrets Manager that several values share, read again every few minutes: so a new key is found.

powertools' parameters would do the same, and load boto3 and five other services' code for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed

BELIEVED_SECONDS = 300


class Secret:
    """One secret, a JSON object of texts."""

    def __init__(self, secret: str, session: Session) -> None:
        """`secret` is its ARN, or its name."""
        self._secret = secret
        self._client: Any = session.create_client("secretsmanager")
        self._values: Mapping[str, str] = {}
        self._read_at = float("-inf")

    def value(self, name: str) -> str:
        """One of its values. Raises UpstreamFailed if it is not there, or empty."""
        if monotonic() - self._read_at > BELIEVED_SECONDS or not self._values.get(name):
            self._values, self._read_at = self._read(), monotonic()
        found = self._values.get(name)
        if not found:
            raise UpstreamFailed(f"The secret has no {name} yet.")
        return found

    def _read(self) -> Mapping[str, str]:
        try:
            text = self._client.get_secret_value(SecretId=self._secret)["SecretString"]
            values: Mapping[str, str] = orjson.loads(text)
        except (BotoCoreError, ClientError, orjson.JSONDecodeError):
            # What stands in the secret, or near it, must reach no log: the cause is left out.
            raise UpstreamFailed("The secret cannot be read.") from None
        return values
