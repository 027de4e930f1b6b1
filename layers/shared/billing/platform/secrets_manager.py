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

    def __init__(self, secret: str, session: Session) -> None:
        """`secret` is the ARN or the name of the secret."""
        self._secret = secret
        self._client: Any = session.create_client("secretsmanager")
        self._values: Mapping[str, str] = {}
        self._read_at = float("-inf")

    def value(self, name: str) -> str:
        """A value of the secret. One call, or none while it is cached.

        Raises ValueMissing if the value is missing or empty, UpstreamFailed if the secret cannot be read.
        """
        if monotonic() - self._read_at > CACHE_SECONDS or not self._values.get(name):
            self._values, self._read_at = self._read(), monotonic()
        value = self._values.get(name)
        if not value:
            raise ValueMissing(f"The secret has no {name} yet.")
        return value

    def _read(self) -> Mapping[str, str]:
        try:
            text = self._client.get_secret_value(SecretId=self._secret)["SecretString"]
            values: Mapping[str, str] = orjson.loads(text)
        except (BotoCoreError, ClientError, orjson.JSONDecodeError):
            # The cause may contain text of the secret, which must not reach a log. So it is left out.
            raise UpstreamFailed("The secret cannot be read.") from None
        return values
