"""Reads and writes the newest appointment of an account. While it is open it is due work of the account's end."""

from __future__ import annotations

from collections.abc import Sequence

from billing.accounts.appointment_mapping import appointment_body, appointment_from
from billing.accounts.appointments import Appointment
from billing.accounts.log_in_records import stay
from billing.accounts.mapping import account_body, account_of
from billing.accounts.records import AccountStore, user_item
from billing.accounts.rules import Account, User
from billing.kernel.events import Event
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item


class AppointmentStore(AccountStore):
    """Appointments in the table."""

    def appointment(self, account: str) -> Appointment | None:
        """The newest appointment of an account, None if there was none. One get."""
        return appointment_from(self._reads.get(keys.account(account), keys.PAGE_APPOINTMENT))

    def account_with_appointment(self, account: str) -> tuple[Account, Appointment | None] | None:
        """An account and its newest appointment, None if there is no such account. One read."""
        partition = keys.account(account)
        rows = self._reads.get_all((partition, key) for key in (keys.PAGE_ACCOUNT, keys.PAGE_APPOINTMENT))
        row = rows.get((partition, keys.PAGE_ACCOUNT))
        if row is None:
            return None
        return account_of(row), appointment_from(rows.get((partition, keys.PAGE_APPOINTMENT)))

    def announce(self, account: Account, appointment: Appointment, event: Event) -> None:
        """Saves an open appointment in the place of the account's former one, as due work, and records the event.

        Raises ConcurrentChange when the account, or its newest appointment, is no longer at its version. One
        transaction.
        """
        with self._transaction() as write:
            write.check(keys.account(account.id), keys.PAGE_ACCOUNT, account.version)
            write.replace(_item(account.id, appointment), appointment.version)
            write.record(event)

    def end(self, account: str, appointment: Appointment, event: Event) -> None:
        """Saves an appointment that has ended without effect, and records the event.

        Raises ConcurrentChange when it is no longer at its version, or the account is deleted. One transaction.
        """
        with self._transaction() as write:
            write.require_account(account)
            write.replace(_item(account, appointment), appointment.version)
            write.record(event)

    def carry_out(
        self, account: Account, appointment: Appointment, user: User, events: Sequence[Event], *, is_new: bool
    ) -> None:
        """Saves an appointment that has taken effect, the account with its roles, and the user; records the events.

        Clears the address's undeliverable mark, because staff have just given this address. Raises ConcurrentChange
        when the account, or the appointment, is no longer at its version, while the log-in is being deleted, and while
        the person is being erased. One transaction.
        """
        partition = keys.account(account.id)
        with self._transaction() as write:
            unmarked = [keys.logged_in(user.id)] if is_new else ()
            page = Item(partition, keys.PAGE_ACCOUNT, account_body(account))
            write.replace_account(page, account.version, unmarked=unmarked)
            write.replace(_item(account.id, appointment), appointment.version)
            write.put(user_item(account, user))
            for event in events:
                write.record(event)
            write.delete(partition, keys.undeliverable(user.email))
            stay(write, user.id)
            write.check(partition, keys.erasure(user.id), 0)


def _item(account: str, appointment: Appointment) -> Item:
    """The item of an appointment. The worker of ends finds it while it is open (billing.platform.dynamodb.keys)."""
    index = (keys.shard_of(Job.ENDING, account), keys.instant(appointment.effective_at))
    body = appointment_body(appointment)
    return Item(keys.account(account), keys.PAGE_APPOINTMENT, body, index=index if appointment.is_open else None)
