"""Step 3: staff, a catalogue, an account, its first admin, the billing page, and what is refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any

from local.demo.companies import COMPANIES
from local.demo.seeding import CATALOGUE, STAFF_GROUP
from scripts.smoke.deployment import BURST, RATE
from scripts.smoke.refusals import NotHere, Refused
from scripts.smoke.world import World, new_password

CODE_SECONDS = 60
AT_ONCE = 40
SENT = 6 * (RATE + BURST)


def staff(world: World) -> str:
    """A member of staff logs in, by the commands of docs/deploy.md. With a password alone they have no rights."""
    cognito, pool = world.aws("cognito-idp"), world.output("UserPoolId")
    email, password = world.address("staff"), new_password()
    cognito.admin_create_user(
        UserPoolId=pool,
        Username=email,
        MessageAction="SUPPRESS",
        UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
    )
    world.made.staff = email
    cognito.admin_set_user_password(UserPoolId=pool, Username=email, Password=password, Permanent=True)
    if not world.is_local:
        # make run deploys with StaffSecondFactor=off.
        cognito.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=STAFF_GROUP)
        refused = world.require(403, "GET", "/catalogue", token=world.log_in(email, password)).json()
        if not str(refused.get("type", "")).endswith("second-factor-missing"):
            raise Refused(
                f"Staff without a second factor got {refused.get('type')}.", "Look at the log of RequireSecondFactor."
            )
    secret = world.set_up_factor(email, password)
    cognito.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=STAFF_GROUP)
    world.made.staff_token = world.log_in(email, password, secret)
    if world.ask("GET", "/catalogue", token=world.made.staff_token).status not in {200, 404}:
        world.require(200, "GET", "/catalogue", token=world.made.staff_token)
    return "staff log in with a second factor" + ("" if world.is_local else ", and have no rights without it")


def catalogue(world: World) -> str:
    """Staff give a catalogue, if there is none."""
    found = world.ask("GET", "/catalogue", token=world.made.staff_token)
    if found.status == HTTPStatus.NOT_FOUND:
        body = json.loads(CATALOGUE.read_text("utf-8"))
        found = world.require(
            200, "PUT", "/catalogue", token=world.made.staff_token, body=body, headers={"If-None-Match": "*"}
        )
    if found.status != HTTPStatus.OK:
        world.require(200, "GET", "/catalogue", token=world.made.staff_token)
    return f"a catalogue of {len(found.json()['products'])} products"


def provisioning(world: World, today: date) -> dict[str, Any]:
    """The body of an account that has its first invoice to come."""
    body = {
        **COMPANIES[0].provisioning(today),
        "account": world.made.account,
        "name": "Livello Smoke",
        "first_admin": {"email": world.made.admin, "name": "Ada Smoke"},
        "billing": {"email": world.address("billing"), "language": "en"},
        "discounts": [],
        "invoiced_until": None,
    }
    body["contract"] |= {"start": str(today - timedelta(days=3)), "interval_months": 1}
    return body


def account(world: World) -> str:
    """Staff provision an account, once."""
    now = world.now()
    world.made.account = f"smoke-{now:%Y%m%d-%H%M%S}"
    world.made.admin = world.plan.mailbox or world.address("ada")
    body = provisioning(world, now.date())
    first = world.require(201, "POST", "/accounts", token=world.made.staff_token, body=body)
    again = world.require(201, "POST", "/accounts", token=world.made.staff_token, body=body)
    if first.json() != again.json():
        raise Refused("The same request made two accounts.", "Paste the JSON file into an issue.")
    return f"{world.made.account} is provisioned once by two requests"


def first_admin(world: World) -> str:
    """The first admin chooses a password by a mailed code, where smoke can read it; else by the operator."""
    cognito, client, password = world.aws("cognito-idp"), world.output("BillingPageClientId"), new_password()
    if world.is_local or world.plan.mailbox:
        cognito.forgot_password(ClientId=client, Username=world.made.admin)
        codes: list[str] = []

        def came() -> bool:
            codes.extend(filter(None, [world.code_for(world.made.admin)]))
            return bool(codes)

        world.eventually(
            came, CODE_SECONDS, "no code came by mail", "Look at the dead letters, and whether SES is in its sandbox."
        )
        cognito.confirm_forgot_password(
            ClientId=client, Username=world.made.admin, ConfirmationCode=codes[0], Password=password
        )
    else:
        cognito.admin_set_user_password(
            UserPoolId=world.output("UserPoolId"), Username=world.made.admin, Password=password, Permanent=True
        )
    world.made.admin_token = world.log_in(world.made.admin, password)
    by = "a mailed code" if world.is_local or world.plan.mailbox else "the operator's password (--mailbox tries a code)"
    return f"the first admin logs in, by {by}"


def page(world: World) -> str:
    """The admin reads the billing page."""
    body = world.require(200, "GET", world.of_account("billing"), token=world.made.admin_token).json()
    return f"the billing page has {len(body['subscription']['lines'])} products"


def refusals(world: World) -> str:
    """No token, another account, staff who would change it, and a bad body are each refused by a problem document."""
    admin, staff_token = world.made.admin_token, world.made.staff_token
    contact = world.of_account("billing-information/contact")
    asked: tuple[tuple[int, str, str, dict[str, Any]], ...] = (
        (401, "GET", world.of_account("billing"), {}),
        (404, "GET", "/accounts/somebody-else/billing", {"token": admin}),
        (403, "PUT", contact, {"token": staff_token, "body": {"name": "Smoke", "phone": None}}),
        (428, "PUT", contact, {"token": admin, "body": {"name": "Smoke", "phone": None}}),
        (422, "PUT", "/catalogue", {"token": staff_token, "body": {"products": []}, "headers": {"If-Match": '"1"'}}),
        (404, "GET", "/nothing-here", {"token": admin}),
    )
    for status, method, path, request in asked:
        answer = world.require(status, method, path, **request)
        if "problem+json" not in (answer.headers["Content-Type"] or ""):
            raise Refused(
                f"{method} {world.shape(path)} gave {status} without a problem document.", "Look at GatewayResponses."
            )
    return f"{len(asked)} wrong requests get problem documents"


def throttled(world: World) -> str:
    """Too many requests at once get 429 with our own body."""
    if world.is_local:
        raise NotHere("make run's limit is 400 requests at once, and the emulator holds others up with them")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: world.ask("GET", "/openapi.json"), range(SENT)))
    refused = [each for each in answers if each.status == HTTPStatus.TOO_MANY_REQUESTS]
    if not refused:
        raise Refused(f"{SENT} requests were all answered.", "Look at the throttling of the stage v1.")
    if refused[0].json().get("status") != HTTPStatus.TOO_MANY_REQUESTS or not refused[0].headers["Retry-After"]:
        raise Refused("A 429 has no problem document of ours.", "Look at THROTTLED of GatewayResponses.")
    return f"{len(refused)} of {SENT} requests at once got our 429"


CHECKS = (staff, catalogue, account, first_admin, page, refusals, throttled)
