"""Erases one person from the record of an account, where none of its admins can or will (GDPR art. 17).

Name the person by their address, or by the id of their log-in. Without --yes it only prints what it has found. With
--yes it takes their access and begins the erasure, as an admin's request does; the function EndAccount does the rest
within hours, and records user.erased. The last admin, and a person whom the billing information names, are refused.
docs/operate.md (Personal data) says what is erased, and what is not reached.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from billing.ending.erasure.commands import look_for, request_erasure
from billing.ending.erasure.records import ErasureStore
from billing.kernel.errors import BillingError, NotFound
from billing.kernel.events import by_system
from billing.platform.aws_session import aws_session
from botocore.exceptions import BotoCoreError, ClientError

from local.settings import LocalError
from scripts.stack import OperatorError, add_stack_options, stack_resources, use_local_stack


@dataclass(frozen=True, slots=True)
class Found:
    """A person in the record of an account: their log-ins, and how many entries name them."""

    users: Sequence[str]
    entries: int
    is_user: bool


def find(account: str, *, user: str | None, email: str | None, store: ErasureStore) -> Found:
    """Looks through the whole record of an account. Raises NotFound, AccountNotFound."""
    roles = store.account(account).roles
    aliases, entries = look_for(account, user=user, email=email, store=store)
    if not entries:
        raise NotFound("The record of this account knows no such person.")
    present = sorted(aliases.ids & roles.keys())
    return Found(present or sorted(aliases.ids), entries, bool(present))


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what is found, and begins the erasure with --yes. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.erase_person", description=__doc__)
    add_stack_options(parser)
    parser.add_argument("--account", required=True)
    named = parser.add_mutually_exclusive_group(required=True)
    named.add_argument("--email", help="an address of the person")
    named.add_argument("--user", help="the id of their log-in")
    parser.add_argument("--yes", action="store_true", help="erase them; without it they are only looked for")
    options = parser.parse_args(arguments)
    try:
        if options.local:
            use_local_stack()
        session = aws_session()
        resources = stack_resources(options.stack, session)
        store = ErasureStore(resources["Table"][1], session.create_client("dynamodb"))
        found = find(options.account, user=options.user, email=options.email, store=store)
        who = "a user of the account" if found.is_user else "somebody who is no user any more"
        sys.stdout.write(f"{', '.join(found.users)}: {who}, named in {found.entries} entries of the record\n")
        if options.yes:
            context = by_system(datetime.now(UTC), str(uuid4()))  # noqa: TID251
            account = store.account(options.account)
            erasure = request_erasure(account, found.users[0], context=context, store=store)
            sys.stdout.write(f"being erased as {erasure.pseudonym}: user.erased says when it is done\n")
    except (OperatorError, LocalError, BillingError, BotoCoreError, ClientError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
