"""The process of the stand-in for Stripe, and its keys, which are valid nowhere else."""

from __future__ import annotations

import http.client
from http import HTTPStatus
from pathlib import Path

from local.local_server import LocalServer
from local.settings import HOST, LocalError, Settings

KEEP_SECONDS_MAX = 20
CODE = frozenset({".css", ".html", ".js", ".py"})

KEYS = {
    "api_key": "sk_test_livello",
    "publishable_key": "pk_test_livello",
    "webhook_secret": "whsec_livello",
}
SECRETS = {"StripeApiSecretArn": ("api_key", "publishable_key"), "StripeSecretArn": ("webhook_secret",)}
"""The outputs of template.yaml that name the secrets, and the keys in each."""


def stripe_stand_in(settings: Settings) -> LocalServer:
    """The stand-in of one local stack."""
    return LocalServer(
        name="stripe",
        title="The stand-in for Stripe",
        folder=settings.folder,
        port=settings.stripe_port,
        module="local.stripe",
        options=(
            *("--file", str(account_file(settings))),
            *("--key", KEYS["api_key"]),
            *("--publishable-key", KEYS["publishable_key"]),
            *("--webhook-url", f"{settings.address}/v1/webhooks/stripe"),
            *("--webhook-secret", KEYS["webhook_secret"]),
            *("--page", settings.address),
        ),
        code=sorted(each for each in Path(__file__).parent.rglob("*.*") if each.suffix in CODE),
    )


def account_file(settings: Settings) -> Path:
    """The file of the stand-in's account."""
    return settings.folder / "stripe-account.json"


def keep_stripe_account(server: LocalServer) -> None:
    """Makes the running stand-in save its account to the disk. Raises LocalError if it cannot."""
    port = server.running_port()
    if port is None:
        return
    connection = http.client.HTTPConnection(HOST, port, timeout=KEEP_SECONDS_MAX)
    try:
        connection.request("POST", "/_test/keep", b"{}")
        answer = connection.getresponse()
        reason = answer.read().decode()
    except (OSError, http.client.HTTPException):
        return  # it is stuck; it has saved what it could after each request
    finally:
        connection.close()
    if answer.status == HTTPStatus.INSUFFICIENT_STORAGE:
        raise LocalError(
            f"The stand-in for Stripe cannot save its account, and goes on: {reason}\nMake room, and try again."
        )
