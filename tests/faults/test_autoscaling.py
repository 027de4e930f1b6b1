"""Each month is decided once, and each move made once: cut off anywhere, run twice at once, with other changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from billing.kernel.permissions import Role
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.scaling.administer_autoscaling import replace_settings
from billing.scaling.scale_account import scale_account, schedule_account
from billing.scaling.tier_changes import AutoscalingSettings, Pause
from billing.usage.rules import UsageEvent

from tests.aws import TABLE
from tests.faults.company import NEW_ACCOUNT, body, catalogue, events, provision, save
from tests.faults.cuts import Faults
from tests.faults.world import World
from tests.store.samples import CONTEXT
from tests.taxes import a_quarter

ACCOUNT = NEW_ACCOUNT.account
AUGUST = datetime(2026, 8, 1, 12, tzinfo=UTC)


def grown() -> World:
    """The sample company with search usage above its tier. July and August are due."""
    with catalogue().calm() as world:
        provision(world)
        days = [date(2026, 4, 1) + timedelta(number) for number in range(122)]
        reported = [
            UsageEvent(ACCOUNT, "test", str(day), "search", "nordlys-dk", None, AUGUST, day, Decimal(400))
            for day in days
        ]
        for first in range(0, len(reported), 50):
            assert world.usage.count(reported[first : first + 50], lambda _: None) == {}
        return world


def scale(world: World) -> None:
    scale_account(ACCOUNT, now=AUGUST, correlation="run", store=world.autoscaling, taxes=a_quarter)


def pause(world: World) -> None:
    """Staff pause autoscaling, at the current version of the settings."""
    state = world.autoscaling.state(ACCOUNT)
    assert state is not None
    settings = AutoscalingSettings(Pause(date(2026, 12, 1), "Agreed"))
    replace_settings(state, settings, state.settings.version, context=CONTEXT, store=world.autoscaling)


def decided_once(world: World) -> None:
    """Each decided month has one decision for each product, and each move has one event and one tier change."""
    [due] = [body(item)["month"] for item in world.stored("DUE#autoscaling")]
    decisions = [body(item) for item in world.stored("DECISION#")]
    months = {"2026-07-01": 0, "2026-08-01": 1, "2026-09-01": 2}[due]
    assert len(decisions) == months * len(NEW_ACCOUNT.orders), "a decision without its due date, or the other way round"
    moves = [each for each in decisions if each["effective_on"]]
    [subscription] = [body(item) for item in world.stored("PAGE#SUBSCRIPTION")]
    assert len(events(world, "subscription.autoscaled")) == len(moves), "a move does not have one event"
    assert len(subscription["changes"]) == len(moves), "a move does not have one tier change"
    for change, move in zip(subscription["changes"], moves, strict=True):
        assert change["effective_on"] == move["effective_on"]


def all_decided(world: World) -> None:
    decided_once(world)
    [due] = [body(item)["month"] for item in world.stored("DUE#autoscaling")]
    assert due == "2026-09-01"


def test_a_run_cut_off_anywhere_decides_each_month_once(faults: Faults) -> None:
    faults.every_cut(world=grown, command=scale, invariants=all_decided, always=decided_once)


def test_two_concurrent_runs_decide_each_month_once(faults: Faults) -> None:
    faults.every_race(world=grown, first=scale, second=scale, invariants=decided_once)


def test_a_run_respects_a_concurrent_pause(faults: Faults) -> None:
    """Either the pause was first, and nothing moves, or the move was first."""
    faults.every_race(world=grown, first=scale, second=pause, invariants=decided_once)


def test_a_run_and_a_concurrent_change_of_the_account_both_hold(faults: Faults) -> None:
    faults.every_race(world=grown, first=scale, second=save("bo@nordlys.example", Role.MEMBER), invariants=decided_once)


def test_an_account_is_scheduled_once(faults: Faults) -> None:
    def unscheduled() -> World:
        world = grown()
        with world.calm():
            world.client.delete_item(
                TableName=TABLE, Key={"pk": {"S": keys.account(ACCOUNT)}, "sk": {"S": keys.due(Job.AUTOSCALING)}}
            )
        return world

    def schedule(world: World) -> None:
        schedule_account(ACCOUNT, now=AUGUST, store=world.autoscaling)

    def scheduled_once(world: World) -> None:
        assert [body(item)["month"] for item in world.stored("DUE#autoscaling")] == ["2026-09-01"]

    faults.every_cut(world=unscheduled, command=schedule, invariants=scheduled_once)
