"""An account with an admin and a member, made through the functions themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from billing.store.store import BillingStore

from functions.administer_catalogue.app import handler as administer_catalogue
from functions.administer_users.app import handler as administer_users
from functions.provision_account.app import handler as provision_account
from tests.api_gateway import STAFF, Answer, answer, person
from tests.api_gateway import request as asked
from tests.conftest import UserPool, keep_items, stored_items
from tests.samples import ACCOUNT, CATALOGUE


@dataclass(frozen=True)
class Company:
    """The sample account with its people's claims."""

    account: str
    admin: dict[str, str]
    member: dict[str, str]

    @property
    def path(self) -> dict[str, str]:
        return {"account": self.account}


def provisioned(body: dict[str, Any]) -> Answer:
    return answer(provision_account, asked("POST", "/accounts", claims=STAFF, body=body))


@pytest.fixture
def catalogue(store: BillingStore, user_pool: UserPool) -> UserPool:
    """A catalogue, and nothing else."""
    given = answer(
        administer_catalogue,
        asked("PUT", "/catalogue", claims=STAFF, body=CATALOGUE, headers={"If-None-Match": "*"}),
    )
    assert given.status == 200, given
    return user_pool


@pytest.fixture(scope="session")
def made_once() -> dict[str, Any]:
    return {}


@pytest.fixture
def company(request: pytest.FixtureRequest, store: BillingStore, made_once: dict[str, Any]) -> Company:
    """The sample account as it was provisioned; the second test finds the items that the first one made."""
    if not made_once:
        request.getfixturevalue("catalogue")
        made_once["company"] = _made()
        made_once["items"] = stored_items()
    else:
        keep_items(made_once["items"])
    made: Company = made_once["company"]
    return made


def _made() -> Company:
    assert provisioned(ACCOUNT).status == 201
    path = {"account": ACCOUNT["account"]}
    users = "/accounts/{account}/users"
    listed = answer(administer_users, asked("GET", users, claims=STAFF, path=path))
    admin = person(listed.body["items"][0]["user"])
    member = {"email": "bo@nordlys.example", "name": "Bo Lind", "role": "member"}
    invited = answer(administer_users, asked("PUT", users, claims=admin, path=path, body=member))
    assert invited.status == 200, invited
    return Company(ACCOUNT["account"], admin, person(invited.body["user"]))
