"""Maps accounts, users and billing information to item bodies (`…_body`) and back (`…_from`)."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date, datetime

from billing.accounts.information import BillingDetails, CompanyDetails, ContactDetails, Details
from billing.accounts.rules import (
    Account,
    EarlierContract,
    EarlierProduct,
    Ending,
    Invitation,
    InvitationCount,
    Status,
    Store,
    User,
)
from billing.accounts.vat_number_due import VatNumberDue
from billing.kernel.contract_calendar import Contract, Term
from billing.kernel.events import Actor, ActorKind
from billing.kernel.permissions import Role
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import Body, date_or_none, parsed, text
from billing.platform.dynamodb.reader import Row


def account_body(account: Account) -> str:
    return text(
        _earlier_body(account)
        | _invited_body(account.invited)
        | {
            "account": account.id,
            "name": account.name,
            "status": account.status,
            "contract": contract_body(account.contract),
            "stores": [_store_body(store) for store in account.stores],
            "roles": dict(account.roles),
            "provisioned_as": account.provisioned_as,
            "success_manager": account.success_manager,
            "ending": account.ending,
            "reactivation": account.reactivation,
            "invoiced_from": account.invoiced_from,
            "identity": account.identity,
        }
    )


def account_of(row: Row) -> Account:
    """The account of its item, with who has logged in: attributes of the item beside its body."""
    used = row.image.get(keys.USED_SINCE)
    return replace(
        account_from(row.body, row.version),
        logged_in=_logged_in_from(row),
        used_since=None if used is None else datetime.fromisoformat(used["S"]),
    )


def _logged_in_from(row: Row) -> dict[str, datetime]:
    marks = ((name, value) for name, value in row.image.items() if name.startswith(keys.LOGGED_IN))
    return {name.removeprefix(keys.LOGGED_IN): datetime.fromisoformat(value["S"]) for name, value in marks}


def account_from(stored: str, version: int) -> Account:
    """The account of a stored body. The body does not say who has logged in: see account_of."""
    body = parsed(stored)
    return Account(
        id=body["account"],
        name=body["name"],
        status=Status(body["status"]),
        contract=contract_from(body["contract"]),
        stores=tuple(
            Store(id=store["store"], name=store["name"], closed_on=date_or_none(store.get("closed_on")))
            for store in body["stores"]  # open stores, and all older ones, have no day
        ),
        roles={user: Role(role) for user, role in body["roles"].items()},
        provisioned_as=body["provisioned_as"],
        version=version,
        success_manager=body.get("success_manager"),  # older items lack this field and the next four
        ending=_ending_from(body.get("ending")),
        reactivation=body.get("reactivation"),
        invoiced_from=body.get("invoiced_from"),
        earlier=tuple(
            EarlierContract(
                date.fromisoformat(each["start"]),
                date.fromisoformat(each["ended_on"]),
                tuple(each["products"]),
                tuple(
                    EarlierProduct(dated["product"], date_or_none(dated["since"]), date_or_none(dated["until"]))
                    for dated in each.get("dated", ())  # most contracts, and all older ones, have none
                ),
            )
            for each in body.get("earlier", ())  # most accounts, and all older ones, have none
        ),
        identity=body.get("identity", ""),
        invited=_invited_from(body.get("invited")),  # accounts that have invited nobody since provisioning lack it
    )


def _store_body(store: Store) -> Body:
    """A store. An open one, as most are, has no day of its closing."""
    body: Body = {"store": store.id, "name": store.name}
    return body if store.closed_on is None else {**body, "closed_on": store.closed_on}


def _earlier_body(account: Account) -> Body:
    """The contracts that have ended. One without products of a part of its time, as most are, has no list of them."""
    bodies = [asdict(each) for each in account.earlier]
    for body in bodies:
        if not body["dated"]:
            del body["dated"]
    return {"earlier": bodies} if bodies else {}


def _invited_body(count: InvitationCount) -> Body:
    return {"invited": asdict(count)} if count.invitations or count.promotions else {}


def _invited_from(body: Body | None) -> InvitationCount:
    if body is None:
        return InvitationCount(date.min)
    return InvitationCount(date.fromisoformat(body["day"]), body["invitations"], body["promotions"])


def contract_body(contract: Contract) -> Body:
    """A contract. One that has had one term only has no list of terms, and one currency: most have."""
    body = asdict(contract)
    return {name: value for name, value in body.items() if name not in {"terms", "first_currency"} or value}


def contract_from(body: Body) -> Contract:
    return Contract(
        start=date.fromisoformat(body["start"]),
        interval_months=body["interval_months"],
        currency=body["currency"],
        time_zone=body["time_zone"],
        terms=tuple(
            Term(each["from_month"], each["interval_months"], each["currency"], _instant(each["decided_at"]))
            for each in body.get("terms", ())  # most contracts, and all older ones, have none
        ),
        first_currency=body.get("first_currency"),
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _ending_from(body: Body | None) -> Ending | None:
    if body is None:
        return None
    return Ending(body["receipt"], date.fromisoformat(body["active_until"]), date.fromisoformat(body["purge_on"]))


def user_body(user: User, account_name: str) -> str:
    """A user with the account's name. A copy of the name makes a user's list of accounts one query."""
    return text({**user.facts, "invitation": user.invitation, "account_name": account_name})


def user_from(stored: str) -> User:
    return user_and_account_name_from(stored)[0]


def user_and_account_name_from(stored: str) -> tuple[User, str]:
    body = parsed(stored)
    user = User(
        id=body["user"],
        email=body["email"],
        name=body["name"],
        role=Role(body["role"]),
        invitation=_invitation_from(body.get("invitation")),  # older items lack it
    )
    return user, body["account_name"]


def _invitation_from(body: Body | None) -> Invitation | None:
    if body is None:
        return None
    by = body["by"]
    return Invitation(_instant(body["at"]), Actor(ActorKind(by["kind"]), by["user"]))


def information_body(details: Details) -> str:
    return text(asdict(details))


def company_from(stored: str) -> CompanyDetails:
    return CompanyDetails(**parsed(stored))


def billing_from(stored: str) -> BillingDetails:
    return BillingDetails(**parsed(stored))


def contact_from(stored: str) -> ContactDetails:
    return ContactDetails(**parsed(stored))


def vat_number_due_body(due: VatNumberDue) -> str:
    return text(asdict(due))


def vat_number_due_from(stored: str) -> VatNumberDue:
    body = parsed(stored)
    return VatNumberDue(datetime.fromisoformat(body["at"]), body["attempts"])
