"""The key design's promises."""

from datetime import date

from billing.platform.dynamodb import keys


def test_nothing_of_an_account_sorts_between_its_invoices_and_its_page() -> None:
    """The billing page is one query over both: a family in between would be read, and paid for, with it."""
    between = sorted(keys.ACCOUNT_FAMILIES)

    assert between.index(keys.PAGE) == between.index(keys.INVOICE) + 1


def test_the_families_of_the_page_are_all_known() -> None:
    assert all(key.startswith(keys.PAGE) for key in keys.PAGE_ITEMS)
    assert len(set(keys.PAGE_ITEMS)) == len(keys.PAGE_ITEMS)


def test_newer_sorts_later() -> None:
    assert keys.catalogue_version(9) < keys.catalogue_version(10) < keys.catalogue_version(100_000)
    assert keys.invoice(date(2025, 12, 31), "A-2025-000009") < keys.invoice(date(2026, 1, 1), "A-2026-000001")
    assert keys.invoice(date(2026, 1, 1), "A-2026-000001") < keys.invoice(date(2026, 1, 1), "A-2026-000002")


def test_a_family_ends_before_the_next_begins() -> None:
    assert keys.invoice(date(9999, 12, 31), "Z" * 50) < keys.last_of(keys.INVOICE) < keys.PAGE
