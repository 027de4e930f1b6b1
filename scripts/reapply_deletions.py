"""Deletes the accounts that a restored backup has brought back: those whose deletion has a receipt.

scripts.restore does this by itself. Run this one if the items of a backup came back in another way. The receipts are in
the bucket of documents, which a restore of the table does not change. Without --yes it only prints the accounts. An
account that is younger than the receipt stays, also if it has the same id and was provisioned by the same request. So
does everything that belongs to an account in use: its files, its customer at Stripe, the log-ins of its users.
docs/restore.md explains it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from billing.accounts.cognito_directory import CognitoDirectory
from billing.accounts.records import AccountStore
from billing.accounts.rules import Account
from billing.ending.deletion.claims import CLAIM_YEARS
from billing.ending.deletion.commands import RECEIPTS, Purger, purge_again
from billing.ending.deletion.records import PurgeStore, receipt_from
from billing.ending.deletion.rules import Receipt, identity
from billing.invoicing.records import InvoiceStore
from billing.kernel.errors import BillingError
from billing.payments.records import PaymentStore
from billing.platform.aws_session import aws_session
from billing.platform.dynamodb.table import quiet
from billing.platform.files.interfaces import Documents
from billing.platform.files.s3_documents import S3Documents
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from local.settings import LocalError
from scripts.stack import (
    OperatorError,
    Resources,
    add_stack_options,
    stack_resources,
    stripe_payments,
    use_local_stack,
)


@dataclass(frozen=True, slots=True)
class Receipts:
    """The receipts of all deletions, by the digest of the account's identity; of several the newest."""

    by_identity: Mapping[str, Receipt]
    ids: frozenset[str]

    @classmethod
    def of(cls, documents: Documents) -> Receipts:
        """Reads every receipt in the bucket."""
        found = [
            receipt_from(text.decode())
            for key in documents.keys(RECEIPTS)
            if (text := documents.get(key)) is not None and "identity" in json.loads(text)
        ]
        newest_last = sorted(found, key=lambda receipt: receipt.began_at)
        return cls({each.identity: each for each in newest_last}, frozenset(each.id for each in found))

    def of_account(self, account: Account, provisioned_at: datetime | None) -> Receipt | None:
        """The receipt of an account's deletion, None for an account that was not deleted.

        An account of an earlier release has no identity of its own. Its digest is that of every account with the same
        id and request, so its age decides. One whose age is unknown was not deleted.
        """
        receipt = self.by_identity.get(identity(account))
        if receipt is None or account.identity:
            return receipt
        return receipt if provisioned_at is not None and provisioned_at < receipt.began_at else None


def deleted_accounts(purger: Purger) -> Iterator[str]:
    """The accounts whose deletion after a restore was cut off, then those in the table that have a receipt.

    Scans the table and reads every receipt. A first deletion that is under way is left to the function that does it:
    only that one has archived the invoices.
    """
    receipts = Receipts.of(purger.documents)
    for name in purger.purges.under_way():
        purge = purger.purges.purge(name)
        if purge is not None and (purge.is_again or purge.receipt in receipts.ids):
            yield name
    for name in purger.accounts.accounts():
        account = purger.accounts.account(name)
        if receipts.of_account(account, purger.purges.provisioned_at(name)) is not None:
            yield name


def purger_of(
    resources: Resources, session: Session, table: str, *, claim_years: int, restored: str | None = None
) -> Purger:
    """What deletes accounts of a table again. With `restored` its events are not published."""
    client: Any = session.create_client("dynamodb")
    in_use = resources["Table"][1]
    purges, methods = PurgeStore(table, client), PaymentStore(in_use, client)
    return Purger(
        accounts=AccountStore(table, client),
        methods=PaymentStore(table, client),
        purges=purges if restored is None else quiet(purges, restored),
        invoices=InvoiceStore(table, client),
        documents=S3Documents(resources["Documents"][1], session),
        # The first deletion has archived the invoices already (DESIGN 3.7.3).
        archive=None,
        archive_years=0,
        gateway=stripe_payments(resources, session, methods.require_merchant),
        directory=CognitoDirectory(resources["People"][1], session),
        wait=timedelta(),
        claim_years=claim_years,
        living=None if table == in_use else PurgeStore(in_use, client),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the accounts, and deletes them with --yes. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.reapply_deletions", description=__doc__)
    add_stack_options(parser)
    parser.add_argument("--table", help="the restored table, if it is not the stack's own")
    parser.add_argument("--yes", action="store_true", help="delete them; without it they are only printed")
    parser.add_argument("--claim-years", type=int, default=CLAIM_YEARS, help="ClaimYears of the stack")
    options = parser.parse_args(arguments)
    try:
        if options.local:
            use_local_stack()
        session = aws_session()
        resources = stack_resources(options.stack, session)
        table = options.table or resources["Table"][1]
        purger = purger_of(resources, session, table, claim_years=options.claim_years)
        accounts = [*deleted_accounts(purger)]
        for account in accounts:
            if options.yes:
                purge_again(account, now=datetime.now(UTC), correlation=str(uuid4()), purger=purger)  # noqa: TID251
            sys.stdout.write(f"{account}: {'deleted again' if options.yes else 'was deleted, and is back'}\n")
    except (OperatorError, LocalError, BillingError, BotoCoreError, ClientError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    sys.stdout.write(f"{len(accounts)} accounts of {table}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
