"""The two secrets with Stripe's keys: each function reads its own, and those of earlier releases are still read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from billing import wiring
from billing.kernel.errors import UpstreamFailed
from billing.platform import secrets_manager

from scripts.split_stripe_secret import split
from tests.aws import REGION

FORMER = {"api_key": "sk_1", "publishable_key": "pk_1", "webhook_secret": "whsec_1"}
EMPTY = {"api_key": "", "publishable_key": ""}
WEBHOOK, API = "former", "keys"


@pytest.fixture
def secrets(aws: None, fresh_wiring: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The secrets just after an upgrade: the old one is filled in, the new one is empty."""
    client = boto3.client("secretsmanager", region_name=REGION)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", WEBHOOK)
    monkeypatch.setenv("STRIPE_SECRET", API)
    client.create_secret(Name=WEBHOOK, SecretString=json.dumps(FORMER))
    client.create_secret(Name=API, SecretString=json.dumps(EMPTY))
    yield client
    for name in (WEBHOOK, API):
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def stored(secrets: Any, name: str, stage: str = "AWSCURRENT") -> Any:
    return json.loads(secrets.get_secret_value(SecretId=name, VersionStage=stage)["SecretString"])


def test_the_keys_of_an_earlier_release_are_read_until_they_are_split(secrets: Any) -> None:
    assert wiring.payment_secret()("api_key") == "sk_1"
    assert wiring.webhook_secret()("webhook_secret") == "whsec_1"

    secrets.put_secret_value(SecretId=API, SecretString=json.dumps({**EMPTY, "api_key": "sk_2"}))
    wiring.forget()

    assert wiring.payment_secret()("api_key") == "sk_2", "a key in its own secret wins"
    assert wiring.payment_secret()("publishable_key") == "pk_1"


def test_a_split_under_a_running_function_fails_no_request(secrets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caches of the two secrets expire at different times."""
    seconds = 0.0
    monkeypatch.setattr(secrets_manager, "monotonic", lambda: seconds)
    read = wiring.payment_secret()
    assert read("api_key") == "sk_1"

    assert split(secrets, WEBHOOK, API)
    for seconds in (1.0, 299.0, 301.0, 302.0, 700.0):  # noqa: B007 - the clock reads it
        assert read("api_key") == "sk_1"


def test_an_expired_former_secret_is_not_the_last_word(secrets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = wiring.payment_secret()
    assert read("api_key") == "sk_1"
    former = read.__self__._former  # type: ignore[attr-defined]
    split(secrets, WEBHOOK, API)

    former._read_at = float("-inf")

    assert read("api_key") == "sk_1", "the empty secret in the cache is read again"


def test_a_split_leaves_no_api_key_where_the_webhook_can_read_it(secrets: Any) -> None:
    assert split(secrets, WEBHOOK, API)

    assert stored(secrets, API) == {"api_key": "sk_1", "publishable_key": "pk_1"}
    for stage in ("AWSCURRENT", "AWSPREVIOUS"):
        assert stored(secrets, WEBHOOK, stage) == {"webhook_secret": "whsec_1"}


def test_a_split_may_be_repeated_and_keeps_a_newer_key(secrets: Any) -> None:
    secrets.put_secret_value(SecretId=API, SecretString=json.dumps({"api_key": "sk_2", "publishable_key": ""}))

    assert split(secrets, WEBHOOK, API)
    assert not split(secrets, WEBHOOK, API)

    assert stored(secrets, API) == {"api_key": "sk_2", "publishable_key": "pk_1"}


@pytest.mark.parametrize("writes", [1, 2])
def test_a_split_that_is_cut_off_loses_no_key_and_is_finished_by_the_next(writes: int, secrets: Any) -> None:
    class CutOff(Exception):
        pass

    class Client:
        written = 0
        get_secret_value, exceptions = secrets.get_secret_value, secrets.exceptions

        def put_secret_value(self, **given: Any) -> None:
            if self.written == writes:
                raise CutOff
            self.written += 1
            secrets.put_secret_value(**given)

    with pytest.raises(CutOff):
        split(Client(), WEBHOOK, API)
    assert wiring.payment_secret()("api_key") == "sk_1"
    assert wiring.webhook_secret()("webhook_secret") == "whsec_1"

    split(secrets, WEBHOOK, API)
    wiring.forget()

    assert wiring.payment_secret()("api_key") == "sk_1"
    assert all("api_key" not in stored(secrets, WEBHOOK, stage) for stage in ("AWSCURRENT", "AWSPREVIOUS"))


def test_empty_secrets_are_named(secrets: Any) -> None:
    for _ in range(2):
        secrets.put_secret_value(SecretId=WEBHOOK, SecretString=json.dumps({**EMPTY, "webhook_secret": ""}))

    for read, name in ((wiring.payment_secret(), "api_key"), (wiring.webhook_secret(), "webhook_secret")):
        with pytest.raises(UpstreamFailed, match=name):
            read(name)
    assert not split(secrets, WEBHOOK, API)
