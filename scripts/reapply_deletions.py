"""Deletes the accounts that a restored backup has brought back: those whose deletion has a receipt.

Run it on a restored table before anything else uses the table. The receipts are in the bucket of documents, which a
restore of the table does not change. Without --yes it only prints the accounts. docs/restore.md explains it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from billing.accounts.cognito_directory import CognitoDirectory
from billing.accounts.records import AccountStore
from billing.ending.deletion.claims import CLAIM_YEARS
from billing.ending.deletion.commands import RECEIPTS, Purger, purge_again
from billing.ending.deletion.records import PurgeStore
from billing.ending.deletion.rules import identity
from billing.invoicing.records import InvoiceStore
from billing.kernel.errors import BillingError
from billing.payments.records import PaymentStore
from billing.payments.stripe_gateway import StripePayments
from billing.platform.aws_session import aws_session
from billing.platform.files.s3_documents import S3Documents
from botocore.exceptions import BotoCoreError, ClientError

from local.settings import LocalError
from scripts.stack import OperatorError, add_stack_options, payment_secret, stack_resources, use_local_stack


def deleted_accounts(purger: Purger) -> Iterator[str]:
    """The accounts whose deletion was cut off, then those in the table that have a receipt.

    Scans the table and reads every receipt.
    """
    identities = {
        json.loads(receipt)["identity"]
        for key in purger.documents.keys(RECEIPTS)
        if (receipt := purger.documents.get(key)) is not None
    }
    yield from purger.purges.under_way()
    for name in purger.accounts.accounts():
        if identity(name, purger.accounts.account(name).provisioned_as) in identities:
            yield name


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
        client = session.create_client("dynamodb")
        secret = payment_secret(resources, session)
        methods = PaymentStore(table, client)
        address = os.environ.get("STRIPE_API_BASE") or None
        purger = Purger(
            accounts=AccountStore(table, client),
            methods=methods,
            purges=PurgeStore(table, client),
            invoices=InvoiceStore(table, client),
            documents=S3Documents(resources["Documents"][1], session),
            # The first deletion has archived the invoices already (DESIGN 3.7.3).
            archive=None,
            archive_years=0,
            gateway=StripePayments(secret.value, address, methods.require_merchant),
            directory=CognitoDirectory(resources["People"][1], session),
            wait=timedelta(),
            claim_years=options.claim_years,
        )
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
