"""What lists, the page and collection read of an invoice is small, however much its document says."""

from __future__ import annotations

from billing.platform.dynamodb import keys

from tests.faults.network import connected
from tests.faults.test_invoices import collect, invoiced
from tests.faults.values import Item

SUMMARY_BYTES_MAX = 600
READ_UNIT_BYTES = 4096
"""An eventually consistent read costs half a unit for each of these that it begins."""


def size(item: Item) -> int:
    """As DynamoDB counts it: names and values."""
    return sum(len(name) + len(next(iter(value.values())).encode()) for name, value in item.items())


def test_what_is_read_of_many_invoices_is_small() -> None:
    with connected(), invoiced()().calm() as world:
        collect(world)
        summaries, documents = world.stored(keys.INVOICE), world.stored(keys.DOCUMENT)
        page = sum(map(size, world.stored(keys.PAGE)))

    assert len(summaries) == len(documents) > 1
    summary = max(map(size, summaries))
    assert summary <= SUMMARY_BYTES_MAX
    assert 50 * summary <= 30 * 1024, "a list of fifty"
    assert 120 * summary <= 72 * 1024, "collection after ten years of months"
    assert -(-(12 * summary + page) // READ_UNIT_BYTES) / 2 <= 1.5, "the billing page"
    assert min(map(size, documents)) > 2 * summary
