"""Makes autoscaling due for every account for which it is not: those that are older than it. Safe to repeat."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from billing.aws_session import aws_session
from billing.store.autoscaling_store import AutoscalingStore
from billing.usecases.scale_account import schedule_account
from botocore.exceptions import BotoCoreError, ClientError

from local.settings import LocalError
from scripts.stack import Failed, add_stack_options, stack_resources, use_local_stack


def schedule(store: AutoscalingStore, now: datetime) -> tuple[int, int]:
    """How many accounts there are, and for how many it was made due. Reads the whole table."""
    made = [schedule_account(account, now=now, store=store) for account in store.accounts()]
    return len(made), sum(made)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.schedule_autoscaling", description=__doc__)
    add_stack_options(parser)
    options = parser.parse_args(arguments)
    try:
        if options.local:
            use_local_stack()
        session = aws_session()
        _, table = stack_resources(options.stack, session)["Table"]
        store = AutoscalingStore(table, session.create_client("dynamodb"))
        accounts, made = schedule(store, datetime.now(UTC))  # noqa: TID251 - the first month is the one to come
    except (Failed, LocalError, BotoCoreError, ClientError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    sys.stdout.write(f"{accounts} accounts, {made} of them scheduled now\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
