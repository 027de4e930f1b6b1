"""Help by staff for an account that nobody can act for: corrected provisionings, and appointed admins."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from billing import wiring
from billing.accounts.cognito_directory import CognitoDirectory
from billing.correspondence.audiences import LetterContext, Recipient, recipients
from billing.correspondence.event_kinds import published
from billing.correspondence.letters import letter
from billing.kernel.errors import UpstreamFailed
from billing.kernel.permissions import Role

from functions.administer_users.app import handler as administer_users
from functions.end_account.app import handler as end_account
from functions.get_billing.app import handler as get_billing
from functions.list_accounts.app import handler as list_accounts
from scripts.mail_preview import VENDOR
from tests.api_gateway import NOW, STAFF, Answer, answer, person, request
from tests.aws import UserPool, restore_items, stored_items
from tests.company import Company, provisioned
from tests.functions.ending import ENDED, PURGED, Context, call_cancellation, cancel, events_of, fire, record
from tests.samples import ACCOUNT

APPOINTMENT = "/accounts/{account}/appointment"
PROVISIONING = "/accounts/{account}/provisioning"
DINA = {"email": "dina@nordlys.example", "name": "Dina Lund", "reason": "The only admin has left."}
CORRECTED = {"first_admin": {"email": "ada@nordlys-kaffe.example", "name": "Ada Holm"}, "reason": "A typo."}
EFFECTIVE = NOW + timedelta(days=7)
LATER = EFFECTIVE + timedelta(minutes=1)
KINDS = ("admin_appointment.announced", "admin_appointment.ended", "admin_appointment.effective")


def ask(method: str, route: str, body: Any = None, *, claims: Any = STAFF, now: datetime = NOW, **more: Any) -> Answer:
    path = {"account": ACCOUNT["account"]}
    return answer(administer_users, request(method, route, claims=claims, path=path, body=body, now=now, **more))


def announce(body: Any = DINA, *, now: datetime = NOW) -> Answer:
    return ask("POST", APPOINTMENT, body, now=now)


def object_to(appointment: str, admin: dict[str, str], *, now: datetime = NOW) -> Answer:
    return ask("POST", APPOINTMENT + "/objection", {"appointment": appointment}, claims=admin, now=now)


def roles() -> dict[str, Role]:
    """The roles by address."""
    return {user.email: user.role for user in wiring.account_store().users(ACCOUNT["account"])}


def appointed(company: Company) -> dict[str, Any]:
    given = ask("GET", APPOINTMENT, claims=company.admin)
    assert given.status == 200, given
    return dict(given.body)


def outcome_of(kind: str) -> list[str]:
    return [(event.after or {})["outcome"] for event in events_of(kind)]


# ---- Appointments ----


def test_an_appointed_admin_comes_after_the_delay_and_not_before(
    company: Company, work: Any, user_pool: UserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = "new@nordlys.example"
    given = announce({**DINA, "email": new})

    assert given.status == 201, given
    assert given.headers["Location"] == "/v1/accounts/nordlys-kaffe/appointment"
    assert given.body["status"] == "open"
    assert datetime.fromisoformat(given.body["effective_at"]) == EFFECTIVE
    fire(LATER, work, monkeypatch, "ending", real=EFFECTIVE - timedelta(seconds=1))
    assert new not in user_pool.emails(), "no log-in before"
    assert new not in roles()

    fire(LATER, work, monkeypatch, "ending", real=LATER)

    assert roles()[new] is Role.ADMIN
    assert new in user_pool.emails()
    assert appointed(company)["status"] == "effective"
    [effective] = events_of("admin_appointment.effective")
    assert effective.actor.kind == "system"
    [invited] = [each for each in events_of("user.added") if (each.after or {})["email"] == new]
    dina = person((invited.after or {})["user"])
    accounts = answer(list_accounts, request("GET", "/accounts", claims=dina)).body["items"]
    assert [each["role"] for each in accounts] == ["admin"]
    assert cancel(Company(company.account, dina, company.member), "2026-10-15", now=LATER).status == 201, (
        "all an admin may"
    )


def test_everybody_who_could_object_is_told_at_once_and_of_the_end(company: Company) -> None:
    first = announce().body["appointment"]
    assert object_to(first, company.admin).status == 200
    [announced] = events_of("admin_appointment.announced")
    [ended] = events_of("admin_appointment.ended")

    users = wiring.account_store().users(company.account)
    told = [recipients(event, users, "bills@nordlys.example", "staff@vendor.example") for event in (announced, ended)]

    everybody = (Recipient("ada@nordlys.example", "Ada Holm"), Recipient("bills@nordlys.example", None))
    assert told == [everybody, (*everybody, Recipient("staff@vendor.example", None))]
    assert announced.actor.kind == "staff"
    assert (announced.after or {})["reason"] == DINA["reason"]


def test_any_present_admin_ends_an_appointment_until_it_takes_effect(
    company: Company, work: Any, user_pool: UserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = "late@nordlys.example"
    first = announce({**DINA, "email": email}).body["appointment"]
    last_moment = EFFECTIVE + timedelta(hours=1)  # due, and not carried out yet

    ended = object_to(first, company.admin, now=last_moment)

    assert (ended.status, ended.body["status"]) == (200, "objected")
    assert object_to(first, company.admin, now=last_moment).body == ended.body, "repeated"
    fire(last_moment, work, monkeypatch, "ending", real=last_moment)
    assert email not in user_pool.emails()
    assert outcome_of("admin_appointment.ended") == ["objected"]
    refused = ask("DELETE", APPOINTMENT)
    assert (refused.status, refused.body["type"]) == (409, "urn:livello:problem:appointment-ended")


def test_staff_take_an_appointment_back(company: Company) -> None:
    first = announce().body["appointment"]

    assert ask("DELETE", APPOINTMENT).status == 204
    assert ask("DELETE", APPOINTMENT).status == 204, "repeated"

    assert outcome_of("admin_appointment.ended") == ["taken_back"]
    assert object_to(first, company.admin).status == 409
    again = announce(now=NOW + timedelta(days=6))
    assert datetime.fromisoformat(again.body["effective_at"]) == EFFECTIVE + timedelta(days=6), "the delay begins anew"
    assert object_to(first, company.admin).status == 404, "another one is open now"


def test_one_appointment_is_open_at_a_time(company: Company) -> None:
    first = announce()

    assert announce(now=NOW + timedelta(days=1)).body == first.body, "repeated, and not prolonged"
    other = announce({**DINA, "email": "other@nordlys.example"})
    assert (other.status, other.body["type"]) == (409, "urn:livello:problem:appointment-open")
    assert len(events_of(*KINDS)) == 1


def test_nobody_can_shorten_the_delay(company: Company) -> None:
    assert announce({**DINA, "effective_at": NOW.isoformat()}).status == 422
    assert announce({**DINA, "delay_days": 0}).status == 422
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APPOINTMENT_DELAY_DAYS", "0")  # the template's minimum is 1
        assert datetime.fromisoformat(announce().body["effective_at"]) == NOW + timedelta(days=1)


def test_staff_cannot_appoint_staff(company: Company, user_pool: UserPool) -> None:
    user_pool.add_staff("sofie@vendor.example")
    before = stored_items()

    given = announce({**DINA, "email": "sofie@vendor.example"})

    assert given.status == 422
    assert given.body["errors"][0]["pointer"] == "#/email"
    assert stored_items() == before


def test_who_became_staff_in_between_is_not_appointed(
    company: Company, work: Any, user_pool: UserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = "eva@nordlys.example"
    announce({**DINA, "email": email})
    user_pool.add_staff(email)

    fire(LATER, work, monkeypatch, "ending", real=LATER)

    assert (appointed(company)["status"], appointed(company)["cause"]) == ("failed", "rule-violation")
    assert outcome_of("admin_appointment.ended") == ["failed"]
    assert email not in roles()


def test_a_member_becomes_admin(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert announce({**DINA, "email": "bo@nordlys.example", "name": "Somebody"}).status == 201

    fire(LATER, work, monkeypatch, "ending", real=LATER)

    assert roles()["bo@nordlys.example"] is Role.ADMIN
    [changed] = events_of("user.changed")
    assert (changed.after or {})["name"] == "Bo Lind", "the name stays"
    account = wiring.account_store().account(company.account)
    assert company.member["sub"] in account.logged_in, "they have logged in before"


def test_who_is_admin_is_not_appointed(company: Company) -> None:
    given = announce({**DINA, "email": "ada@nordlys.example"})

    assert (given.status, given.body["type"]) == (409, "urn:livello:problem:already-admin")


def test_who_became_admin_in_between_stays_one(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    announce()
    body = {"email": DINA["email"], "name": "Dina", "role": "admin"}
    assert ask("PUT", "/accounts/{account}/users", body, claims=company.admin).status == 200

    fire(LATER, work, monkeypatch, "ending", real=LATER)

    assert appointed(company)["status"] == "effective"
    assert events_of("user.changed") == []


def test_a_directory_that_is_down_delays_an_appointment_and_nothing_else(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce()
    assert cancel(company).status == 201
    message = {"Records": [record('{"account": "nordlys-kaffe", "at": "2026-07-14T22:01:00+00:00"}')]}
    monkeypatch.setattr("billing.platform.clock._now", lambda: ENDED)
    with monkeypatch.context() as outage:

        def fail(*_: object) -> None:
            raise UpstreamFailed("down")

        outage.setattr(CognitoDirectory, "log_in", fail)
        assert end_account(message, Context())["batchItemFailures"]
    assert wiring.account_store().account(company.account).status == "deactivated", "its end went on"
    assert appointed(company)["status"] == "open"

    assert end_account(message, Context()) == {"batchItemFailures": []}

    assert appointed(company)["status"] == "effective", "a deactivated account can be helped, too"
    assert roles()[DINA["email"]] is Role.ADMIN


def test_a_cancelled_account_gets_an_admin_who_can_withdraw(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cancel(company).status == 201
    announce()

    fire(LATER, work, monkeypatch, "ending", real=LATER)

    [invited] = [each for each in events_of("user.added") if (each.after or {})["email"] == DINA["email"]]
    dina = person((invited.after or {})["user"])
    assert call_cancellation(company, "DELETE", claims=dina, now=LATER).status == 204


def test_staff_who_announce_an_admin_still_never_cancel(company: Company) -> None:
    announce()

    assert cancel(company, claims=STAFF).status == 403
    assert call_cancellation(company, "DELETE", claims=STAFF).status == 403


def test_an_account_that_is_deleted_before_gets_no_admin(company: Company, work: Any) -> None:
    assert cancel(company).status == 201

    given = announce(now=PURGED - timedelta(days=3))

    assert (given.status, given.body["type"]) == (409, "urn:livello:problem:deleted-before")


def test_no_appointment_survives_a_deletion(
    company: Company, work: Any, user_pool: UserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cancel(company).status == 201
    announce(now=PURGED - timedelta(days=10))
    item = next(each for each in stored_items() if each["sk"] == "PAGE#APPOINTMENT")
    later = PURGED + timedelta(days=1)
    for at in (ENDED, PURGED):
        fire(at, work, monkeypatch, "ending")
    for _ in range(3):
        fire(later, work, monkeypatch, "ending")

    assert item["gsi1pk"].startswith("DUE#ending#")
    assert not [each for each in stored_items() if each["pk"] == "ACCOUNT#nordlys-kaffe"]


def test_admins_and_staff_see_an_open_appointment_on_the_billing_page(company: Company) -> None:
    announced = announce().body

    def seen(claims: dict[str, str]) -> Any:
        asked = request("GET", "/accounts/{account}/billing", claims=claims, path=company.path)
        return answer(get_billing, asked).body["appointment"]

    assert [seen(company.admin), seen(STAFF), seen(company.member)] == [announced, announced, None]
    ask("DELETE", APPOINTMENT)
    assert seen(company.admin) is None


def test_an_export_has_the_appointment(company: Company) -> None:
    announce()

    exported = [*wiring.download_store().everything(company.account)]

    [appointment] = [each for each in exported if each.key == "PAGE#APPOINTMENT"]
    assert DINA["reason"] in appointment.body


def test_without_an_appointment_there_is_none(company: Company) -> None:
    assert ask("GET", APPOINTMENT).body["type"] == "urn:livello:problem:appointment-not-found"
    assert object_to("01JZ8Q2V9M3N4P5R6S7T8V9W0X", company.admin).status == 404
    assert ask("DELETE", APPOINTMENT).status == 404


# ---- Corrections of a provisioning ----


@pytest.fixture
def untouched(catalogue: None) -> None:
    """The sample account, as staff have provisioned it."""
    assert provisioned(ACCOUNT).status == 201


def etag() -> str:
    return str(ask("GET", PROVISIONING).headers["ETag"])


def correct(body: Any = CORRECTED, *, version: str | None = None) -> Answer:
    return ask("PUT", PROVISIONING, body, headers={"If-Match": version or etag()})


@pytest.mark.usefixtures("untouched")
def test_a_typo_in_the_first_admins_address_is_corrected() -> None:
    shown = ask("GET", PROVISIONING)
    assert shown.body["correctable"] is True
    wrong = shown.body["admins"][0]["user"]

    given = correct(version=shown.headers["ETag"])

    assert given.status == 200, given
    assert roles() == {"ada@nordlys-kaffe.example": Role.ADMIN}
    assert given.headers["ETag"] == etag() != shown.headers["ETag"]
    [event] = events_of("provisioning.corrected")
    assert [each["email"] for each in (event.before or {})["admins"]] == ["ada@nordlys.example"]
    assert (event.after or {})["reason"] == "A typo."
    users = wiring.account_store().users("nordlys-kaffe")
    assert recipients(event, users, "bills@nordlys.example", None) == (
        Recipient("ada@nordlys-kaffe.example", "Ada Holm"),
    ), "only the right address is invited"
    asked = request("GET", "/accounts/{account}/users", claims=person(wrong), path={"account": "nordlys-kaffe"})
    assert answer(administer_users, asked).status == 404, "who was invited by mistake is a stranger"
    assert correct(version=shown.headers["ETag"]).body == given.body, "repeated"
    assert len(events_of("provisioning.corrected")) == 1


@pytest.mark.usefixtures("untouched")
def test_the_billing_information_is_corrected_with_it() -> None:
    billing = {"email": "faktura@nordlys.example", "language": "it"}

    assert correct({**CORRECTED, "billing": billing, "company": ACCOUNT["company"]}).status == 200

    stored = wiring.account_store().details("nordlys-kaffe").information
    assert (stored.billing.details.email, stored.billing.version) == ("faktura@nordlys.example", 2)
    assert stored.company.version == 1, "what was right stays"
    [event] = events_of("provisioning.corrected")
    assert (event.after or {})["areas"] == ["billing"]
    [changed] = events_of("billing_information.changed")
    assert changed.actor.kind == "staff"


@pytest.mark.usefixtures("untouched")
def test_nothing_is_corrected_once_an_admin_has_logged_in() -> None:
    before = etag()
    admin = wiring.account_store().users("nordlys-kaffe")[0].id
    path = {"account": "nordlys-kaffe"}
    answer(get_billing, request("GET", "/accounts/{account}/billing", claims=person(admin), path=path))

    given = correct(version=before)

    assert (given.status, given.body["type"]) == (409, "urn:livello:problem:admin-has-logged-in")
    assert ask("GET", PROVISIONING).body["correctable"] is False
    assert roles() == {"ada@nordlys.example": Role.ADMIN}


def test_an_admin_who_has_left_has_logged_in(company: Company) -> None:
    """The admin who is left was invited, and has never come."""
    body = {"email": "dina@nordlys.example", "name": "Dina", "role": "admin"}
    users = "/accounts/{account}/users"
    ask("PUT", users, body, claims=company.admin)
    path = {**company.path, "user": company.admin["sub"]}
    left = answer(administer_users, request("DELETE", users + "/{user}", claims=company.admin, path=path))
    assert left.status == 204

    assert correct().status == 409
    assert wiring.account_store().account(company.account).logged_in.keys() == {company.member["sub"]}


def test_an_account_of_an_earlier_release_is_not_corrected(untouched: None) -> None:
    """Nobody knows whether its admin has logged in: a correction could take it from them."""
    page = next(each for each in stored_items() if each["sk"] == "PAGE#ACCOUNT")
    identity = wiring.account_store().account("nordlys-kaffe").identity
    restore_items([{**page, "body": page["body"].replace(f'"identity":"{identity}"', '"identity":""')}])
    assert wiring.account_store().account("nordlys-kaffe").identity == ""

    given = correct()

    assert (given.status, given.body["type"]) == (409, "urn:livello:problem:log-ins-unknown")


@pytest.mark.usefixtures("untouched")
def test_a_correction_names_the_version_that_it_replaces() -> None:
    assert ask("PUT", PROVISIONING, CORRECTED).status == 428
    assert correct(version='"7"').status == 412
    assert roles() == {"ada@nordlys.example": Role.ADMIN}


@pytest.mark.usefixtures("untouched")
def test_the_same_address_with_another_name_keeps_the_log_in() -> None:
    before = wiring.account_store().users("nordlys-kaffe")[0].id

    assert correct({**CORRECTED, "first_admin": {"email": "ada@nordlys.example", "name": "Ada Holme"}}).status == 200

    [user] = wiring.account_store().users("nordlys-kaffe")
    assert (user.id, user.name) == (before, "Ada Holme")


@pytest.mark.usefixtures("untouched")
def test_staff_are_not_the_first_admin(user_pool: UserPool) -> None:
    user_pool.add_staff("sonja@vendor.example")

    given = correct({**CORRECTED, "first_admin": {"email": "sonja@vendor.example", "name": "Sofie"}})

    assert (given.status, given.body["errors"][0]["pointer"]) == (422, "#/first_admin/email")


# ---- Staff hear of an end (L29) ----


def test_staff_are_told_of_a_cancellation_with_its_reason_and_of_its_withdrawal(company: Company) -> None:
    cancel(company)
    call_cancellation(company, "DELETE")

    for event in events_of("cancellation.requested", "cancellation.withdrawn"):
        to = recipients(event, (), None, "staff@vendor.example")
        assert to == (Recipient("staff@vendor.example", None),)
        assert to[0].is_staff
    [requested] = events_of("cancellation.requested")
    assert (requested.after or {})["reason"] == "closing_business"
    staff = Recipient("staff@vendor.example", None, is_staff=True)
    for language, introduced, why in (
        ("en", "The customer has got this receipt", "because you look after"),
        ("it", "Il cliente ha ricevuto questa ricevuta", "seguite"),
    ):
        context = LetterContext("Nordlys Kaffe", language, "Europe/Copenhagen", "Ada Holm")
        to_staff, to_admin = (
            " ".join(letter(published(requested), context, each, VENDOR).text.split())
            for each in (staff, Recipient("ada@nordlys.example", "Ada Holm"))
        )
        assert introduced in to_staff
        assert why in to_staff
        assert "We close two of our four shops." in to_staff, "the reason in the customer's words"
        assert introduced not in to_admin
