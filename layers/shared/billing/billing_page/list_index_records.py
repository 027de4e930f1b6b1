"""Takes an account of an earlier release into the lists of staff, item by item (decision 0035)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from billing.accounts.information import Area
from billing.accounts.mapping import account_from, billing_from, company_from, user_from
from billing.accounts.records import account_item, information_item, user_item
from billing.accounts.rules import Account
from billing.ending.cancellation.records import cancellation_from, cancellation_item
from billing.invoicing.mapping import issued_from
from billing.invoicing.records import InvoiceStore, document_item, write_invoice
from billing.payments.mapping import payment_profile_from
from billing.payments.methods import PaymentProfile
from billing.payments.records import profile_item
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row
from billing.scaling.decision_mapping import decided_from, settings_from
from billing.scaling.records import decision_item, settings_item
from billing.scaling.reviews.mapping import review_from
from billing.scaling.reviews.records import review_item


@dataclass(frozen=True, slots=True)
class Indexed:
    """What a run has done for an account: items that got keys, and those that have changed meanwhile."""

    items: int
    changed: int


class ListIndexStore(InvoiceStore):
    """Gives items the keys of the lists that they are in."""

    def index_account(self, account: str) -> Indexed:
        """Takes an account into all lists, as far as it is not yet in them. Safe to repeat, and to cut off anywhere.

        An item that changes meanwhile is written by a function of this release, with its keys. One of an earlier
        release may have written it too, so it counts as changed, and another run looks again. One query of each family,
        one write for each item that lacks keys, and one transaction for each invoice in an item of the first form.
        Raises Busy, ConcurrentChange and botocore's errors.
        """
        current = self._reads.get(keys.account(account), keys.PAGE_ACCOUNT)
        if current is None:  # its deletion has begun
            return Indexed(0, 0)
        owner = account_from(current.body, current.version)
        results = [self._writes.index(item) for item in self._without_keys(owner)]
        added = self._with_method(owner) + self._divided(owner)
        return Indexed(sum(results) + added, len(results) - sum(results))

    def _without_keys(self, account: Account) -> Iterator[Item]:
        """The items whose keys in the indexes are not those that they would be written with."""
        for family, item_of in _ITEMS.items():
            for row in self._reads.query(keys.account(account.id), family, keys.last_of(family), consistent=True):
                item = item_of(account, row)
                if item is not None and _keys_of(row) != item.places:
                    yield replace(item, body=row.body)  # as it is stored, in whatever form

    def _with_method(self, account: Account) -> int:
        """Adds the payment method of an account that never had one."""
        if self._reads.get(keys.account(account.id), keys.PAGE_PAYMENT_METHOD) is not None:
            return 0
        with self._transaction() as write:
            write.require_account(account.id)
            write.replace(profile_item(account.id, PaymentProfile()), 0)
        return 1

    def _divided(self, account: Account) -> int:
        """Divides the invoices of the first form: their documents get items, which are in the lists."""
        whole = [record for record in self.summaries(account.id) if record.unwritten is not None]
        for record in whole:
            with self._transaction() as write:
                write.require_account(account.id)
                write_invoice(write, account, record)
        return len(whole)


def _keys_of(row: Row) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    """The keys that a stored item has in the two indexes."""
    image = row.image
    first, second = (
        (image[f"{index}pk"]["S"], image[f"{index}sk"]["S"]) if f"{index}pk" in image else None
        for index in (keys.INDEX, keys.LIST_INDEX)
    )
    return first, second


def _page_item(account: Account, row: Row) -> Item | None:
    if row.key == keys.PAGE_ACCOUNT:
        return account_item(account_from(row.body, row.version))
    if row.key == keys.page_information(Area.COMPANY):
        return information_item(account.id, Area.COMPANY, company_from(row.body))
    if row.key == keys.page_information(Area.BILLING):
        return information_item(account.id, Area.BILLING, billing_from(row.body))
    if row.key == keys.PAGE_PAYMENT_METHOD:
        return profile_item(account.id, payment_profile_from(row.body, row.version))
    return None


_ITEMS: dict[str, Callable[[Account, Row], Item | None]] = {
    keys.AUTOSCALING: lambda account, row: settings_item(account.id, settings_from(row.body, row.version)),
    keys.CANCELLATION: lambda account, row: cancellation_item(account.id, cancellation_from(row.body)),
    keys.DECISION: lambda account, row: decision_item(account.id, decided_from(row.body)),
    keys.DOCUMENT: lambda _, row: document_item(issued_from(row.body).summary, row.body),
    keys.PAGE: _page_item,
    keys.REVIEW: lambda account, row: review_item(account.id, review_from(row.body, row.version)),
    keys.USER: lambda account, row: user_item(account, user_from(row.body)),
}
