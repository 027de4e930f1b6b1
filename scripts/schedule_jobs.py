"""Gives each account that lacks them its first due dates for autoscaling and invoices. Safe to repeat.

These are the accounts from before autoscaling, or before invoices. Their invoices begin with the next renewal, because
the running paid period was invoiced elsewhere.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from billing.invoicing.issue_invoices import schedule_invoices
from billing.invoicing.records import InvoiceStore
from billing.kernel.errors import BillingError
from billing.platform.aws_session import aws_session
from billing.scaling.records import AutoscalingStore
from billing.scaling.scale_account import schedule_account
from botocore.exceptions import BotoCoreError, ClientError

from local.settings import LocalError
from scripts.stack import OperatorError, add_stack_options, stack_resources, use_local_stack


def schedule(store: AutoscalingStore, invoices: InvoiceStore, now: datetime) -> tuple[int, int, int]:
    """Schedules every account. Returns the number of accounts, and for how many autoscaling and invoices became due.

    Scans the table, then reads each account twice.
    """
    accounts = [*store.accounts()]
    scaled = sum(schedule_account(account, now=now, store=store) for account in accounts)
    invoiced = sum(schedule_invoices(account, now=now, store=invoices) for account in accounts)
    return len(accounts), scaled, invoiced


def main(arguments: Sequence[str] | None = None) -> int:
    """Schedules, and prints the counts. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.schedule_jobs", description=__doc__)
    add_stack_options(parser)
    options = parser.parse_args(arguments)
    try:
        if options.local:
            use_local_stack()
        session = aws_session()
        _, table = stack_resources(options.stack, session)["Table"]
        client = session.create_client("dynamodb")
        store, invoices = AutoscalingStore(table, client), InvoiceStore(table, client)
        accounts, scaled, invoiced = schedule(store, invoices, datetime.now(UTC))  # noqa: TID251 - the first month is the one to come
    except (OperatorError, LocalError, BillingError, BotoCoreError, ClientError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    sys.stdout.write(f"{accounts} accounts; scheduled now: autoscaling of {scaled}, invoices of {invoiced}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
