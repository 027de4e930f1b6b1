"""Shows the vendor's account at Stripe that a deployment has kept, and the one that its API key belongs to.

A deployment keeps its Stripe account and mode at the first use, and stops when a key belongs to another one: customers
and payments are unknown there. --change keeps the account of the current key from now on; docs/operate.md says when.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from billing.kernel.errors import BillingError
from billing.payments.records import PaymentStore
from billing.payments.stripe_gateway import StripePayments
from billing.platform.aws_session import aws_session
from botocore.exceptions import BotoCoreError, ClientError

from local.settings import LocalError
from scripts.stack import OperatorError, add_stack_options, payment_secret, stack_resources, use_local_stack


def show_or_change(store: PaymentStore, payments: StripePayments, *, change: bool) -> bool:
    """Prints both accounts, and keeps that of the key with `change`. Returns whether they agree then."""
    current, kept = payments.merchant(), store.merchant()
    sys.stdout.write(f"kept: {kept or 'none yet'}\nAPI key: {current}\n")
    if change and current != kept:
        store.change_merchant(current)
        sys.stdout.write(f"kept from now on: {current}\n")
    return change or kept in {None, current}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 where the accounts differ."""
    parser = argparse.ArgumentParser(prog="python -m scripts.stripe_account", description=__doc__)
    add_stack_options(parser)
    parser.add_argument("--change", action="store_true", help="keep the account of the current API key from now on")
    options = parser.parse_args(arguments)
    try:
        if options.local:
            use_local_stack()
        session = aws_session()
        resources = stack_resources(options.stack, session)
        store = PaymentStore(resources["Table"][1], session.create_client("dynamodb"))
        secret = payment_secret(resources, session)
        address = os.environ.get("STRIPE_API_BASE") or None
        payments = StripePayments(secret.value, address, store.require_merchant)
        return 0 if show_or_change(store, payments, change=options.change) else 1
    except (OperatorError, LocalError, BillingError, BotoCoreError, ClientError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
