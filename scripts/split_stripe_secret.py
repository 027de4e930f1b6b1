"""Moves Stripe's API keys out of the webhook's secret, which had them in releases before there were two secrets.

The functions read both secrets, so nothing stops before, during or after it. It may be repeated, also after it was cut
off. docs/operate.md (Stripe) says when to run it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from billing.platform.aws_session import aws_session
from botocore.exceptions import BotoCoreError, ClientError

from local.settings import LocalError
from scripts.stack import API_SECRET, WEBHOOK_SECRET, OperatorError, add_stack_options, stack_resources, use_local_stack

API_KEYS = ("api_key", "publishable_key")


def split(secrets: Any, webhook_secret: str, api_secret: str) -> bool:
    """Moves the API keys from one secret to the other. Returns whether there were any.

    Keys that the API's secret has already are left as they are. Up to six calls.
    """
    former, keys = _read(secrets, webhook_secret), _read(secrets, api_secret)
    versions = (former, _read(secrets, webhook_secret, "AWSPREVIOUS"))
    if not any(version.get(name) for version in versions for name in API_KEYS):
        return False
    moved = {name: keys.get(name) or former.get(name, "") for name in API_KEYS}
    if moved != keys:
        secrets.put_secret_value(SecretId=api_secret, SecretString=json.dumps(moved))
    left = {name: value for name, value in former.items() if name not in API_KEYS}
    for _ in range(2):  # Secrets Manager keeps the version before the current one readable (AWSPREVIOUS)
        secrets.put_secret_value(SecretId=webhook_secret, SecretString=json.dumps(left))
    return True


def _read(secrets: Any, secret: str, stage: str = "AWSCURRENT") -> dict[str, str]:
    """A version of a secret; empty if there is none at that stage."""
    try:
        version = secrets.get_secret_value(SecretId=secret, VersionStage=stage)
        values: dict[str, str] = json.loads(version["SecretString"])
    except secrets.exceptions.ResourceNotFoundException:
        return {}
    except json.JSONDecodeError:
        # The cause has the text of the secret, which must not reach a terminal.
        raise OperatorError(f"{secret} is no JSON: put it again, as docs/operate.md says.") from None
    return values


def main(arguments: Sequence[str] | None = None) -> int:
    """Splits the secret of a stack. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.split_stripe_secret", description=__doc__)
    add_stack_options(parser)
    options = parser.parse_args(arguments)
    try:
        if options.local:
            use_local_stack()
        session = aws_session()
        resources = stack_resources(options.stack, session)
        secrets = session.create_client("secretsmanager")
        moved = split(secrets, resources[WEBHOOK_SECRET][1], resources[API_SECRET][1])
    except (OperatorError, LocalError, BotoCoreError, ClientError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    sys.stdout.write("The API keys have moved to their own secret.\n" if moved else "There is nothing to split.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
