"""A transfer pays a part, several invoices or too much, once, wherever it is cut off; and a wrong one is taken back."""

from __future__ import annotations

import pytest
from billing.accounts.rules import existing
from billing.invoicing.entries import EntryKind, sum_of
from billing.invoicing.record_transfer import record_transfer
from billing.invoicing.reissue_invoice import reissue_invoice
from billing.invoicing.take_transfer_back import take_transfer_back
from billing.invoicing.transfers import BankTransfer, BookingTakenBack, CreditRepaid, Transfer, TransferDiffers
from billing.kernel.errors import RuleViolation
from billing.kernel.events import RequestContext
from billing.kernel.money import Money
from billing.platform.dynamodb import keys

from tests.faults.company import SETTINGS, body, events, nothing_is_forgotten, stored_invoices
from tests.faults.cuts import Faults
from tests.faults.test_credit_notes import NUMBER, credit, declined
from tests.faults.test_invoices import ACCOUNT, JULY, Invoicing, collect, invoiced, sync
from tests.faults.test_money import FIRST_TOTAL
from tests.faults.till import FIRST, SECOND, THIRD, Till
from tests.store.samples import CONTEXT

pytestmark = pytest.mark.usefixtures("connection")


def by_transfer() -> Till:
    """Three invoices, which the customer transfers."""
    till = Till()
    till.by_transfer()
    return till


def all_open(till: Till) -> int:
    return sum(record.payment.left for record in till.documents().values())


def left(till: Till, *numbers: str) -> list[int]:
    return [till[number][1] for number in numbers]


def test_twelve_euros_too_little_stay_owed_until_staff_waive_them() -> None:
    till = by_transfer()
    total = till[FIRST][1]

    made = till.pays(total - 1_200, (FIRST, total - 1_200))

    assert left(till, FIRST) == [1_200]
    assert till.events("invoice.paid") == []
    [recorded] = till.events("transfer.recorded")
    assert recorded["before"]["invoices"] == [{"number": FIRST, "left": {"amount": total, "currency": "EUR"}}]
    assert recorded["after"]["invoices"][0]["left"]["amount"] == 1_200
    till.next_day(31)
    till.collect_when_due()
    assert till[FIRST] == ("past_due", 1_200)

    till.write_off(FIRST)

    assert till[FIRST] == ("uncollectible", 0)
    assert till.of_kind("written_off") == [(FIRST, 1_200)]
    assert till.balance == 0
    till.takes_back(made)
    assert till[FIRST] == ("past_due", total)


def test_the_oldest_is_paid_first_and_what_is_over_is_credit() -> None:
    till = by_transfer()
    first, second, third = left(till, FIRST, SECOND, THIRD)

    shown = till.pays(first + second + third + 500, preview=True)
    assert (left(till, FIRST, SECOND, THIRD), till.balance) == ([first, second, third], 0)
    made = till.pays(first + second + third + 500)

    assert made.shares == shown.shares
    assert [(each.invoice, each.amount, each.credit, each.left) for each in made.shares] == [
        (FIRST, first, 0, 0),
        (SECOND, second, 0, 0),
        (THIRD, third + 500, 500, 0),
    ]
    assert till.balance == 500
    assert len(till.events("invoice.paid")) == 3
    till.next_day(92)
    till.issue()
    assert till.balance == 0
    assert till.of_kind("credit_applied") == [("LV-2026-000004", 500)]


def test_the_same_transfer_again_is_the_one_that_there_is() -> None:
    till = by_transfer()
    first = till[FIRST][1]
    made = till.pays(first, reference="RE  17")
    assert till.pays(first, reference="re 17").id == made.id
    with pytest.raises(TransferDiffers):
        till.pays(first, (SECOND, first), reference="re 17")
    assert till.pays(first, reference="re 17", key="bank-1").id == made.id, "the statement has what staff recorded"
    other = till.pays(first, reference="re 17", key="bank-2")
    assert other.id != made.id
    till.takes_back(made)
    with pytest.raises(BookingTakenBack):
        till.pays(first, reference="re 17", key="bank-1")
    assert till.pays(first, reference="re 17", key="bank-2").id == other.id
    assert sum(amount for _, amount in till.of_kind("transferred")) == 2 * first


def test_one_transfer_that_staff_record_invoice_by_invoice() -> None:
    """As an earlier release had it: the same amount, day and reference for two invoices."""
    till = by_transfer()
    for number in (FIRST, SECOND, SECOND):
        till.transferred(number, "for both")
    assert left(till, FIRST, SECOND) == [0, 0]
    assert till.balance == 0
    assert len(till.transfers()) == 2


def test_what_a_charge_and_a_transfer_have_paid_goes_back_both_ways() -> None:
    till = Till()
    till.card()
    first = 36_328
    [intent] = [each for each in till.objects("payment_intent", "succeeded") if each["metadata"]["invoice"] == FIRST]
    till.world.stripe.close_dispute(till.world.stripe.dispute(intent["id"], 1_000)["id"], won=False)
    till.hear()
    assert till[FIRST] == ("past_due", 1_000)
    till.pays(1_000, (FIRST, 1_000))
    assert [each["after"]["method"] for each in till.events("invoice.paid")][-1] == "bank_transfer"
    till.credit(FIRST)
    assert till.of_kind("returned") == [(FIRST, first - 1_000)]
    assert till.of_kind("carried") == [(FIRST, 1_000)]


def test_allocations_sum_to_the_transfer_and_name_invoices() -> None:
    till = by_transfer()
    note = till.credit(FIRST)
    with pytest.raises(RuleViolation) as refused:
        till.pays(100, (SECOND, 50), (SECOND, 30), (note, 10), ("LV-2026-000999", 1))
    found = [(each.path, each.code.value) for each in refused.value.violations]
    assert found == [
        (("allocations",), "too-small"),
        (("allocations", 1, "invoice"), "duplicate"),
        (("allocations", 2, "invoice"), "not-allowed"),
        (("allocations", 3, "invoice"), "unknown"),
    ]


def test_what_was_written_off_before_the_transfer_stays_so() -> None:
    till = by_transfer()
    till.write_off(FIRST)
    made = till.pays(36_328, (FIRST, 36_328))
    assert till[FIRST] == ("paid", 0)
    till.takes_back(made)
    assert till[FIRST] == ("uncollectible", 0)


@pytest.mark.parametrize("state", ["paid", "void", "uncollectible"])
def test_money_for_what_is_settled_is_credit_and_pays_what_is_open(state: str) -> None:
    till = by_transfer()
    first, second = left(till, FIRST, SECOND)
    if state == "paid":
        till.pays(first, (FIRST, first), reference="before")
    elif state == "void":
        till.credit(FIRST)
    else:
        till.write_off(FIRST)

    till.pays(700, (FIRST, 700))

    if state == "uncollectible":
        assert till.balance == 0
        assert till[SECOND][1] == second
    else:
        assert till[SECOND][1] == second - 700
    assert till[FIRST] == (state, 0)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("succeeds", [False, True])
def test_what_is_in_transit_is_not_paid_twice(named: bool, succeeds: bool) -> None:
    """If the debit fails, the credit pays the invoice; if it succeeds, the money is credit."""
    till = Till()
    till.debit()
    first = till[FIRST][1]
    assert till[FIRST][0] == "in_transit"

    till.pays(first, *([(FIRST, first)] if named else []))

    assert till[FIRST][0] == "in_transit"
    assert till.balance == first
    intent = till.objects("payment_intent")[0]
    till.world.stripe.settle(intent["id"], succeed=succeeds)
    till.hear_payments()
    till.collect_when_due()
    assert till[FIRST] == ("paid", 0)
    assert till.balance == (first if succeeds else 0)


def test_a_begun_charge_is_cancelled_and_the_card_pays_the_rest() -> None:
    till = Till()
    till.card("4000000000000341")
    total = all_open(till)
    first = till[FIRST][1]
    till.pays(1_000)
    assert till[FIRST][1] == first - 1_000
    till.card()
    assert till[FIRST] == ("paid", 0)
    assert sum(each["amount"] for each in till.objects("payment_intent", "succeeded")) == total - 1_000


# ---- Taken back --------------------------------------------------------------------------------------


def test_a_wrong_transfer_is_taken_back_and_dunning_goes_on() -> None:
    till = by_transfer()
    first, second = left(till, FIRST, SECOND)
    made = till.pays(first + 500, (FIRST, first + 500))
    assert left(till, FIRST, SECOND) == [0, second - 500]

    till.next_day(20)
    till.collect_when_due()
    assert till[SECOND] == ("past_due", second - 500)
    shown = till.takes_back(made, preview=True)
    assert left(till, FIRST, SECOND) == [0, second - 500]
    taken = till.takes_back(made)

    assert {each.invoice: (each.status, each.left) for each in taken.invoices} == {
        FIRST: ("past_due", first),
        SECOND: ("past_due", second),
    }
    assert shown.invoices == taken.invoices
    assert till[FIRST] == ("past_due", first)
    assert (till[SECOND], till.balance) == (("past_due", second), 0)
    till.takes_back(made)
    assert len(till.events("transfer.taken_back")) == 1
    assert [each["after"]["number"] for each in till.events("payment.past_due")][-1] == FIRST
    again = till.pays(first, (FIRST, first))
    assert (again.id, till[FIRST]) != (made.id, ("past_due", first))


def test_a_card_is_charged_on_the_day_after_at_the_earliest() -> None:
    till = Till()
    till.card("4000000000000341")
    made = till.pays(till[FIRST][1])
    till.card()
    [again] = till.takes_back(made).invoices
    assert again.charge_on is not None
    till.collect_when_due()
    assert till[FIRST][0] == "open"
    till.next_day()
    till.collect_when_due()
    assert till[FIRST] == ("paid", 0)


def test_credit_that_was_given_back_is_paid_back_first() -> None:
    till = by_transfer()
    before = all_open(till)
    made = till.pays(before + 900)
    till.repay(THIRD, 900)

    with pytest.raises(CreditRepaid):
        till.takes_back(made)

    till.pays(900, (FIRST, 900), reference="they pay it back")
    till.takes_back(made)
    assert (all_open(till), till.balance) == (before, 0)


def test_an_invoice_that_its_own_credit_has_paid_owes_no_more_than_it_says() -> None:
    """The credit of the second transfer has paid the invoice itself, and its rest was given back."""
    till = by_transfer()
    first, second, third = left(till, FIRST, SECOND, THIRD)
    till.pays(second, (SECOND, second), reference="second")
    till.pays(third, (THIRD, third), reference="third")
    wrong = till.pays(first - 4_000, (FIRST, first - 4_000), reference="wrong")
    too_much = till.pays(first + 14_000, (FIRST, first + 14_000), reference="too much")
    till.takes_back(wrong)
    assert (till[FIRST], till.balance) == (("paid", 0), 14_000)
    till.repay(FIRST, 14_000)

    with pytest.raises(CreditRepaid):
        till.takes_back(too_much)

    assert (till[FIRST], till.balance) == (("paid", 0), 0)
    till.pays(14_000, (THIRD, 14_000), reference="they pay it back")
    till.takes_back(too_much)
    assert (left(till, FIRST, SECOND, THIRD), till.balance) == ([first, 0, 0], 0)


def test_what_is_credit_is_not_paid_whichever_transfer_is_taken_back() -> None:
    """The credit note is of the transfer that is taken back. What came in beyond it is still credit."""
    till = by_transfer()
    first, second, third = left(till, FIRST, SECOND, THIRD)
    till.pays(second, (SECOND, second), reference="second")
    till.pays(third, (THIRD, third), reference="third")
    made = till.pays(first, (FIRST, first), reference="wrong")
    till.pays(5_000, (FIRST, 5_000), reference="too much")
    till.credit(FIRST)
    assert till.balance == first + 5_000

    till.takes_back(made)

    assert (till[FIRST], till.balance) == (("void", 0), 5_000)
    with till.world.calm() as world:
        assert world.invoicing.record(ACCOUNT, FIRST).payment.paid == 0


def test_an_invoice_that_credit_has_paid_is_not_void_because_of_a_wrong_transfer() -> None:
    till = by_transfer()
    first, second = left(till, FIRST, SECOND)
    till.pays(first + second, (FIRST, first + second), reference="both")
    wrong = till.pays(second, (SECOND, second), reference="wrong")
    till.takes_back(wrong)
    assert till[SECOND] == ("paid", 0)

    till.credit(SECOND)

    assert till[SECOND] == ("paid", 0)


def test_what_was_paid_of_a_write_off_is_not_written_off_again() -> None:
    """Money arrived for what was written off. Then the credit that had paid the rest is taken back: it is owed."""
    till = by_transfer()
    first, second = left(till, FIRST, SECOND)
    wrong = till.pays(first + 5_000, (FIRST, first + 5_000), reference="wrong")
    assert left(till, SECOND) == [second - 5_000]
    till.write_off(SECOND)
    till.pays(3_000, (SECOND, 3_000), reference="nevertheless")
    assert till[SECOND] == ("uncollectible", 0)

    till.takes_back(wrong)

    assert left(till, FIRST, SECOND) == [first, 5_000]


def test_a_transfer_of_an_invoice_that_was_credited_since() -> None:
    """What the credit note carried was not paid: nothing is owed, and what that credit has paid is owed again."""
    till = by_transfer()
    first, second = left(till, FIRST, SECOND)
    made = till.pays(first, (FIRST, first))
    till.credit(FIRST)
    assert left(till, FIRST, SECOND) == [0, max(0, second - first)]

    till.takes_back(made)

    assert left(till, FIRST, SECOND) == [0, second]
    assert till.balance == 0


def test_a_transfer_that_paid_too_much_of_what_a_card_has_paid() -> None:
    till = Till()
    till.card()
    made = till.pays(300, (FIRST, 300))
    assert till.balance == 300
    till.takes_back(made)
    assert (till[FIRST], till.balance) == (("paid", 0), 0)


# ---- Cut off anywhere --------------------------------------------------------------------------------


def arrives(world: Invoicing, *allocations: tuple[str, int], amount: int = 2 * FIRST_TOTAL + 100) -> Transfer:
    """A transfer of more than two of the three invoices, whose charges have begun."""
    asked = BankTransfer("E2E", Money(amount, "EUR"), JULY.date(), allocations or None)
    return record_transfer(
        existing(world.invoicing.billing_context(ACCOUNT)),
        asked,
        context=RequestContext(CONTEXT.actor, JULY, world.correlation),
        store=world.invoicing,
        gateway=world.payments,
    ).transfer


def taken_back(world: Invoicing) -> None:
    [transfer] = world.invoicing.transfers(ACCOUNT, limit=10, after=None).items
    take_transfer_back(
        existing(world.invoicing.billing_context(ACCOUNT)),
        transfer.id,
        "Another customer's",
        context=RequestContext(CONTEXT.actor, JULY, world.correlation),
        settings=SETTINGS,
        store=world.invoicing,
        gateway=world.payments,
    )


def arrived() -> Invoicing:
    with declined().calm() as world:
        arrives(world)
        return world


def books(world: Invoicing) -> tuple[int, int]:
    """The sums of what was transferred and of what is left, which must agree with the credit."""
    with world.calm():
        payments = [each.payment for each in world.invoicing.summaries(ACCOUNT)]
        balance = existing(world.invoicing.billing_context(ACCOUNT)).credit
    assert sum(each.credit for each in payments) == balance
    entries = [entry for each in payments for entry in each.entries]
    transferred = sum_of(entries, EntryKind.TRANSFERRED) - sum_of(entries, EntryKind.TRANSFER_TAKEN_BACK)
    return transferred, sum(each.left for each in payments if not each.is_credit_note)


def test_a_transfer_is_recorded_once(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        assert books(world) == (2 * FIRST_TOTAL + 100, FIRST_TOTAL - 100)
        assert len(events(world, "transfer.recorded")) == 1
        assert len(events(world, "invoice.paid")) == 2

    faults.every_cut(world=declined, command=arrives, invariants=once, always=nothing_is_forgotten)
    faults.every_race(world=declined, first=arrives, second=arrives, invariants=once)


def test_a_transfer_and_a_charge_of_the_same_invoices_at_once(faults: Faults) -> None:
    """Whichever comes first: what is paid twice is credit, and nothing is lost."""

    def both(world: Invoicing) -> None:
        with world.calm():
            sync(world)
        transferred, left = books(world)
        balance = sum(int(body(item)["credit"]) for item in world.stored(keys.BALANCE))
        charged = sum(each["amount"] for each in world.stripe.objects["charge"].values() if each["paid"])
        assert transferred + charged - balance + left == 3 * FIRST_TOTAL

    faults.every_race(world=invoiced(), first=collect, second=arrives, invariants=both)
    faults.every_race(world=invoiced(), first=arrives, second=collect, invariants=both)


def test_a_transfer_is_taken_back_once(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        assert books(world) == (0, 3 * FIRST_TOTAL)
        assert len(events(world, "transfer.taken_back")) == 1

    faults.every_cut(world=arrived, command=taken_back, invariants=once, always=nothing_is_forgotten)
    faults.every_race(world=arrived, first=taken_back, second=taken_back, invariants=once)


def test_a_transfer_is_taken_back_while_its_invoice_is_credited(faults: Faults) -> None:
    def both(world: Invoicing) -> None:
        assert books(world) == (0, 2 * FIRST_TOTAL)
        assert {each["status"] for each in stored_invoices(world) if each["number"] == NUMBER} == {"void"}

    faults.every_race(world=arrived, first=taken_back, second=credit, invariants=both)
    faults.every_race(world=arrived, first=credit, second=taken_back, invariants=both)


def test_a_transfer_of_an_invoice_that_another_one_has_replaced() -> None:
    """The transfer has paid the new invoice, as credit. Taken back, that one is owed."""
    till = by_transfer()
    made = till.pays(36_328, (FIRST, 36_328))
    with till.world.calm() as world:
        new = reissue_invoice(
            existing(world.invoicing.billing_context(ACCOUNT)),
            FIRST,
            (),
            "Wrong address",
            keeps_tax=True,
            context=till.staff,
            settings=till.settings,
            store=world.invoicing,
            gateway=world.payments,
        ).invoice.number
    assert (till[FIRST][1], till[new]) == (0, ("paid", 0))

    till.takes_back(made)

    assert (till[FIRST], till[new][1], till.balance) == (("void", 0), 36_328, 0)
