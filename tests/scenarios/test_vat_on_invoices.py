"""From a company's address and VAT number to its invoice, also for identifiers that older accounts stored as typed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from billing.accounts.information import CompanyDetails
from billing.billing_page.provision_account import provision_account
from billing.invoicing.issue_invoices import issue_invoices

from tests.faults.company import NEW_ACCOUNT, SETTINGS, catalogue
from tests.faults.network import connected
from tests.store.samples import CONTEXT

STARTS = date(2026, 11, 23)
BEGINS = datetime.combine(STARTS, time.min, ZoneInfo(NEW_ACCOUNT.contract.time_zone)).astimezone(UTC)


def invoiced(company: CompanyDetails) -> tuple[dict[str, str], CompanyDetails, int, int]:
    """Returns the stored company, and the first invoice's company, net amount and tax in minor units."""
    with connected(), catalogue().calm() as world:
        contract = replace(NEW_ACCOUNT.contract, start=STARTS)
        provisioning = replace(NEW_ACCOUNT, company=company, contract=contract, discounts=(), invoiced_until=None)
        provision_account(
            provisioning,
            context=replace(CONTEXT, time=BEGINS - timedelta(days=3)),
            directory=world.directory,
            pages=world.store,
            catalogues=world.store,
        )
        now = BEGINS + timedelta(hours=1)
        [number] = issue_invoices(
            NEW_ACCOUNT.account, now=now, correlation="run", settings=SETTINGS, store=world.invoicing
        )
        invoice = world.invoicing.invoice(NEW_ACCOUNT.account, number).invoice
        [stored] = [item for item in world.stored("PAGE") if item["sk"]["S"].endswith("COMPANY")]
        return (
            json.loads(stored["body"]["S"]),
            invoice.company,
            invoice.draft.net.amount,
            invoice.draft.tax_amount.amount,
        )


@pytest.mark.parametrize(
    ("country", "postcode", "city", "vat_number", "percent"),
    [
        ("MC", "98000", "Monaco", None, 20),
        ("MC", "98000", "Monaco", "FR53000004605", 0),
        ("ES", "35001", "Las Palmas", None, 0),
        ("PT", "9500-150", "Ponta Delgada", None, 16),
        ("AT", "6993", "Mittelberg", None, 19),
        ("DE", "27498", "Helgoland", None, 0),
    ],
)
def test_an_invoice_has_the_tax_of_the_companys_territory(
    country: str, postcode: str, city: str, vat_number: str | None, percent: int
) -> None:
    company = replace(NEW_ACCOUNT.company, country=country, postcode=postcode, city=city, vat_number=vat_number)

    _, on_invoice, net, tax = invoiced(company)

    assert on_invoice == company
    assert abs(tax * 100 - net * percent) <= 50


def test_identifiers_stored_as_typed_are_normalised_on_the_invoice() -> None:
    company = replace(
        NEW_ACCOUNT.company,
        country="IT",
        postcode="\uff12\uff13\uff10\uff14\uff11",
        vat_number="IT\uff10\uff10743110157",
    )

    stored, on_invoice, _, tax = invoiced(company)

    assert (stored["postcode"], stored["vat_number"]) == (company.postcode, company.vat_number)
    assert (on_invoice.postcode, on_invoice.vat_number) == ("23041", "IT00743110157")
    assert tax == 0, "Livigno is outside the VAT area"


def test_a_full_width_vat_number_gets_the_reverse_charge() -> None:
    company = replace(NEW_ACCOUNT.company, country="IT", postcode="00100", vat_number="\uff29\uff3400743110157")

    _, on_invoice, _, tax = invoiced(company)

    assert (on_invoice.vat_number, tax) == ("IT00743110157", 0)
