"""A transfer pays a part, several invoices or too much, once, wherever it is cut off; and a wrong one is taken back."""

from __future__ import annotations

import pytest
from billing.invoicing.transfers import CreditRepaid, TransferDiffers, TransferTakenBack
from billing.kernel.errors import RuleViolation

from tests.faults.till import FIRST, SECOND, THIRD, Till

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

    till.pays(total - 1_200, (FIRST, total - 1_200))

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
    with pytest.raises(TransferTakenBack):
        till.pays(first, reference="re 17", key="bank-1")
    assert till.pays(first, reference="re 17", key="bank-2").id == other.id
    assert sum(amount for _, amount in till.of_kind("transferred")) == 2 * first


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
