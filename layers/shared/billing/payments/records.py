"""How accounts pay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.kernel.events import Event
from billing.kernel.schedules import Job
from billing.payments.mapping import (
    card_warning_body,
    card_warning_from,
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
    """An account with how it pays. `warning` is the next one about its card, None where none is to come."""

    subscriber: Subscriber
    profile: PaymentProfile
    warning: CardWarning | None


class PaymentStore(Table):
    """The payment methods in the one table."""

    def payer(self, account: str) -> Payer | None:
        """How an account pays, as of now; None without the account. One read."""
        partition = keys.account(account)
        due = keys.due(Job.CARD_EXPIRY)
        wanted = (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION, keys.PAGE_PAYMENT_METHOD, due)
        rows = self._reads.get_all((partition, key) for key in wanted)
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

    def save_customer(self, account: str, profile: PaymentProfile) -> None:
        """Keeps who an account is at the payment service.

        Raises ConcurrentChange when the profile is no longer at its version. One transaction.
        """
        with self._transaction() as write:
            write.require_account(account)
            write.replace(_profile_item(account, profile), profile.version)

    def replace_method(self, account: str, profile: PaymentProfile, warning: CardWarning | None, event: Event) -> None:
        """Keeps how an account pays from now on, and when it is warned next, and records it.

        Raises ConcurrentChange when the profile is no longer at its version. One transaction.
        """
        at, body = _due(warning)
        with self._transaction() as write:
            write.require_account(account)
            write.replace(_profile_item(account, profile), profile.version)
            write.due(account, Job.CARD_EXPIRY, at, body)
            write.record(event)

    def warn(self, payer: Payer, warning: CardWarning | None, event: Event | None) -> None:
        """Records the warning that was due, if there is an event, and keeps when the account is warned next.

        Raises ConcurrentChange when the method, or the warning, is no longer what it was. One transaction.
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


def _profile_item(account: str, profile: PaymentProfile) -> Item:
    return Item(keys.account(account), keys.PAGE_PAYMENT_METHOD, payment_profile_body(profile))


def _due(warning: CardWarning | None) -> tuple[datetime | None, str]:
    return (None, "") if warning is None else (warning.at, card_warning_body(warning))
