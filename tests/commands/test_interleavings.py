"""Concurrent requests: sent twice, sent at the same time, or repeated because the answer was lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from billing import wiring
from billing.accounts.administer_users import save_user
from billing.accounts.change_billing_information import change_billing_information
from billing.accounts.directory import LogIn
from billing.accounts.information import Area, BillingDetails, Details
from billing.accounts.rules import AccountExists, existing
from billing.accounts.vat_number_due import VatNumberDue
from billing.billing_page.provision_account import Provisioning, provision_account
from billing.billing_page.provisioning_bodies import AccountBody
from billing.ending.cancellation.commands import (
    CancellationRequest,
    cancel_account,
    preview_cancellation,
    withdraw_cancellation,
)
from billing.ending.cancellation.rules import Reason
from billing.ending.exports.request import request_download
from billing.ending.exports.rules import DownloadKind
from billing.kernel.errors import ConcurrentChange, StaleVersion
from billing.kernel.events import Event
from billing.kernel.permissions import Role
from billing.payments.replace_payment_method import set_bank_transfer
from billing.subscriptions.catalogue import Catalogue, Product, Tier
from billing.subscriptions.replace_catalogue import replace_catalogue

from tests.api_gateway import NOW
from tests.aws import UserPool, stored_items
from tests.company import Company
from tests.samples import ACCOUNT, with_value
from tests.store.samples import ACCOUNT as STORED
from tests.store.samples import ADMIN, BILLING, CONTEXT, DUE, PAGE, sample_event
from tests.stores import Stores

REQUEST = AccountBody.model_validate(ACCOUNT).value()
SEARCH = (Product("search", "Search", "searches", (Tier(10, {"EUR": 1}),)),)


class Meanwhile:
    """A directory that runs another request while it answers the first one."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self.happens: Callable[[], object] | None = happens

    def log_in(self, email: str, name: str) -> LogIn:
        happens, self.happens = self.happens, None
        if happens:
            happens()
        return LogIn(f"user of {email}", staff=False, verified=True)

    def find(self, email: str) -> LogIn | None:
        raise AssertionError("these tests look for no log-in")

    def has_log_in(self, user: str) -> bool:
        return True

    def remove(self, user: str) -> None:
        raise AssertionError("these tests remove no user")


def provision(request: Provisioning, store: Stores, happens: Callable[[], object] = lambda: None) -> str:
    return provision_account(
        request, context=CONTEXT, directory=Meanwhile(happens), pages=store, catalogues=store
    ).account.name


def test_the_same_provisioning_sent_twice_at_once_creates_one_account(catalogue: UserPool, store: Stores) -> None:
    name = provision(REQUEST, store, happens=lambda: provision(REQUEST, store))

    assert name == REQUEST.name
    assert len([item for item in stored_items() if item["pk"] == "ACCOUNT#nordlys-kaffe"]) == 11


def test_the_first_of_two_companies_with_the_same_id_gets_it(catalogue: UserPool, store: Stores) -> None:
    other = AccountBody.model_validate(with_value(ACCOUNT, "Another", "name")).value()

    with pytest.raises(AccountExists):
        provision(REQUEST, store, happens=lambda: provision(other, store))

    assert store.account(REQUEST.account).name == "Another"


def test_two_invitations_at_once_lose_no_user(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    account = store.account(STORED.id)

    def other_invitation() -> None:
        save_user(
            account,
            "cy@nordlys.example",
            "Cy",
            Role.MEMBER,
            invitations_per_day=50,
            context=CONTEXT,
            directory=Meanwhile(lambda: None),
            store=store,
        )

    with pytest.raises(ConcurrentChange):
        save_user(
            account,
            "bo@nordlys.example",
            "Bo",
            Role.MEMBER,
            invitations_per_day=50,
            context=CONTEXT,
            directory=Meanwhile(other_invitation),
            store=store,
        )
    assert {user.email for user in store.users(STORED.id)} >= {"cy@nordlys.example"}


class AnswerLost(Stores):
    """A store that sends conditional writes twice, as a client does when the first answer is lost."""

    def replace_information(
        self,
        account: str,
        area: Area,
        details: Details,
        version: int,
        event: Event,
        vat_number: VatNumberDue | None = None,
    ) -> None:
        super().replace_information(account, area, details, version, event, vat_number)
        super().replace_information(account, area, details, version, event, vat_number)

    def add_catalogue(self, catalogue: Catalogue, event: Event) -> None:
        super().add_catalogue(catalogue, event)
        super().add_catalogue(catalogue, event)


@pytest.fixture
def answer_lost(store: Stores) -> Stores:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    lossy = AnswerLost.__new__(AnswerLost)
    lossy.__dict__.update(store.__dict__)
    return lossy


def test_a_change_that_conflicts_with_its_own_result_succeeds(answer_lost: Stores) -> None:
    moved = BillingDetails("finance@nordlys.example")

    changed = change_billing_information(
        STORED, Area.BILLING, PAGE.information.billing, moved, 1, context=CONTEXT, store=answer_lost
    )

    assert changed == answer_lost.billing_page(STORED.id).information.billing
    assert (changed.details, changed.version) == (moved, 2)


def test_a_change_that_conflicts_with_another_change_is_refused(store: Stores) -> None:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    store.replace_information(STORED.id, Area.BILLING, BillingDetails("first@nordlys.example"), 1, sample_event())

    with pytest.raises(StaleVersion):
        change_billing_information(
            STORED,
            Area.BILLING,
            PAGE.information.billing,
            BillingDetails("second@nordlys.example"),
            1,
            context=CONTEXT,
            store=store,
        )


def test_a_catalogue_that_conflicts_with_its_own_result_succeeds(answer_lost: Stores) -> None:
    assert (
        replace_catalogue(SEARCH, 0, is_charged=True, context=CONTEXT, store=answer_lost)
        == Catalogue(1, SEARCH)
        == answer_lost.newest_catalogue()
    )


def test_the_second_of_two_catalogues_at_once_is_refused(store: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    dearer = (replace(SEARCH[0], tiers=(Tier(10, {"EUR": 2}),)),)
    monkeypatch.setattr(store, "catalogue", lambda: None)
    store.add_catalogue(Catalogue(1, dearer), sample_event(account=None))

    with pytest.raises(StaleVersion):
        replace_catalogue(SEARCH, 0, is_charged=True, context=CONTEXT, store=store)


# ---- Two requests that have read the same state ----


def test_two_browsers_that_cancel_at_once_get_one_receipt(company: Company) -> None:
    cancellations = wiring.cancellation_store()
    state = existing(cancellations.state(company.account))
    seller = wiring.seller_address()
    follows = preview_cancellation(state, NOW.date(), 14, seller, None)
    request = CancellationRequest(Reason.OTHER, "We close the shop.", follows.active_until)

    first, second = (
        cancel_account(
            state, request, retention_days=14, seller=seller, policy=None, context=CONTEXT, store=cancellations
        )
        for _ in range(2)
    )

    assert first == second
    assert existing(cancellations.state(company.account)).cancellation == first


def test_the_second_of_two_simultaneous_withdrawals_is_refused(company: Company) -> None:
    cancellations = wiring.cancellation_store()
    state = existing(cancellations.state(company.account))
    seller = wiring.seller_address()
    follows = preview_cancellation(state, NOW.date(), 14, seller, None)
    request = CancellationRequest(Reason.OTHER, "We close the shop.", follows.active_until)
    cancel_account(state, request, retention_days=14, seller=seller, policy=None, context=CONTEXT, store=cancellations)
    cancelled = existing(cancellations.state(company.account))
    withdraw_cancellation(cancelled, seller=seller, policy=None, context=CONTEXT, store=cancellations)

    with pytest.raises(ConcurrentChange):
        withdraw_cancellation(cancelled, seller=seller, policy=None, context=CONTEXT, store=cancellations)


def test_the_second_of_two_simultaneous_payment_method_changes_is_refused(company: Company) -> None:
    paying = wiring.payment_store()
    payer = existing(paying.payer(company.account))
    set_bank_transfer(payer, context=CONTEXT, store=paying)

    with pytest.raises(ConcurrentChange):
        set_bank_transfer(payer, context=CONTEXT, store=paying)


def test_a_file_that_is_asked_for_twice_at_once_is_prepared_once(company: Company) -> None:
    downloads = wiring.download_store()
    state = existing(downloads.state(company.account, DownloadKind.EXPORT, None))

    first, second = (
        request_download(state, DownloadKind.EXPORT, None, context=CONTEXT, store=downloads) for _ in range(2)
    )

    assert first == second
