"""Gives each account that lacks them its first due dates: autoscaling, invoices, renewal notices. Safe to repeat.

These are the accounts from before autoscaling, before invoices, or before the mail about the last day to avoid a
renewal. Their invoices begin with the next renewal, because the running paid period was invoiced elsewhere. The mail is
sent at once where that day is less than a week away.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from billing.ending.cancellation.commands import schedule_notice
from billing.ending.cancellation.records import CancellationStore
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


def schedule_notices(store: CancellationStore, now: datetime) -> int:
    """Schedules the renewal notice of every account that lacks it. Returns for how many accounts it became due.

    Scans the table, then reads each account once.
    """
    return sum(schedule_notice(account, now=now, store=store) for account in [*store.accounts()])


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
        now = datetime.now(UTC)  # noqa: TID251 - the first month is the one to come
        accounts, scaled, invoiced = schedule(store, invoices, now)
        notices = schedule_notices(CancellationStore(table, client), now)
    except (OperatorError, LocalError, BillingError, BotoCoreError, ClientError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    scheduled = f"autoscaling of {scaled}, invoices of {invoiced}, renewal notices of {notices}"
    sys.stdout.write(f"{accounts} accounts; scheduled now: {scheduled}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
