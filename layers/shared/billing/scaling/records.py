"""Items of autoscaling: decisions, settings, and the next due month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from billing.accounts.rules import Account
from billing.accounts.term_mapping import term_from
from billing.accounts.terms import TermChange
from billing.kernel.errors import StaleVersion
from billing.kernel.events import Event
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice
from billing.scaling import decision_mapping
from billing.scaling.due import AutoscalingDue
from billing.scaling.due_mapping import due_body, due_from
from billing.scaling.tier_changes import AutoscalingSettings, DecisionOutcome, ProductDecision
from billing.subscriptions.mapping import subscriber_from, subscription_body
from billing.subscriptions.rules import Subscription
from billing.subscriptions.subscriber import Subscriber
from billing.usage.totals import UsageReads


@dataclass(frozen=True, slots=True)
class AutoscalingState:
    """The state of an account for autoscaling, without its usage. `due` is None before it is scheduled, `term` without
    a change of the contract's term."""

    subscriber: Subscriber
    settings: AutoscalingSettings
    due: AutoscalingDue | None
    term: TermChange | None = None


class AutoscalingStore(UsageReads):
    """Reads and writes autoscaling in the one table."""

    def state(self, account: str) -> AutoscalingState | None:
        """The state of an account, read consistently; None without the account. One read."""
        partition = keys.account(account)
        sort_keys = (
            keys.PAGE_ACCOUNT,
            keys.PAGE_SUBSCRIPTION,
            keys.PAGE_PERIOD,
            keys.PAGE_BILLING,
            keys.PAGE_TERM,
            keys.AUTOSCALING,
            keys.due(Job.AUTOSCALING),
        )
        rows = self._reads.get_all((partition, key) for key in sort_keys)
        subscriber = subscriber_from(rows, partition)
        if subscriber is None:
            return None
        due = rows.get((partition, keys.due(Job.AUTOSCALING)))
        return AutoscalingState(
            subscriber,
            _settings_from(rows.get((partition, keys.AUTOSCALING))),
            None if due is None else due_from(due.body),
            term_from(rows.get((partition, keys.PAGE_TERM))),
        )

    def decide(
        self,
        state: AutoscalingState,
        decided: Sequence[ProductDecision],
        subscription: Subscription | None,
        events: Sequence[Event],
        due: AutoscalingDue,
        due_at: datetime,
    ) -> None:
        """Saves an account's decisions for one month, its subscription if it changed, and the events.

        `due` is the month that is decided next, from `due_at` on. Raises ConcurrentChange when the account, its
        subscription, its settings or its due month has changed since `state` was read. One transaction.
        """
        account = state.subscriber.account
        partition = keys.account(account.id)
        version = state.subscriber.subscription.version
        with self._transaction() as write:
            write.check(partition, keys.PAGE_ACCOUNT, account.version)
            write.check(partition, keys.AUTOSCALING, state.settings.version)
            if subscription is None:
                write.check(partition, keys.PAGE_SUBSCRIPTION, version)
            else:
                write.replace(Item(partition, keys.PAGE_SUBSCRIPTION, subscription_body(subscription)), version)
                # The month from which a move takes effect must not be fixed meanwhile: it would never be invoiced.
                write.check(partition, keys.PAGE_PERIOD, state.subscriber.fixed.version)
            before = None if state.due is None else due_body(state.due)
            write.due_if(before, account.id, Job.AUTOSCALING, due_at, due_body(due))
            for each in decided:
                write.add(decision_item(account.id, each))
            for event in events:
                write.record(event)

    def schedule(self, account: str, due: AutoscalingDue, due_at: datetime) -> None:
        """Makes autoscaling due for an account. Raises ConcurrentChange if it is due already. One transaction."""
        with self._transaction() as write:
            write.require_account(account)
            write.due_if(None, account, Job.AUTOSCALING, due_at, due_body(due))

    def replace_settings(self, account: str, settings: AutoscalingSettings, version: int, event: Event) -> None:
        """Replaces version `version` of the settings by the next version, and records the event. One transaction.

        Raises StaleVersion at another version or without the account, ConcurrentChange after a collision.
        """
        item = settings_item(account, settings)
        with self._transaction(StaleVersion()) as write:
            write.require_account(account)
            write.replace(item, version)
            write.record(event)

    def decisions(self, account: str, *, limit: int, after: str | None) -> Slice[ProductDecision]:
        """The decisions of an account, newest month first. One query."""
        return self._reads.newest(keys.account(account), keys.DECISION, _decided_from, limit=limit, after=after)

    def decided_in(
        self, month: date, *, outcome: DecisionOutcome | None, limit: int, after: str | None, clock: str | None = None
    ) -> Slice[tuple[str, ProductDecision]]:
        """A page of the decisions of all accounts for a month, with their accounts: by what came of them, by account.
        Of the accounts on a test clock if one is named.

        One query of the index per shard.
        """

        def listed(row: Row) -> tuple[str, ProductDecision]:
            return row.partition.removeprefix(keys.account("")), _decided_from(row)

        shards = keys.list_shards(keys.of_month(keys.DECISIONS, month))
        within = "" if outcome is None else f"{outcome}#"
        return self._reads.listed(shards, listed, limit=limit, after=after, within=within, clock=clock)

    def success_manager(self, account: Account) -> Mapping[str, str] | None:
        """Name and e-mail address of the account's success manager; None if none is assigned. One read."""
        if account.success_manager is None:
            return None
        key = (keys.MANAGERS, keys.success_manager(account.success_manager))
        row = self._reads.get_all([key]).get(key)
        if row is None:
            return None
        body = parsed(row.body)
        return {"name": body["name"], "email": body["email"]}


def settings_item(account: str, settings: AutoscalingSettings) -> Item:
    """The item of an account's settings. One with a pause is in a list of staff, by its end: it may have ended."""
    pause = settings.pause
    place = None if pause is None else (keys.PAUSED, f"{pause.until}#{account}")
    return Item(keys.account(account), keys.AUTOSCALING, decision_mapping.settings_body(settings), list_index=place)


def decision_item(account: str, decided: ProductDecision) -> Item:
    """The item of a decision, in the list of its month, by what came of it."""
    month = keys.of_month(keys.DECISIONS, decided.month)
    place = keys.list_shard(month, account), f"{decided.outcome}#{account}#{decided.product}"
    key, body = keys.decision(decided.month, decided.product), decision_mapping.body(decided)
    return Item(keys.account(account), key, body, list_index=place)


def _settings_from(row: Row | None) -> AutoscalingSettings:
    return AutoscalingSettings() if row is None else decision_mapping.settings_from(row.body, row.version)


def _decided_from(row: Row) -> ProductDecision:
    return decision_mapping.decided_from(row.body)
