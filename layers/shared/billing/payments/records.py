"""Payment profiles in the table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Event
from billing.kernel.schedules import Job
from billing.payments.gateway import Merchant
from billing.payments.mapping import (
    card_warning_body,
    card_warning_from,
    merchant_body,
    merchant_from,
    payment_profile_body,
    payment_profile_from,
)
from billing.payments.methods import CardWarning, PaymentProfile
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.table import Table
from billing.subscriptions.mapping import subscriber_from
from billing.subscriptions.subscriber import Subscriber


@dataclass(frozen=True, slots=True)
class Payer:
    """An account with its payment profile. `warning` is the next warning about its card, None if none follows."""

    subscriber: Subscriber
    profile: PaymentProfile
    warning: CardWarning | None


class PaymentStore(Table):
    """Reads and writes payment profiles in the table."""

    def payer(self, account: str) -> Payer | None:
        """An account with its payment profile, None without the account. One read."""
        partition = keys.account(account)
        due = keys.due(Job.CARD_EXPIRY)
        page = (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION, keys.PAGE_PAYMENT_METHOD, due)
        rows = self._reads.get_all((partition, key) for key in page)
        subscriber = subscriber_from(rows, partition)
        if subscriber is None:
            return None
        profile = rows.get((partition, keys.PAGE_PAYMENT_METHOD))
        warning = rows.get((partition, due))
        return Payer(
            subscriber,
            PaymentProfile() if profile is None else payment_profile_from(profile.body, profile.version),
            None if warning is None else card_warning_from(warning.body),
        )

    def merchant(self) -> Merchant | None:
        """The vendor's account at the payment service that was kept, None before the first use. One read."""
        place = (keys.PAYMENT_SERVICE, keys.MERCHANT)
        row = self._reads.get_all([place]).get(place)
        return None if row is None else merchant_from(row.body)

    def require_merchant(self, merchant: Merchant) -> None:
        """Keeps the vendor's account at the payment service at its first use, and compares it from then on.

        One read; at the first use one transaction more. Raises OtherMerchant.
        """
        kept = self.merchant()
        if kept is None:
            try:
                with self._transaction() as write:
                    write.add(Item(keys.PAYMENT_SERVICE, keys.MERCHANT, merchant_body(merchant)))
            except ConcurrentChange:
                # Another process has kept it at the same moment.
                kept = self.merchant()
                if kept is None:
                    raise
        merchant.require(kept or merchant)

    def change_merchant(self, merchant: Merchant) -> None:
        """Replaces the vendor's account at the payment service: for an operator's command only. One transaction."""
        with self._transaction() as write:
            write.put(Item(keys.PAYMENT_SERVICE, keys.MERCHANT, merchant_body(merchant)))

    def save_customer(self, account: str, profile: PaymentProfile) -> None:
        """Writes the customer of an account at the payment service.

        Raises ConcurrentChange when the profile is no longer at its version. One transaction.
        """
        with self._transaction() as write:
            write.require_account(account)
            write.replace(profile_item(account, profile), profile.version)

    def save_term(self, account: str, profile: PaymentProfile, event: Event) -> None:
        """Writes the payment term of an account and the event.

        Raises ConcurrentChange when the profile is no longer at its version. One transaction.
        """
        with self._transaction() as write:
            write.require_account(account)
            write.replace(profile_item(account, profile), profile.version)
            write.record(event)

    def replace_method(self, account: str, profile: PaymentProfile, warning: CardWarning | None, event: Event) -> None:
        """Writes the new payment method of an account, the next card warning and the event.

        Raises ConcurrentChange when the profile is no longer at its version. One transaction.
        """
        at, body = _due(warning)
        with self._transaction() as write:
            write.require_account(account)
            write.replace(profile_item(account, profile), profile.version)
            write.due(account, Job.CARD_EXPIRY, at, body)
            write.record(event)

    def warn(self, payer: Payer, warning: CardWarning | None, event: Event | None) -> None:
        """Writes the event of a due warning, if one is given, and the next warning.

        Raises ConcurrentChange when the payment profile or the due warning has changed, ValueError for a payer without
        a due warning. One transaction.
        """
        account = payer.subscriber.account.id
        if payer.warning is None:
            raise ValueError("no warning was due")
        at, body = _due(warning)
        with self._transaction() as write:
            write.check(keys.account(account), keys.PAGE_PAYMENT_METHOD, payer.profile.version)
            write.due_if(card_warning_body(payer.warning), account, Job.CARD_EXPIRY, at, body)
            if event is not None:
                write.record(event)


def profile_item(account: str, profile: PaymentProfile) -> Item:
    """The item of a payment profile: in the list of those that cannot pay, from the month after its card's last one."""
    shown = profile.shown
    place = None
    if shown is None or shown.card is not None:
        expiry = "" if shown is None or shown.card is None else shown.card.last_day.isoformat()
        place = keys.METHODS, f"{expiry}#{account}"
    return Item(keys.account(account), keys.PAGE_PAYMENT_METHOD, payment_profile_body(profile), list_index=place)


def _due(warning: CardWarning | None) -> tuple[datetime | None, str]:
    return (None, "") if warning is None else (warning.at, card_warning_body(warning))
