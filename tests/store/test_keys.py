"""The sort orders that the key design relies on."""

from datetime import date

from billing.platform.dynamodb import keys


def test_no_family_sorts_between_the_invoices_and_the_page_of_an_account() -> None:
    """One query reads both for the billing page. It would read, and pay for, a family in between."""
    families = sorted(keys.ACCOUNT_FAMILIES)

    assert families.index(keys.PAGE) == families.index(keys.INVOICE) + 1


def test_every_item_of_the_page_is_in_its_family_once() -> None:
    assert all(key.startswith(keys.PAGE) for key in keys.PAGE_ITEMS)
    assert len(set(keys.PAGE_ITEMS)) == len(keys.PAGE_ITEMS)


def test_newer_versions_and_invoices_sort_later() -> None:
    assert keys.catalogue_version(9) < keys.catalogue_version(10) < keys.catalogue_version(100_000)
    assert keys.invoice(date(2025, 12, 31), "A-2025-000009") < keys.invoice(date(2026, 1, 1), "A-2026-000001")
    assert keys.invoice(date(2026, 1, 1), "A-2026-000001") < keys.invoice(date(2026, 1, 1), "A-2026-000002")


def test_a_family_ends_before_the_next_begins() -> None:
    assert keys.invoice(date(9999, 12, 31), "Z" * 50) < keys.last_of(keys.INVOICE) < keys.PAGE
