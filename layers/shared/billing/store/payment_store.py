"""How accounts pay, as Livello keeps it. See billing.store.store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from billing.domain.errors import ConcurrentChange
from billing.domain.events import Event
from billing.domain.payment import CardWarning, PaymentProfile
from billing.domain.schedules import Job
from billing.store import keys, mapping
from billing.store.table import Subscriber, Table, subscriber_from


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
        rows = self._get_all((partition, key) for key in wanted)
        subscriber = subscriber_from(rows, partition)
        if subscriber is None:
            return None
        profile = rows.get((partition, keys.PAGE_PAYMENT_METHOD))
        warning = rows.get((partition, due))
        return Payer(
            subscriber,
            PaymentProfile()
            if profile is None
            else mapping.payment_profile_from(profile["body"]["S"], int(profile["version"]["N"])),
            None if warning is None else mapping.card_warning_from(warning["body"]["S"]),
        )

    def keep_customer(self, account: str, profile: PaymentProfile) -> None:
        """Keeps who an account is at the payment service.

        Raises ConcurrentChange when the profile is no longer at its version. One transaction.
        """
        self._write([self._requiring(keys.account(account)), self._profile(account, profile)], ConcurrentChange())

    def replace_method(self, account: str, profile: PaymentProfile, warning: CardWarning | None, event: Event) -> None:
        """Keeps how an account pays from now on, when it is warned next, and tells it.

        Raises ConcurrentChange when the profile is no longer at its version. One transaction.
        """
        actions = [
            self._requiring(keys.account(account)),
            self._profile(account, profile),
            self._warning(account, warning),
            self._event(event),
        ]
        self._write(actions, ConcurrentChange())

    def warn(self, payer: Payer, warning: CardWarning | None, event: Event | None) -> None:
        """Tells an account what it was to be warned of, if that still is so, and keeps when it is warned next.

        Raises ConcurrentChange when the method, or the warning, is no longer what it was. One transaction.
        """
        account = payer.subscriber.account.account
        if payer.warning is None:
            raise ValueError("no warning was due")
        as_it_was = {
            "ConditionExpression": "body = :before",
            "ExpressionAttributeValues": {":before": {"S": mapping.card_warning_body(payer.warning)}},
        }
        [(kind, moved)] = self._warning(account, warning).items()
        actions = [
            self._checking(keys.account(account), keys.PAGE_PAYMENT_METHOD, payer.profile.version),
            {kind: moved | as_it_was},
        ]
        if event is not None:
            actions.append(self._event(event))
        self._write(actions, ConcurrentChange())

    def tell_once(self, account: str, subject: str, event: Event) -> bool:
        """Tells an account, or staff of it, what is known by its subject; False if that was told before.

        One transaction.
        """
        partition = keys.account(account)
        new = {"ConditionExpression": "attribute_not_exists(pk)"}
        named = mapping.text({"event": event.event})
        actions = [
            self._requiring(partition),
            {"Put": self._item(partition, keys.told(subject), named) | new},
            self._event(event),
        ]
        try:
            self._write(actions, _Told())
        except _Told:
            return False
        return True

    # ---- How ----

    def _profile(self, account: str, profile: PaymentProfile) -> dict[str, Any]:
        body = mapping.payment_profile_body(profile)
        return self._replacing(keys.account(account), keys.PAGE_PAYMENT_METHOD, profile.version, body)

    def _warning(self, account: str, warning: CardWarning | None) -> dict[str, Any]:
        if warning is None:
            return self._deleting(keys.account(account), keys.due(Job.CARD_EXPIRY))
        return {"Put": self._due_item(account, Job.CARD_EXPIRY, warning.at, mapping.card_warning_body(warning))}


class _Told(ConcurrentChange):
    """It was told before, or the account is gone."""
