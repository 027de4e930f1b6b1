"""The rules of deletion: its day, the recipients of the last mail, the archiving of invoices (DESIGN 3.7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from billing.accounts.rules import Status
from billing.ending.deletion.rules import archived_until, deletion_recipients, is_deletion_due
from billing.kernel.permissions import Role

from tests.store.samples import ACCOUNT, ADMIN, MEMBER, PAGE

DUE = date(2026, 7, 1)


@pytest.mark.parametrize("status", Status)
def test_only_a_deactivated_account_is_deleted(status: Status) -> None:
    at = datetime(2026, 7, 2, tzinfo=UTC)

    assert is_deletion_due(replace(ACCOUNT, status=status), DUE, at) is (status is Status.DEACTIVATED)


def test_the_day_of_deletion_begins_in_the_time_zone_of_the_account() -> None:
    account = replace(ACCOUNT, status=Status.DEACTIVATED)

    assert not is_deletion_due(account, DUE, datetime(2026, 6, 30, 21, 59, tzinfo=UTC))
    assert is_deletion_due(account, DUE, datetime(2026, 6, 30, 22, 0, tzinfo=UTC))


def test_admins_and_the_address_for_invoices_get_the_last_mail() -> None:
    assert deletion_recipients([ADMIN, MEMBER], PAGE.information) == {
        ADMIN.email: ADMIN.name,
        "invoices@nordlys.example": "Ada Holm",
    }


def test_an_admin_at_the_address_for_invoices_is_addressed_by_their_own_name() -> None:
    person = replace(MEMBER, email="invoices@nordlys.example", role=Role.ADMIN)

    assert deletion_recipients([person], PAGE.information) == {person.email: person.name}


def test_an_invoice_is_archived_for_full_years_after_the_year_of_its_issue() -> None:
    assert archived_until(date(2026, 1, 1), 10) == archived_until(date(2026, 12, 31), 10) == date(2036, 12, 31)
