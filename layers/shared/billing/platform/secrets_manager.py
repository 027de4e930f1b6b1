"""A secret of AWS Secrets Manager with several values. It is cached for minutes only, so a rotated key takes effect.

The parameters utility of powertools does the same, but loads boto3 and the code of five other services.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed

CACHE_SECONDS = 300


class ValueMissing(UpstreamFailed):
    """The secret was read, and nobody has put this value into it."""


class Secret:
    """One secret: a JSON object of strings."""

    def __init__(self, secret: str, session: Session, former: Secret | None = None) -> None:
        """`secret` is the ARN or the name of the secret. `former` has the values that were not moved here yet."""
        self._secret = secret
        self._former = former
        self._client: Any = session.create_client("secretsmanager")
        self._values: Mapping[str, str] = {}
        self._read_at = float("-inf")

    def value(self, name: str) -> str:
        """A value of the secret, or else of its former place. One call for each of them, or none while it is cached.

        Raises ValueMissing if the value is missing or empty, UpstreamFailed if a secret cannot be read.
        """
        value = self.cached(name) or (self._former.cached(name) if self._former else None)
        if not value:  # it may have been given, or moved here, a moment ago
            self._refresh()
            value = self._values.get(name)
        if not value:
            raise ValueMissing(f"The secret has no {name} yet.")
        return value

    def cached(self, name: str) -> str | None:
        """The value as of CACHE_SECONDS ago at most; None if it is missing. Raises UpstreamFailed."""
        if monotonic() - self._read_at > CACHE_SECONDS:
            self._refresh()
        return self._values.get(name)

    def _refresh(self) -> None:
        self._values, self._read_at = self._read(), monotonic()

    def _read(self) -> Mapping[str, str]:
        try:
            text = self._client.get_secret_value(SecretId=self._secret)["SecretString"]
            values: Mapping[str, str] = orjson.loads(text)
        except (BotoCoreError, ClientError, orjson.JSONDecodeError):
            # The cause may contain text of the secret, which must not reach a log. So it is left out.
            raise UpstreamFailed("The secret cannot be read.") from None
        return values
