"""The deletion fourteen days after the deactivation: only a receipt and archived invoices stay (DESIGN 3.7)."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from billing import wiring
from billing.kernel.contract_calendar import Contract
from billing.usage.rules import UsageEvent
from openpyxl import load_workbook

from functions.administer_downloads.app import handler as downloads
from functions.administer_users.app import handler as administer_users
from functions.get_billing.app import handler as get_billing
from functions.get_deletions.app import handler as get_deletions
from functions.get_invoices.app import handler as get_invoices
from functions.list_accounts.app import handler as list_accounts
from local.stripe.api import Stripe
from tests.api_gateway import NOW, STAFF, Answer, answer, person, request
from tests.aws import ARCHIVE, DOCUMENTS, REGION, UserPool, stored_items
from tests.cards import card
from tests.company import Company, provisioned
from tests.functions.ending import ENDED, PURGED, call_cancellation, cancel, deliver, events_of, fire
from tests.samples import ACCOUNT, with_value

SHOP = "closing-shop"

pytestmark = pytest.mark.usefixtures("work")


@pytest.fixture
def shop(company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch) -> Company:
    """A second account with the same first admin, a second admin, usage, a card, invoices and documents.

    The sample company gets the same data, to show that the deletion leaves it alone.
    """
    assert provisioned(with_value(ACCOUNT, SHOP, "account")).status == 201
    path = {"account": SHOP}
    invited = {"email": "cy@closing.example", "name": "Cy Ek", "role": "admin"}
    response = answer(
        administer_users,
        request("PUT", "/accounts/{account}/users", claims=company.admin, path=path, body=invited),
    )
    closing = Company(SHOP, company.admin, person(response.body["user"]))
    for account in (closing, company):
        card(account, stripe_account)
        day = date(2026, 6, 9)
        noon = datetime(2026, 6, 9, 12, tzinfo=UTC)
        usage = [
            UsageEvent(
                account.account, "t", f"{number}", "search", "nordlys-dk", f"=content {number}", noon, day, Decimal(2)
            )
            for number in range(10)
        ]
        assert wiring.usage_store().count(usage, lambda _: None) == {}
    s3 = boto3.resource("s3", region_name=REGION)
    fire(NOW + timedelta(days=5), work, monkeypatch, "renewal", "collection")  # paid: nothing is open at the end
    for name in (SHOP, company.account):
        for version in range(2):
            s3.Object(DOCUMENTS, f"accounts/{name}/mail/1.eml").put(Body=f"version {version}".encode())
        number = numbers_of(name)[-1]
        s3.Object(DOCUMENTS, f"accounts/{name}/invoices/{number}/{number}.pdf").put(Body=b"%PDF")
    return closing


def numbers_of(account: str) -> list[str]:
    """The numbers of the account's invoices, by date."""
    items = [item for item in stored_items() if item["pk"] == f"ACCOUNT#{account}"]
    return [item["sk"].rpartition("#")[2] for item in items if item["sk"].startswith("INVOICE#")]


def items_of(account: str) -> list[dict[str, Any]]:
    """All items that contain the account's id anywhere."""
    return [item for item in stored_items() if account in json.dumps(item, default=str)]


def keys_in(bucket: str) -> list[str]:
    """The keys of all object versions in the bucket."""
    versions = boto3.resource("s3", region_name=REGION).Bucket(bucket).object_versions.all()
    return sorted(version.object_key for version in versions)


def cancel_until_deleted(shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cancel(shop).status == 201
    fire(ENDED, work, monkeypatch)
    fire(PURGED, work, monkeypatch)


def test_a_deletion_leaves_only_the_receipt_and_archived_invoices(
    shop: Company,
    company: Company,
    stripe_account: Stripe,
    user_pool: UserPool,
    work: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = numbers_of(SHOP)
    assert cancel(shop).status == 201
    fire(ENDED, work, monkeypatch)
    fire(PURGED - timedelta(days=1), work, monkeypatch)
    others_items = items_of(company.account)

    fire(PURGED, work, monkeypatch)

    # The table keeps only the event of the last mail, which expires, and the receipt, which names no person.
    left = items_of(SHOP)
    assert [item["pk"].partition("#")[0] for item in left] == ["DELETED"]
    assert left[0]["expires_at"] < (PURGED + timedelta(days=16)).timestamp()
    [event] = events_of("account.deleted")
    assert [each["email"] for each in (event.after or {})["recipients"]] == [
        "ada@nordlys.example",
        "cy@closing.example",
        "invoices@nordlys.example",
    ]
    assert (event.after or {})["invoices_kept_years"] == 5
    # The bucket has no version of any document left. The archive has the invoices, locked.
    assert not [key for key in keys_in(DOCUMENTS) if SHOP in key]
    kept = keys_in(ARCHIVE)
    assert {key.split("/")[2] for key in kept} == set(numbers)
    assert f"invoices/2026/{numbers[-1]}/{numbers[-1]}.pdf" in kept
    lock = boto3.client("s3", region_name=REGION).head_object(Bucket=ARCHIVE, Key=kept[0])
    assert lock["ObjectLockMode"] == "COMPLIANCE"
    assert lock["ObjectLockRetainUntilDate"].date() == date(2031, 12, 31)
    # The payment service and the directory.
    deleted_customers = [each for each in stripe_account.objects["customer"].values() if each.get("deleted")]
    assert len(deleted_customers) == 1
    assert "cy@closing.example" not in user_pool.emails()
    # The other account of the same admin is untouched.
    assert items_of(company.account) == others_items
    assert "ada@nordlys.example" in user_pool.emails()
    assert [key for key in keys_in(DOCUMENTS) if company.account in key]
    listed = answer(list_accounts, request("GET", "/accounts", claims=company.admin)).body["items"]
    assert [each["account"] for each in listed] == [company.account]
    unknown = request("GET", "/accounts/{account}/billing", claims=shop.admin, path=shop.path)
    assert answer(get_billing, unknown).status == 404


@pytest.mark.parametrize("interval", [1, 3, 6, 12])
def test_an_account_ends_on_the_previewed_days_for_each_interval(
    interval: int, company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deactivation, charges and deletion happen exactly on the days that the preview showed."""
    name = f"shop-of-{interval}"
    account = with_value(with_value(ACCOUNT, interval, "contract", "interval_months"), name, "account")
    contract = Contract(date(2026, 1, 15), interval, "EUR", "Europe/Copenhagen")
    _, renewal = next(contract.renewals(NOW.date()))
    assert provisioned({**account, "invoiced_until": renewal.isoformat()}).status == 201
    shop = Company(name, company.admin, company.member)
    card(shop, stripe_account)
    preview = call_cancellation(shop, "GET").body["preview"]
    receipt = cancel(shop, preview["active_until"]).body
    active_until, purge_on = (date.fromisoformat(receipt[each]) for each in ("active_until", "purge_on"))
    charges = [each["on"] for each in preview["charges_still_due"]]

    def status_on(day: date) -> str | None:
        """The account's status at noon UTC of the day; None once it is deleted."""
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        fire(at, work, monkeypatch, "ending", "renewal", "collection")
        view = answer(
            get_billing,
            request("GET", "/accounts/{account}/billing", claims=shop.admin, path={"account": name}),
        )
        return view.body["status"] if view.status == 200 else None

    assert status_on(NOW.date()) == "cancelling"
    for month in range(6, 20):
        today = date(2026 + (month - 1) // 12, (month - 1) % 12 + 1, 15)
        if NOW.date() < today < active_until:
            assert status_on(today) == "cancelling"
    assert status_on(active_until - timedelta(days=1)) == "cancelling"
    assert status_on(active_until) == status_on(purge_on - timedelta(days=1)) == "deactivated"
    issued = [each["produced_on"] for each in listed(shop)]
    assert [day for day in sorted(issued) if day > str(NOW.date())] == charges
    assert status_on(purge_on) is None
    assert [item["pk"].partition("#")[0] for item in items_of(name)] == ["DELETED"]
    kinds = [each.type for each in events_of("account.deactivated", "account.deleted") if each.account == name]
    assert kinds == ["account.deleted"], "the other events of the account are deleted"


def listed(shop: Company) -> list[Any]:
    route = "/accounts/{account}/invoices"
    items: list[Any] = answer(get_invoices, request("GET", route, claims=shop.admin, path=shop.path)).body["items"]
    return items


def test_only_staff_can_read_the_receipt(shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel_until_deleted(shop, work, monkeypatch)

    listed = answer(get_deletions, request("GET", "/deletions", claims=STAFF)).body["items"]
    [receipt] = listed
    path = {"receipt": receipt["receipt"]}
    one = answer(get_deletions, request("GET", "/deletions/{receipt}", claims=STAFF, path=path))

    assert one.body == receipt
    assert (receipt["counts"]["content"], receipt["counts"]["marker"]) == (10, 10)
    assert receipt["counts"]["documents"] == 3
    text = json.dumps(receipt).lower()
    assert not [word for word in (SHOP, "closing", "nordlys", "ada holm", "ada@", "cy@") if word in text]
    # The bucket has a copy, for a table restored from a backup.
    s3 = boto3.resource("s3", region_name=REGION)
    stored = s3.Object(DOCUMENTS, f"receipts/{receipt['receipt']}.json").get()["Body"].read()
    assert json.loads(stored)["digest"] == receipt["digest"]
    assert answer(get_deletions, request("GET", "/deletions", claims=shop.admin)).status == 403
    path = {"receipt": "nothing"}
    assert answer(get_deletions, request("GET", "/deletions/{receipt}", claims=STAFF, path=path)).status == 404


def test_without_an_archive_no_invoice_is_kept(shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHIVE_BUCKET", "")
    wiring.forget()

    cancel_until_deleted(shop, work, monkeypatch)

    assert keys_in(ARCHIVE) == []
    [event] = events_of("account.deleted")
    assert (event.after or {})["invoices_kept_years"] == 0


def test_a_deleted_accounts_id_can_be_provisioned_again(
    shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel_until_deleted(shop, work, monkeypatch)

    assert provisioned(with_value(ACCOUNT, SHOP, "account")).status == 201


@pytest.mark.parametrize("broken", ["stripe", "directory", "documents"])
def test_a_deletion_resumes_after_days_of_upstream_failures(
    broken: str, shop: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing.kernel.errors import UpstreamFailed

    gateway, verb = {
        "stripe": (wiring.payments(), "customers_of"),
        "directory": (wiring.directory(), "remove"),
        "documents": (wiring.documents(), "delete_all"),
    }[broken]

    def fail(*_: Any) -> Any:
        raise UpstreamFailed("It does not answer.")

    assert cancel(shop).status == 201
    fire(ENDED, work, monkeypatch)
    fire(PURGED - timedelta(hours=1), work, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(type(gateway), verb, fail)
        for day in range(3):
            patch.setattr("tests.functions.ending.WORKERS", {"ending": failing})
            fire(PURGED + timedelta(days=day), work, patch, "ending")
        path = {"account": SHOP}
        unknown = request("GET", "/accounts/{account}/billing", claims=shop.admin, path=path)
        assert answer(get_billing, unknown).status == 404

    fire(PURGED + timedelta(days=3), work, monkeypatch, "ending")

    assert [item["pk"].partition("#")[0] for item in items_of(SHOP)] == ["DELETED"]


def failing(event: Any, context: Any) -> Any:
    """The worker that ends accounts. Asserts that its message failed."""
    from functions.end_account.app import handler as end

    assert end(event, context)["batchItemFailures"]
    return {"batchItemFailures": []}


# ---- Downloads ----------------------------------------------------------------------------------------


def ask(
    company: Company, method: str, route: str = "export", query: Any = None, *, claims: Any = None, now: Any = NOW
) -> Answer:
    path = f"/accounts/{{account}}/{route}"
    caller = claims or company.admin
    return answer(downloads, request(method, path, claims=caller, path=company.path, query=query, now=now))


def downloaded(company: Company, *more: Any, now: Any = NOW) -> zipfile.ZipFile:
    view = ask(company, "GET", *more, now=now).body
    assert view["status"] == "ready", view
    bucket, _, key = view["link"].partition("?")[0].removeprefix("https://").partition("/")
    content = boto3.resource("s3", region_name=REGION).Object(bucket.partition(".")[0], key).get()["Body"].read()
    return zipfile.ZipFile(io.BytesIO(content))


def test_an_export_contains_all_data_of_the_account(shop: Company) -> None:
    assert ask(shop, "GET").body["status"] == "none"
    response = ask(shop, "POST")
    again = ask(shop, "POST")

    assert (response.status, response.body["status"]) == (202, "preparing")
    assert again.body == response.body
    [request_event] = events_of("download.requested")
    for _ in range(2):
        assert deliver(request_event) == {"batchItemFailures": []}
    archive = downloaded(shop)
    names = set(archive.namelist())
    assert {"README.txt", "usage.csv", "invoices.csv", "data/page.json", "data/user.json", "data/event.json"} <= names
    assert "documents/mail/1.eml" in names
    assert not [name for name in names if "due" in name or "purge" in name]
    for name in names:
        if name.startswith("data/"):
            assert json.loads(archive.read(name))
    [heading, *rows] = csv.reader(io.StringIO(archive.read("usage.csv").decode()))
    assert heading == ["day", "product", "store", "content", "quantity"]
    assert len(rows) == 10
    assert rows[0] == ["2026-06-09", "search", "nordlys-dk", "'=content 0", "2"]
    assert b"nordlys-kaffe" not in archive.read("data/page.json")
    [ready] = events_of("download.ready")
    assert (ready.after or {})["user"] == shop.admin["sub"]
    assert (ready.after or {})["files"] == len(names)


def test_a_download_says_until_when_its_link_works(shop: Company) -> None:
    assert ask(shop, "GET").body["works_until"] is None
    assert ask(shop, "POST").body["works_until"] is None
    deliver(events_of("download.requested")[0])

    ready = ask(shop, "GET", now=NOW + timedelta(days=6)).body
    until = datetime.fromisoformat(ready["until"])
    last = ask(shop, "GET", now=until - timedelta(minutes=1)).body

    assert ready["works_until"] == "2026-06-16T12:05:00Z"
    assert (last["status"], last["works_until"]) == ("ready", ready["until"])


def test_a_download_is_available_for_a_week(shop: Company) -> None:
    ask(shop, "POST")
    deliver(events_of("download.requested")[0])

    assert ask(shop, "GET", now=NOW + timedelta(days=6)).body["link"]
    late = ask(shop, "GET", now=NOW + timedelta(days=8)).body
    assert (late["status"], late["link"], late["works_until"]) == ("expired", None, None)
    assert ask(shop, "POST", now=NOW + timedelta(days=8)).body["status"] == "preparing"


def test_a_failed_download_can_be_requested_again_after_an_hour(shop: Company) -> None:
    first = ask(shop, "POST").body

    assert ask(shop, "POST", now=NOW + timedelta(minutes=59)).body == first
    assert ask(shop, "GET", now=NOW + timedelta(hours=1)).body["status"] == "expired"
    assert ask(shop, "POST", now=NOW + timedelta(hours=1)).body["requested_at"] != first["requested_at"]


def test_an_invoice_archive_contains_all_invoices_of_the_year(shop: Company) -> None:
    year = {"year": "2026"}
    assert ask(shop, "POST", "invoices/archive", year, claims=shop.admin).status == 202
    deliver(events_of("download.requested")[0])

    archive = downloaded(shop, "invoices/archive", year)

    numbers = numbers_of(SHOP)
    rows = [*csv.DictReader(io.StringIO(archive.read("invoices.csv").decode()))]
    assert sorted(each["number"] for each in rows) == numbers
    [heading, *cells] = load_workbook(io.BytesIO(archive.read("invoices.xlsx")))["invoices"].iter_rows(values_only=True)
    assert (heading, [row[0] for row in cells]) == (tuple(rows[0]), [each["number"] for each in rows])
    assert f"{numbers[-1]}/{numbers[-1]}.pdf" in archive.namelist()
    assert ask(shop, "GET", "invoices/archive", {"year": "2025"}).body["status"] == "none"
    assert ask(shop, "GET", "invoices/archive", {"year": "1"}).status == 422
    assert ask(shop, "GET", "invoices/archive").status == 422


def test_an_export_prepared_after_the_deletion_leaves_no_file(
    shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(shop, "POST")
    [request_event] = events_of("download.requested")
    cancel_until_deleted(shop, work, monkeypatch)

    assert deliver(request_event) == {"batchItemFailures": []}

    assert not [key for key in keys_in(DOCUMENTS) if SHOP in key]
    assert [item["pk"].partition("#")[0] for item in items_of(SHOP)] == ["DELETED"]


@pytest.mark.parametrize("caller", ["member", "staff"])
def test_only_an_admin_can_export_the_data(caller: str, company: Company) -> None:
    claims = STAFF if caller == "staff" else company.member

    assert ask(company, "POST", claims=claims).status == 403
    assert ask(company, "GET", claims=claims).status == 403


def test_a_deactivated_account_can_be_exported_until_its_deletion(
    shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cancel(shop).status == 201
    fire(ENDED, work, monkeypatch)

    assert ask(shop, "POST", now=PURGED - timedelta(hours=1)).status == 202
