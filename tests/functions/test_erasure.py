"""A person is erased from an account's record, and a log-in that belongs to no account is deleted."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import boto3
import pytest
from billing import wiring
from billing.accounts.appointment_mapping import appointment_body
from billing.accounts.appointments import Appointment, AppointmentState
from billing.accounts.cognito_directory import CognitoDirectory
from billing.correspondence.audiences import Delivery
from billing.correspondence.notify import audit_copy, notify
from billing.ending.erasure.commands import ErasureProgress, erase_person
from billing.ending.erasure.mail_copies import words_of
from billing.ending.erasure.records import DELETED, REWRITTEN, REWRITTEN_IN_PART, UNTOUCHED
from billing.ending.erasure.rules import ERASED_NAME, normal
from billing.ending.exports.rules import Download, DownloadKind
from billing.kernel.events import by_system
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import text
from billing.platform.events.new_event import new_event, new_id

from functions.administer_downloads.app import handler as downloads
from functions.administer_users.app import handler as administer_users
from functions.get_events.app import handler as get_events
from functions.update_billing_information.app import handler as update_billing_information
from tests.api_gateway import NOW, STAFF, Answer, answer, person, request
from tests.aws import DOCUMENTS, REGION, UserPool, put_item, stored_items
from tests.company import Company, provisioned
from tests.functions.ending import PURGED, cancel, deliver, events_of, fire
from tests.samples import ACCOUNT, with_value
from tests.template import ROOT

USERS = "/accounts/{account}/users"
CONTACT = "/accounts/{account}/billing-information/contact"
BILLING = "/accounts/{account}/billing-information/billing"
BO = {"email": "bo@nordlys.example", "name": "Bo Lind"}
SOON = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("work")


def put(company: Company, body: dict[str, Any], *, now: datetime = NOW) -> Answer:
    return answer(administer_users, request("PUT", USERS, claims=company.admin, path=company.path, body=body, now=now))


def remove(company: Company, user: str, *, erase: str = "true", now: datetime = NOW, claims: Any = None) -> Answer:
    asked = request(
        "DELETE",
        USERS + "/{user}",
        claims=claims or company.admin,
        path={**company.path, "user": user},
        query={"erase": erase} if erase else None,
        now=now,
    )
    return answer(administer_users, asked)


def change(company: Company, area: str, body: dict[str, Any], version: int, claims: Any = None) -> None:
    headers = {"If-Match": f'"{version}"'}
    asked = request("PUT", area, claims=claims or company.admin, path=company.path, body=body, headers=headers)
    assert answer(update_billing_information, asked).status == 200


def files() -> dict[str, bytes]:
    """All versions of all files, by key and version."""
    versions = boto3.resource("s3", region_name=REGION).Bucket(DOCUMENTS).object_versions.all()
    return {f"{each.object_key} {each.id}": each.get()["Body"].read() for each in versions}


def mailed(company: Company, event: str, to: str, text: str) -> str:
    """Stores a copy of a mail and its delivery, as the mail worker does. Returns the file's key."""
    mail = EmailMessage()
    mail["To"], mail["Subject"] = to, "About your account"
    mail.set_content(text)
    mail.add_alternative(f"<p>{text}</p>", subtype="html")
    address = to.rpartition("<")[2].rstrip(">")
    delivery = Delivery(company.account, event, Delivery.digest(event, address))
    key = audit_copy(company.account, delivery)
    wiring.documents().put(key, mail.as_bytes(), "message/rfc822")
    put_item(keys.account(company.account), keys.delivery(event, delivery.recipient), json.dumps({"message": "1"}))
    return key


def where_named(*needles: str) -> list[str]:
    """Every item, file and log-in that names somebody, in any spelling."""
    named = re.compile("|".join(rf"(?<!\w){re.escape(normal(each))}(?!\w)" for each in needles))

    def names(text: str) -> bool:
        return named.search(normal(text)) is not None

    items = [f"{item['pk']} {item['sk']}" for item in stored_items() if names(json.dumps(item, default=str))]
    items += [
        f"{item['pk']} {item['sk']}"
        for item in stored_items()
        if names(json.dumps(item, default=str, ensure_ascii=False))
    ]
    stored = [
        key
        for key, content in files().items()
        if names(key) or names(content.decode(errors="replace")) or any(map(names, words_of(content)))
    ]
    return sorted({*items, *stored})


def busy_record(company: Company) -> dict[str, str]:
    """Bo is everywhere: subject, actor, contact, correspondent, in others' words, in a review, an export and mails.

    Returns the copies of mails that name him, by what they are.
    """
    assert put(company, {**BO, "role": "admin"}).status == 200
    assert put(company, {**BO, "name": "Bo Lind Hansen", "role": "admin"}).status == 200
    cy = {"email": "cy@nordlys.example", "name": "Cy Ek", "role": "member"}
    assert put(Company(company.account, company.member, company.member), cy).status == 200
    change(company, CONTACT, {"name": "Bo Lind", "phone": "+45 11 22 33 44"}, 1, company.member)
    change(company, CONTACT, {"name": "Ada Holm", "phone": None}, 2)
    change(company, BILLING, {"email": BO["email"], "language": "en"}, 1)
    change(company, BILLING, {"email": "invoices@nordlys.example", "language": "en"}, 2)
    wiring.account_store().mark_undeliverable(
        company.account,
        BO["email"],
        new_event(
            "address.undeliverable",  # type: ignore[arg-type]
            by_system(NOW, "test"),
            account=company.account,
            before=None,
            after={"email": BO["email"], "reason": "bounced"},
        ),
    )
    partition = keys.account(company.account)
    decomposed = unicodedata.normalize("NFD", "Bø Lind").replace("ø", "o")
    put_item(
        partition,
        keys.REVIEW + "01",
        json.dumps({"decision": {"reason": f"BO  LIND\nwrote to us from <BO@Nordlys.example>; {decomposed} agreed."}}),
        version=3,
    )
    assert cancel(company, claims=company.member, text="Ask Bo Lind.").status == 201
    put_item(
        keys.usage(company.account),
        keys.CORRECTION + "2026-06-09#1",
        json.dumps({"reason": "\uff22\uff4f Lind typed a comma", "by": {"kind": "staff", "user": "staff-1"}}),
    )
    event = new_id(NOW)
    return {
        "to him": mailed(company, event, f"Bo Lind <{BO['email']}>", "Hello."),
        "to Ada": mailed(company, event, "Ada Holm <ada@nordlys.example>", "Bo\nLind changed your contact."),
        "about others": mailed(company, new_id(NOW), "Ada Holm <ada@nordlys.example>", "Bo Linder and jumbo@x.example"),
    }


# ---- Erasing ----------------------------------------------------------------------------------------------


def test_nothing_of_an_erased_person_is_found(
    company: Company, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole table, all versions of all files, and the pool; what others said of somebody else is as it was."""
    copies = busy_record(company)
    export = request("POST", "/accounts/{account}/export", claims=company.admin, path=company.path)
    assert answer(downloads, export).status == 202
    [asked] = events_of("download.requested")
    deliver(asked)
    bo = company.member["sub"]
    needles = (bo, BO["email"], BO["name"], "+45 11 22 33 44")
    assert len(where_named(*needles)) > 10
    before = {item["sk"]: item for item in stored_items() if item["pk"] == keys.account(company.account)}

    assert remove(company, bo).status == 202
    assert remove(company, bo).status == 202, "it is repeated while it is under way"
    fire(SOON, work, monkeypatch, "ending")

    assert where_named(*needles) == []
    assert user_pool.emails() == ["ada@nordlys.example", "cy@nordlys.example"]
    left = files()
    assert [key.split()[0] for key in left if "/mail/" in key] == [copies["about others"]]
    assert not [key for key in left if key.startswith("downloads/")]
    items = {item["sk"]: item for item in stored_items() if item["pk"] == keys.account(company.account)}
    [erased] = events_of("user.erased")
    pseudonym = (erased.after or {})["user"]
    rewritten = [key for key in before if key.startswith(REWRITTEN) and key in items and items[key] != before[key]]
    written_since = 3  # the correction of usage, in another partition, and the two events of the request
    counts = {"entries": len(rewritten) + written_since, "mails": 2, "files": 1}
    assert {**(erased.after or {})} == {"user": pseudonym, **counts}
    assert not [key for key in items if key.startswith((keys.ERASURE, keys.UNDELIVERABLE, keys.DOWNLOAD))]
    assert {key for key in items if key.startswith(keys.DELIVERY)} < {*before}
    # Who did it is still told apart, by one name for all.
    acted = [each for each in events_of("billing_information.changed") if each.actor.user == pseudonym]
    assert len(acted) == 1
    [*_, removed] = events_of("user.removed")
    assert removed.before == {
        "user": pseudonym,
        "email": f"{pseudonym}@erased.invalid",
        "name": ERASED_NAME,
        "role": "admin",
    }
    assert json.loads(items[keys.REVIEW + "01"]["body"])["decision"]["reason"] == (
        f"{ERASED_NAME}\nwrote to us from <{pseudonym}@erased.invalid>; {ERASED_NAME} agreed."
    )
    assert items[keys.REVIEW + "01"]["version"] == 4, "who read it before writes nothing over it"
    assert (
        answer(get_events, request("GET", "/accounts/{account}/events", claims=company.admin, path=company.path)).status
        == 200
    )


def test_nothing_is_published_again(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream's filter takes new events only: an erasure adds its own, and writes the others over."""
    before = {item["sk"] for item in stored_items() if item["sk"].startswith(keys.EVENT)}
    assert '{"eventName":["INSERT"],"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"EVENT#"}]}}}}' in (
        ROOT / "template.yaml"
    ).read_text("utf-8")
    writes: list[dict[str, Any]] = []
    client: Any = wiring.dynamodb()
    call = client._make_api_call

    def watched(name: str, sent: dict[str, Any]) -> Any:
        if name == "TransactWriteItems":
            writes.extend(sent["TransactItems"])
        return call(name, sent)

    monkeypatch.setattr(client, "_make_api_call", watched)
    assert remove(company, company.member["sub"]).status == 202
    fire(SOON, work, monkeypatch, "ending")

    put_again = [
        each["Put"]["Item"]["sk"]["S"] for each in writes if "Put" in each and each["Put"]["Item"]["sk"]["S"] in before
    ]
    assert put_again == []
    after = {item["sk"] for item in stored_items() if item["sk"].startswith(keys.EVENT)}
    assert before < after
    assert sorted(each.type for each in events_of("user.removed", "user.erasure_requested", "user.erased")) == [
        "user.erased",
        "user.erasure_requested",
        "user.removed",
    ]


def test_somebody_who_was_removed_before_is_erased(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bo = company.member["sub"]
    assert remove(company, bo, erase="").status == 204
    assert remove(company, bo, erase="").status == 404
    assert where_named(BO["email"]) != []

    assert remove(company, bo).status == 202
    fire(SOON, work, monkeypatch, "ending")

    assert where_named(BO["email"], BO["name"], bo) == []
    assert remove(company, bo).status == 404, "the record does not know him any more"


def test_a_log_in_of_before_is_the_same_person(
    company: Company, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """His first log-in was deleted in the console, and he was invited again: the record has two ids of one person."""
    wiring.directory().remove(company.member["sub"])
    again = put(company, {**BO, "role": "member"}).body["user"]
    assert again != company.member["sub"]

    assert remove(company, again).status == 202
    fire(SOON, work, monkeypatch, "ending")

    assert where_named(BO["email"], BO["name"], company.member["sub"], again) == []


def test_a_namesake_and_somebody_with_a_longer_address_stay(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [
        {"email": "jumbo@nordlys.example", "name": "Bo Linder", "role": "member"},
        {"email": "bo@nordlys.example.net", "name": "Bo Lind", "role": "member"},
    ]
    for other in others:
        assert put(company, other).status == 200

    assert remove(company, company.member["sub"]).status == 202
    fire(SOON, work, monkeypatch, "ending")

    added = [each.after for each in events_of("user.added") if each.after]
    assert [(each["email"], each["name"]) for each in added if each["name"] != ERASED_NAME] == [
        (each["email"], each["name"]) for each in others
    ]


@pytest.mark.parametrize("name", ["Admin", "Search", "Copenhagen", "DK", "user", "É", 'Bo "B" Lind', "a.*b (c"])
def test_a_name_that_is_also_a_word_spoils_nothing(
    name: str, company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = put(company, {"email": "odd@nordlys.example", "name": name, "role": "member"})
    if odd.status == 422:
        pytest.skip("such a name is not accepted")
    page = [item for item in stored_items() if item["sk"].startswith(keys.PAGE)]

    assert remove(company, odd.body["user"]).status == 202
    fire(SOON, work, monkeypatch, "ending")

    assert where_named("odd@nordlys.example", odd.body["user"]) == []
    bodies = {item["sk"]: item["body"] for item in stored_items() if item["sk"].startswith(keys.PAGE)}
    changed = [item["sk"] for item in page if bodies[item["sk"]] != item["body"]]
    assert changed in ([], [keys.PAGE_ACCOUNT])
    assert events_of() == []  # every event still fits its schema
    wiring.billing_page_store().billing_page(company.account)


def test_the_last_admin_cannot_be_erased_and_any_other_may_erase_themselves(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = company.admin["sub"]
    change(company, CONTACT, {"name": "Office", "phone": None}, 1)
    before = stored_items()
    refused = remove(company, ada)
    assert (refused.status, refused.body["type"]) == (409, "urn:livello:problem:last-admin")
    assert stored_items() == before

    assert put(company, {**BO, "role": "admin"}).status == 200
    assert remove(company, ada).status == 202
    fire(SOON, work, monkeypatch, "ending")

    assert where_named(ada, "ada@nordlys.example") == []
    [erased] = events_of("user.erased")
    assert erased.actor.user == (erased.after or {})["user"], "who asked is erased too"


@pytest.mark.parametrize("removed_before", [False, True])
@pytest.mark.parametrize(
    ("area", "body"),
    [(BILLING, {"email": BO["email"], "language": "en"}), (CONTACT, {"name": "bo  LIND", "phone": None})],
)
def test_whom_the_billing_information_names_is_not_erased(
    area: str, body: dict[str, Any], removed_before: bool, company: Company
) -> None:
    change(company, area, body, 1)
    if removed_before:
        assert remove(company, company.member["sub"], erase="").status == 204
    before = stored_items()

    refused = remove(company, company.member["sub"])

    assert (refused.status, refused.body["type"]) == (409, "urn:livello:problem:named-in-billing-information")
    assert stored_items() == before


def test_a_person_of_two_accounts_is_erased_from_one(
    company: Company, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provisioned(with_value(ACCOUNT, "other-shop", "account")).status == 201
    other = Company("other-shop", company.admin, company.member)
    assert put(other, {**BO, "role": "admin"}).status == 200
    fire(NOW, work, monkeypatch, "ending")
    theirs = [item for item in stored_items() if item["pk"] == keys.account("other-shop")]

    assert remove(company, company.member["sub"]).status == 202
    fire(SOON, work, monkeypatch, "ending")

    assert {each.split()[0] for each in where_named(BO["email"], company.member["sub"])} == {keys.account("other-shop")}
    assert [item for item in stored_items() if item["pk"] == keys.account("other-shop")] == theirs
    assert BO["email"] in user_pool.emails()
    assert not [item for item in stored_items() if item["pk"].startswith(keys.LOG_IN)]


def test_staff_and_strangers_are_nobody_of_this_record(company: Company) -> None:
    before = stored_items()
    for unknown in ("staff-1", "5b7c5f3e-0000-4000-8000-000000000000", "x" * 500):
        assert remove(company, unknown).status == 404, unknown
    assert remove(company, company.member["sub"], claims=company.member).status == 403
    assert remove(company, company.member["sub"], claims=person("stranger")).status == 404
    assert remove(company, company.member["sub"], erase="perhaps").status == 422
    assert stored_items() == before


def test_nobody_is_invited_while_they_are_erased(
    company: Company, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bo = company.member["sub"]
    assert remove(company, bo).status == 202
    assert put(company, {**BO, "role": "member"}).status == 409
    fire(SOON, work, monkeypatch, "ending")

    again = put(company, {**BO, "role": "member"}, now=SOON)

    assert again.status == 200
    assert again.body["user"] != bo, "it is a new log-in"
    assert BO["email"] in user_pool.emails()
    assert keys.user(again.body["user"]) in {item["sk"] for item in stored_items()}


def test_who_comes_back_with_another_log_in_is_somebody_else(
    company: Company, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log-in is deleted before the erasure has finished, and the address is invited again."""
    assert remove(company, company.member["sub"]).status == 202
    wiring.directory().remove(company.member["sub"])
    again = put(company, {**BO, "role": "member"})
    assert again.status == 200

    fire(SOON, work, monkeypatch, "ending")

    listed = answer(administer_users, request("GET", USERS, claims=company.admin, path=company.path)).body["items"]
    assert [each for each in listed if each["user"] == again.body["user"]] == [again.body]
    assert BO["email"] in user_pool.emails()
    assert where_named(company.member["sub"]) == []


def test_an_export_that_is_being_prepared_is_not_finished(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have read the person already; its next attempt deletes what it has stored."""
    export = request("POST", "/accounts/{account}/export", claims=company.admin, path=company.path)
    assert answer(downloads, export).status == 202
    [asked] = events_of("download.requested")
    store = wiring.download_store()
    read = store.download(company.account, DownloadKind.EXPORT, None)
    assert isinstance(read, Download)
    put_file = io.BytesIO(b"bo@nordlys.example")

    assert remove(company, company.member["sub"]).status == 202
    fire(SOON, work, monkeypatch, "ending")
    wiring.documents().put(read.key, put_file, "application/zip")
    deliver(asked)

    assert not [key for key in files() if key.startswith("downloads/")]


def test_a_deletion_of_the_account_takes_an_erasure_with_it(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cancel(company).status == 201
    bo = company.member["sub"]
    assert remove(company, bo).status == 202
    work.purge()

    for at in (datetime.fromisoformat("2026-07-14T22:01:00+00:00"), PURGED):
        fire(at, work, monkeypatch)

    assert where_named(BO["email"], bo) == []


def test_every_family_is_rewritten_deleted_or_left_for_a_reason() -> None:
    """A new family of items must be named here, before it can hold a person that an erasure does not find."""
    pages = {keys.PAGE_APPOINTMENT, keys.PAGE_ONE_OFFS, keys.PAGE_TERM}
    families = {*keys.ACCOUNT_FAMILIES, *keys.USAGE_FAMILIES, keys.MARKER, *pages}

    assert {*REWRITTEN} | REWRITTEN_IN_PART.keys() | DELETED.keys() | UNTOUCHED.keys() == families
    assert len(REWRITTEN) + len(REWRITTEN_IN_PART) + len(DELETED) + len(UNTOUCHED) == len(families)
    assert all({**DELETED, **UNTOUCHED}.values())


def test_a_person_is_found_in_each_family_that_is_rewritten(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"by": {"user": company.member["sub"], **BO}, "text": "Bo Lind", "reason": f"it was {BO['email']}"}
    for family in REWRITTEN:
        partition = keys.usage(company.account) if family in keys.USAGE_FAMILIES else keys.account(company.account)
        key = f"{family}ZZZ" if family.endswith("#") and family != keys.EVENT else family
        if family == keys.PAGE_APPOINTMENT:
            announced = Appointment("1", BO["email"], BO["name"], f"it was {BO['email']}", SOON, SOON)
            put_item(partition, key, appointment_body(announced.ended(AppointmentState.OBJECTED, SOON)), version=1)
        elif family not in {keys.EVENT, keys.USER}:  # real ones are there
            put_item(partition, key, json.dumps({**said, "event": "x"}), version=1)

    assert remove(company, company.member["sub"]).status == 202
    progress = erase_person(
        company.account,
        company.member["sub"],
        now=SOON,
        clock=SOON,
        goes_on=lambda: True,
        store=wiring.erasure_store(),
        documents=wiring.documents(),
        wait=timedelta(),
    )

    assert progress is ErasureProgress.FINISHED
    left = where_named(BO["email"], BO["name"], company.member["sub"])
    assert left == [f"{keys.log_in(company.member['sub'])} {keys.LEAVING}"], "it goes with the log-in"


def test_the_reason_of_a_pause_or_of_a_transfer_taken_back_names_nobody(company: Company, work: Any) -> None:
    key, partition = keys.invoice(NOW.date(), "LV-2026-000001"), keys.account(company.account)
    paused = {"since": "2026-06-20", "until": None, "reason": "Bo Lind disputes it.", "held_days": 3}
    payment = {"entries": [["transferred", 100, "2026-06-20", "Bo Lind"]], "reminders": {"pause": paused}}
    put_item(partition, key, json.dumps({"company": "Bo Lind", "payment": payment}), version=4)
    reversal = {"at": "2026-06-20T08:00:00+00:00", "by": "staff-1", "reason": "Bo Lind wrote to us."}
    put_item(partition, f"{keys.TRANSFER}1", json.dumps({"reference": "Bo Lind", "taken_back": reversal}), version=2)
    put_item(partition, f"{keys.TRANSFER}2", text({"reference": "Bo Lind", "taken_back": None}), version=1)

    assert remove(company, company.member["sub"]).status == 202
    erase_person(
        company.account,
        company.member["sub"],
        now=SOON,
        clock=SOON,
        goes_on=lambda: True,
        store=wiring.erasure_store(),
        documents=wiring.documents(),
        wait=timedelta(),
    )

    items = {each["sk"]: each for each in stored_items() if each["pk"] == partition}
    item, transfer = items[key], json.loads(items[f"{keys.TRANSFER}1"]["body"])
    assert transfer["taken_back"] == {**reversal, "reason": f"{ERASED_NAME} wrote to us."}
    assert transfer["reference"] == "Bo Lind", "it is the bank's"
    assert items[f"{keys.TRANSFER}2"]["version"] == 1
    left = json.loads(item["body"])
    assert left["payment"]["reminders"]["pause"] == {**paused, "reason": f"{ERASED_NAME} disputes it."}
    assert (left["company"], left["payment"]["entries"]) == ("Bo Lind", payment["entries"])
    assert item["version"] == 5


def test_a_person_whom_staff_have_announced_as_admin_is_not_erased_before_that_has_ended(company: Company) -> None:
    route, body = "/accounts/{account}/appointment", {**BO, "reason": "The only admin has left."}
    announced = request("POST", route, claims=STAFF, path=company.path, body=body)
    appointment = answer(administer_users, announced).body["appointment"]

    given = remove(company, company.member["sub"])

    assert (given.status, given.body["type"]) == (409, "urn:livello:problem:named-in-appointment")
    objection = request(
        "POST", route + "/objection", claims=company.admin, path=company.path, body={"appointment": appointment}
    )
    assert answer(administer_users, objection).status == 200
    assert remove(company, company.member["sub"]).status == 202


def test_a_mail_that_is_late_names_nobody_who_is_erased(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SES was down over the erasure. The message still has the person's name; the mail is written from the record."""
    store = wiring.delivery_store()
    assert remove(company, company.member["sub"]).status == 202
    [removed] = events_of("user.removed")
    assert store.as_recorded(removed) == removed
    fire(SOON, work, monkeypatch, "ending")
    mails: list[tuple[str, Any]] = []

    class Ses:
        def send(self, message: bytes, recipient: str, delivery: Delivery) -> str:
            mails.append((recipient, message))
            return "1"

    notify(
        removed,
        claimant="late",
        now=NOW + timedelta(hours=2),
        staff_address=None,
        accounts=wiring.account_store(),
        deliveries=store,
        mailer=Ses(),
        documents=wiring.documents(),
        write=lambda event, *_: json.dumps(event.before).encode(),
    )

    assert where_named(BO["email"], BO["name"], company.member["sub"]) == []
    assert not [to for to, message in mails if b"bo@" in message or to.startswith(("bo@", "erased"))]


# ---- Log-ins ----------------------------------------------------------------------------------------------


def test_a_log_in_that_belongs_to_no_account_is_deleted_a_while_after(
    company: Company, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert remove(company, company.member["sub"], erase="").status == 204

    fire(NOW + timedelta(days=13), work, monkeypatch, "ending")
    assert BO["email"] in user_pool.emails()
    fire(NOW + timedelta(days=14, hours=1), work, monkeypatch, "ending")

    assert user_pool.emails() == ["ada@nordlys.example"]
    assert not [item for item in stored_items() if item["pk"].startswith(keys.LOG_IN)]


@pytest.mark.parametrize("account", ["nordlys-kaffe", "other-shop"])
def test_who_is_invited_again_keeps_the_log_in(
    account: str, company: Company, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provisioned(with_value(ACCOUNT, "other-shop", "account")).status == 201
    assert remove(company, company.member["sub"], erase="").status == 204
    again = put(Company(account, company.admin, company.member), {**BO, "role": "member"})
    assert again.body["user"] == company.member["sub"]
    assert not [item for item in stored_items() if item["pk"].startswith(keys.LOG_IN)]

    fire(NOW + timedelta(days=40), work, monkeypatch, "ending")

    assert BO["email"] in user_pool.emails()


def test_staff_keep_their_log_in(
    company: Company, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member became staff, and left the account."""
    boto3.client("cognito-idp", region_name=REGION).admin_add_user_to_group(
        UserPoolId=user_pool.pool, Username=BO["email"], GroupName="staff"
    )
    assert remove(company, company.member["sub"], erase="").status == 204

    fire(NOW + timedelta(days=15), work, monkeypatch, "ending")

    assert BO["email"] in user_pool.emails()
    assert not [item for item in stored_items() if item["pk"].startswith(keys.LOG_IN)]


def test_an_invitation_while_the_log_in_is_deleted_ends_with_a_log_in(
    company: Company, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bo = company.member["sub"]
    assert remove(company, bo, erase="").status == 204
    removed = CognitoDirectory.remove
    met: list[int] = []

    def meet(directory: CognitoDirectory, user: str) -> None:
        met.append(put(company, {**BO, "role": "member"}).status)
        removed(directory, user)

    with monkeypatch.context() as patch:
        patch.setattr(CognitoDirectory, "remove", meet)
        fire(NOW + timedelta(days=15), work, monkeypatch, "ending")
    assert met == [409]

    again = put(company, {**BO, "role": "member"})

    assert again.status == 200
    assert again.body["user"] != bo
    assert BO["email"] in user_pool.emails()


def test_an_invitation_before_the_claim_keeps_the_log_in(
    company: Company, user_pool: UserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index of memberships is behind: the worker finds no access, but its claim fails."""
    bo = company.member["sub"]
    assert remove(company, bo, erase="").status == 204
    store = wiring.account_store()
    leaving = store.leaving(bo)
    assert leaving is not None
    assert put(company, {**BO, "role": "member"}).status == 200

    from billing.kernel.errors import ConcurrentChange

    with pytest.raises(ConcurrentChange):
        store.claim_log_in(leaving)
    assert BO["email"] in user_pool.emails()


@pytest.mark.parametrize("role", ["member", "admin"])
def test_a_log_in_that_is_gone_is_made_again(role: str, company: Company, user_pool: UserPool) -> None:
    """Somebody has deleted it in the console. The invitation is sent again, for the same and for another role."""
    wiring.directory().remove(company.member["sub"])
    assert BO["email"] not in user_pool.emails()

    again = put(company, {**BO, "role": role})

    assert again.status == 200
    assert again.body["user"] != company.member["sub"]
    assert BO["email"] in user_pool.emails()
    listed = answer(administer_users, request("GET", USERS, claims=company.admin, path=company.path)).body["items"]
    assert [(each["user"], each["role"]) for each in listed if each["email"] == BO["email"]] == [
        (again.body["user"], role)
    ]
    assert wiring.account_store().account(company.account).roles == {
        company.admin["sub"]: "admin",
        again.body["user"]: role,
    }
    [*_, invited] = events_of("user.added")
    assert (invited.after or {})["user"] == again.body["user"], "its mail is the invitation"
    before = stored_items()
    assert put(company, {**BO, "role": role}).body == again.body
    assert stored_items() == before, "it is repeated"


def test_an_admin_whose_log_in_is_gone_is_still_the_last_one(company: Company, user_pool: UserPool) -> None:
    """Another admin is needed to ask for it; nobody loses the role by it."""
    assert put(company, {**BO, "role": "admin"}).status == 200
    wiring.directory().remove(company.admin["sub"])
    second = Company(company.account, company.member, company.member)

    again = put(second, {"email": "ada@nordlys.example", "name": "Ada Holm", "role": "admin"})

    assert again.status == 200
    assert "ada@nordlys.example" in user_pool.emails()
