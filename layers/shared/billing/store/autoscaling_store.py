"""What Livello keeps of autoscaling: its decisions, what staff have set, and what is due. See billing.store.store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.domain.account import Account
from billing.domain.errors import ConcurrentChange, StaleVersion
from billing.domain.events import Event
from billing.domain.moves import AutoscalingSettings, DecidedProduct
from billing.domain.schedules import Due, Job
from billing.domain.subscription import Subscription
from billing.store import decision_mapping, keys, mapping
from billing.store.table import Row, Subscriber, Table, subscriber_from


@dataclass(frozen=True, slots=True)
class Standing:
    """What autoscaling needs to know of an account, but for its usage. `due` is None before it is scheduled."""

    subscriber: Subscriber
    settings: AutoscalingSettings
    due: Due | None


@dataclass(frozen=True, slots=True)
class Decided:
    """A part of an account's decisions, newest month first. `last` leads to what follows; None when nothing does."""

    products: tuple[DecidedProduct, ...]
    last: str | None


class AutoscalingStore(Table):
    """The autoscaling in the one table."""

    def standing(self, account: str) -> Standing | None:
        """What decides, as of now; None without the account. One read."""
        partition = keys.account(account)
        wanted = (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION, keys.AUTOSCALING, keys.due(Job.AUTOSCALING))
        rows = self._get_all((partition, key) for key in wanted)
        subscriber = subscriber_from(rows, partition)
        if subscriber is None:
            return None
        due = rows.get((partition, keys.due(Job.AUTOSCALING)))
        return Standing(
            subscriber,
            _settings_from(rows.get((partition, keys.AUTOSCALING))),
            None if due is None else mapping.due_from(due["body"]["S"]),
        )

    def decide(
        self,
        standing: Standing,
        decided: Sequence[DecidedProduct],
        subscription: Subscription | None,
        events: Sequence[Event],
        due: Due,
        due_at: datetime,
    ) -> None:
        """Keeps what was decided for one month of an account, with its subscription if that has changed, and tells it.

        `due` is what is to be decided next, from `due_at` on. One transaction, guarded by all that was decided by:
        raises ConcurrentChange when the account, its subscription, its settings or what was due is no longer so.
        """
        account = standing.subscriber.account
        partition = keys.account(account.account)
        kept = standing.subscriber.subscription
        new = {"ConditionExpression": "attribute_not_exists(pk)"}
        actions: list[dict[str, Any]] = [
            self._checking(partition, keys.PAGE_ACCOUNT, account.version),
            self._checking(partition, keys.AUTOSCALING, standing.settings.version),
            self._checking(partition, keys.PAGE_SUBSCRIPTION, kept.version)
            if subscription is None
            else self._replacing(
                partition, keys.PAGE_SUBSCRIPTION, kept.version, mapping.subscription_body(subscription)
            ),
            {
                "Put": self._due_item(account.account, Job.AUTOSCALING, due_at, mapping.due_body(due))
                | _as_it_was(standing.due)
            },
        ]
        actions += [
            {"Put": self._item(partition, keys.decision(each.month, each.product), decision_mapping.body(each)) | new}
            for each in decided
        ]
        actions += map(self._event, events)
        self._write(actions, ConcurrentChange())

    def schedule(self, account: str, due: Due, due_at: datetime) -> None:
        """Makes autoscaling due for an account. Raises ConcurrentChange if it is already. One transaction."""
        due_item = {"Put": self._due_item(account, Job.AUTOSCALING, due_at, mapping.due_body(due)) | _as_it_was(None)}
        self._write([self._requiring(keys.account(account)), due_item], ConcurrentChange())

    def replace_settings(self, account: str, settings: AutoscalingSettings, version: int, event: Event) -> None:
        """Replaces version `version` of what staff have set by the next, and tells it. Raises StaleVersion.

        One transaction.
        """
        partition = keys.account(account)
        actions = [
            self._requiring(partition),
            self._replacing(partition, keys.AUTOSCALING, version, decision_mapping.settings_body(settings)),
            self._event(event),
        ]
        self._write(actions, StaleVersion())

    def decisions(self, account: str, *, limit: int, after: str | None) -> Decided:
        """What was decided of an account, newest month first; `after` is the `last` of the slice before. One query."""
        family = keys.DECISION
        before = keys.last_of(family) if after is None else family + after
        rows = self._query(keys.account(account), family, before, limit=limit + 2, newest_first=True)
        found = [row for row in rows if row["sk"]["S"] != before]
        last = found[limit - 1]["sk"]["S"].removeprefix(family) if len(found) > limit else None
        return Decided(tuple(decision_mapping.decided_from(row["body"]["S"]) for row in found[:limit]), last)

    def success_manager(self, account: Account) -> Mapping[str, str] | None:
        """Whom an account's people ask: name and e-mail; None if nobody is assigned. One read."""
        if account.success_manager is None:
            return None
        key = (keys.MANAGERS, keys.success_manager(account.success_manager))
        found = self._get_all([key]).get(key)
        if found is None:
            return None
        body = mapping.parsed(found["body"]["S"])
        return {"name": body["name"], "email": body["email"]}


def _as_it_was(due: Due | None) -> dict[str, Any]:
    if due is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "body = :before",
        "ExpressionAttributeValues": {":before": {"S": mapping.due_body(due)}},
    }


def _settings_from(row: Row | None) -> AutoscalingSettings:
    if row is None:
        return AutoscalingSettings()
    return decision_mapping.settings_from(row["body"]["S"], int(row["version"]["N"]))
