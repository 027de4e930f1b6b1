"""The sample company and its users, made through the API's functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from functions.administer_catalogue.app import handler as administer_catalogue
from functions.administer_users.app import handler as administer_users
from functions.provision_account.app import handler as provision_account
from tests.api_gateway import NOW, STAFF, Answer, answer, person, request
from tests.samples import ACCOUNT


@dataclass(frozen=True)
class Company:
    """The sample account, and the claims of its users."""

    account: str
    admin: dict[str, str]
    member: dict[str, str]

    @property
    def path(self) -> dict[str, str]:
        return {"account": self.account}


def put_catalogue(body: dict[str, Any], *, replaces: int = 0) -> Answer:
    """Staff add a version of the catalogue."""
    headers = {"If-Match": f'"{replaces}"'} if replaces else {"If-None-Match": "*"}
    return answer(administer_catalogue, request("PUT", "/catalogue", claims=STAFF, body=body, headers=headers))


def provisioned(body: dict[str, Any], *, now: datetime = NOW) -> Answer:
    """Staff provision an account."""
    return answer(provision_account, request("POST", "/accounts", claims=STAFF, body=body, now=now))


def make_company() -> Company:
    """Provisions the sample account with an admin and a member. A catalogue must exist."""
    assert provisioned(ACCOUNT).status == 201
    path = {"account": ACCOUNT["account"]}
    users = "/accounts/{account}/users"
    listed = answer(administer_users, request("GET", users, claims=STAFF, path=path))
    admin = person(listed.body["items"][0]["user"])
    member = {"email": "bo@nordlys.example", "name": "Bo Lind", "role": "member"}
    invited = answer(administer_users, request("PUT", users, claims=admin, path=path, body=member))
    assert invited.status == 200, invited
    company = Company(ACCOUNT["account"], admin, person(invited.body["user"]))
    assert answer(administer_users, request("GET", users, claims=company.member, path=path)).status == 200
    return company
