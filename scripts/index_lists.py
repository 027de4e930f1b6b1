"""Takes the accounts of earlier releases into the lists of staff. Safe to repeat, and to cut off.

Run it once after the upgrade to the release that has the lists, when no function of the release before runs any more.
It prints each account that it has done: `--after ACCOUNT` goes on behind one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from billing.billing_page.list_index_records import ListIndexStore
from billing.kernel.errors import BillingError, Busy, ConcurrentChange
from billing.platform.aws_session import aws_session
from botocore.exceptions import BotoCoreError, ClientError

from local.settings import LocalError
from scripts.stack import OperatorError, add_stack_options, stack_resources, use_local_stack


def index_lists(store: ListIndexStore, after: str | None = None) -> bool:
    """Takes all accounts in, or those behind one. Returns whether all are in their lists now.

    Scans the table, then reads each account. An account that is busy is left for another run.
    """
    accounts = items = left = 0
    for account in store.accounts(after):
        accounts += 1
        try:
            done = store.index_account(account)
        except (Busy, ConcurrentChange):
            left += 1
            sys.stdout.write(f"{account}: busy, run this again\n")
            continue
        items, left = items + done.items, left + (done.changed > 0)
        sys.stdout.write(f"{account}: {done.items} items{', some changed: run this again' if done.changed else ''}\n")
    sys.stdout.write(f"{accounts} accounts, {items} items taken in, {left} accounts to look at again\n")
    return not left


def main(arguments: Sequence[str] | None = None) -> int:
    """Takes accounts in, and prints each. Returns the exit status: 1 where another run is needed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.index_lists", description=__doc__)
    add_stack_options(parser)
    parser.add_argument("--after", metavar="ACCOUNT", help="go on behind the account that a run has printed last")
    options = parser.parse_args(arguments)
    try:
        if options.local:
            use_local_stack()
        session = aws_session()
        _, table = stack_resources(options.stack, session)["Table"]
        is_done = index_lists(ListIndexStore(table, session.create_client("dynamodb")), options.after)
    except (OperatorError, LocalError, BillingError, BotoCoreError, ClientError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0 if is_done else 1


if __name__ == "__main__":
    sys.exit(main())
