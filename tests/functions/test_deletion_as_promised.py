"""A deletion leaves what it names, and nothing else: identities, the archive, reviews, counts, exports, and Stripe."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from billing import wiring
from billing.ending.deletion.commands import PurgeProgress, Purger, purge_account, purge_again
from billing.ending.deletion.empty_archive import empty_archive
from billing.ending.deletion.records import PurgeStore
from billing.ending.deletion.rules import identity
from billing.ending.exports.prepare import NOT_EXPORTED
from billing.kernel.money import Money
from billing.platform.dynamodb import keys
from billing.scaling.reviews.records import ReviewStore
from billing.usage.rules import UsageEvent

from functions.administer_downloads.app import handler as downloads
from functions.administer_users.app import handler as administer_users
from functions.empty_archive.app import handler as empty
from functions.get_deletions.app import handler as get_deletions
from local.stripe.api import Stripe
from scripts.reapply_deletions import deleted_accounts
from tests.api_gateway import NOW, STAFF, answer, request
from tests.aws import (
    ARCHIVE,
    DOCUMENTS,
    REGION,
    TABLE,
    UserPool,
    delete_item,
    put_item,
    restore_items,
    stored_items,
)
from tests.cards import card
from tests.company import Company, provisioned
from tests.functions.ending import ENDED, PURGED, Context, cancel, deliver, events_of, fire
from tests.functions.reviews import BEGINS, MANAGER, make_reviewable
from tests.samples import ACCOUNT, with_value
from tests.usage import correct, correction

SHOP, CY = "closing-shop", "cy@closing.example"
RESTORED = "billing-restored"

pytestmark = pytest.mark.usefixtures("work")


@pytest.fixture
def shop(company: Company, stripe_account: Stripe) -> Company:
    """An account with every kind of thing: a second admin, usage with conversions and revenue, a card."""
    assert provisioned(with_value(ACCOUNT, SHOP, "account")).status == 201
    closing = Company(SHOP, company.admin, company.member)
    invited = {"email": CY, "name": "Cy Ek", "role": "admin"}
    route = "/accounts/{account}/users"
    assert answer(
        administer_users, request("PUT", route, claims=company.admin, path=closing.path, body=invited)
    ).status in {200, 201}
    card(closing, stripe_account)
    day = date(2026, 6, 9)
    noon = datetime(2026, 6, 9, 12, tzinfo=UTC)
    sold = UsageEvent(
        SHOP, "t", "sold", "search", "nordlys-dk", "beans", noon, day, Decimal(2), 3, Money(125_00, "EUR")
    )
    assert wiring.usage_store().count([sold], lambda _: None) == {}
    return closing


def items_of(account: str) -> list[dict[str, Any]]:
    return [item for item in stored_items() if account in json.dumps(item, default=str)]


def keys_in(bucket: str) -> list[str]:
    versions = boto3.resource("s3", region_name=REGION).Bucket(bucket).object_versions.all()
    return sorted(version.object_key for version in versions)


def purge(shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cancel(shop).status == 201
    for at in (ENDED, PURGED):
        fire(at, work, monkeypatch)


def receipt() -> dict[str, Any]:
    found: dict[str, Any] = answer(get_deletions, request("GET", "/deletions", claims=STAFF)).body["items"][0]
    return found


def purger(table: str = TABLE) -> Purger:
    client = wiring.dynamodb()
    return Purger(
        accounts=type(wiring.account_store())(table, client),
        methods=type(wiring.payment_store())(table, client),
        purges=PurgeStore(table, client),
        invoices=type(wiring.invoice_store())(table, client),
        documents=wiring.documents(),
        archive=None,
        archive_years=0,
        gateway=wiring.payments(),
        directory=wiring.directory(),
        wait=timedelta(),
        living=None if table == TABLE else wiring.purge_store(),
    )


# ---- Identity ---------------------------------------------------------------------------------------------


def test_a_company_that_comes_back_is_another_account(
    shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = wiring.account_store().account(SHOP)
    purge(shop, work, monkeypatch)
    request_ = with_value(ACCOUNT, SHOP, "account")

    assert provisioned(request_).status == 201
    items = stored_items()
    assert provisioned(request_).status == 201, "the request is repeated"

    assert stored_items() == items
    second = wiring.account_store().account(SHOP)
    assert second.provisioned_as == first.provisioned_as
    assert receipt()["identity"] == identity(first) != identity(second)
    assert [*deleted_accounts(purger())] == []


def test_an_account_of_an_earlier_release_that_came_back_is_younger_than_the_receipt(
    shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _as_of_an_earlier_release(SHOP)
    old = items_of(SHOP)
    purge(shop, work, monkeypatch)
    assert receipt()["identity"] == identity(replace(_account(old), identity=""))

    restore_items([each for each in old if each["pk"] == f"ACCOUNT#{SHOP}"])
    assert [*deleted_accounts(purger())] == [SHOP], "the backup brings it back"
    purge_again(SHOP, now=PURGED, correlation="again", purger=purger())

    wait = PURGED + timedelta(days=1)
    assert provisioned(with_value(ACCOUNT, SHOP, "account"), now=wait).status == 201
    _as_of_an_earlier_release(SHOP)
    assert [*deleted_accounts(purger())] == [], "it was provisioned after the deletion"
    for item in items_of(SHOP):
        if item["sk"].startswith("EVENT#"):
            delete_item(item["pk"], item["sk"])
    assert [*deleted_accounts(purger())] == [], "its age is not known"


def _as_of_an_earlier_release(account: str) -> None:
    [page] = [item for item in items_of(account) if item["sk"] == keys.PAGE_ACCOUNT]
    body = json.loads(page["body"])
    del body["identity"]
    put_item(page["pk"], page["sk"], json.dumps(body), version=page["version"])


def _account(items: list[dict[str, Any]]) -> Any:
    from billing.accounts.mapping import account_from

    [page] = [item for item in items if item["sk"] == keys.PAGE_ACCOUNT]
    return account_from(page["body"], 1)


def test_a_first_deletion_that_is_under_way_is_left_to_its_worker(shop: Company) -> None:
    """Only that one archives the invoices."""
    put_item(f"ACCOUNT#{SHOP}", keys.PURGE, _purge_body(), version=1)

    assert [*deleted_accounts(purger())] == []


def _purge_body() -> str:
    from tests.store.test_older_deletions import PURGE

    return PURGE.replace("nordlys-kaffe", SHOP)


def test_deleting_in_a_restored_table_spares_files_customers_and_log_ins_of_the_living(
    shop: Company, stripe_account: Stripe, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = items_of(SHOP)
    purge(shop, work, monkeypatch)
    assert provisioned(with_value(ACCOUNT, SHOP, "account")).status == 201
    invited = {"email": CY, "name": "Cy Ek", "role": "admin"}
    route = "/accounts/{account}/users"
    answer(administer_users, request("PUT", route, claims=shop.admin, path=shop.path, body=invited))
    card(shop, stripe_account, now=NOW + timedelta(days=1))
    wiring.documents().put(f"accounts/{SHOP}/mail/1.eml", b"", "message/rfc822")
    living, files = stored_items(), keys_in(DOCUMENTS)
    customers = [each["id"] for each in stripe_account.objects["customer"].values() if not each.get("deleted")]
    description = boto3.client("dynamodb", region_name=REGION).describe_table(TableName=TABLE)["Table"]
    restored = boto3.resource("dynamodb", region_name=REGION).create_table(
        TableName=RESTORED,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=description["AttributeDefinitions"],
        KeySchema=description["KeySchema"],
        GlobalSecondaryIndexes=[
            {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
            for index in description["GlobalSecondaryIndexes"]
        ],
    )
    try:
        with restored.batch_writer() as batch:
            for item in old:
                batch.put_item(Item=item)
        assert [*deleted_accounts(purger(RESTORED))] == [SHOP]

        purge_again(SHOP, now=PURGED, correlation="again", purger=purger(RESTORED))

        left = [item for item in restored.scan()["Items"] if item["pk"] == f"ACCOUNT#{SHOP}"]
    finally:
        restored.delete()
    assert left == []
    assert stored_items() == living
    assert [key for key in keys_in(DOCUMENTS) if "receipts/" not in key] == [
        key for key in files if "receipts/" not in key
    ]
    assert [each["id"] for each in stripe_account.objects["customer"].values() if not each.get("deleted")] == customers
    assert CY in user_pool.emails()


# ---- The archive ------------------------------------------------------------------------------------------


def test_the_archive_is_emptied_soon_after_the_year_that_the_receipt_names(
    shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire(NOW, work, monkeypatch, "renewal")
    purge(shop, work, monkeypatch)
    assert receipt()["archived_until"] == "2031-12-31"
    files = [key for key in keys_in(ARCHIVE) if key.startswith("invoices/")]
    assert files

    _empty("2031-12-31T23:59:00+00:00")
    assert [key for key in keys_in(ARCHIVE) if key.startswith("invoices/")] == files
    _empty("2032-01-01T02:40:00+00:00")

    assert keys_in(ARCHIVE) == []
    _empty("2032-01-02T02:40:00+00:00")


def test_invoices_that_an_earlier_release_archived_are_deleted_by_their_locks(buckets: Any, fresh_wiring: None) -> None:
    """They have no marks, and one of them was locked for longer than invoices are kept today."""
    _archived("invoices/2026/LV-2026-000001/LV-2026-000001.pdf", date(2031, 12, 31))
    _archived("invoices/2026/LV-2026-000002/LV-2026-000002.pdf", date(2036, 12, 31))

    _empty("2032-01-01T02:40:00+00:00")
    assert keys_in(ARCHIVE) == ["invoices/2026/LV-2026-000002/LV-2026-000002.pdf"]
    _empty("2037-01-01T02:40:00+00:00")
    assert keys_in(ARCHIVE) == []


def test_a_run_that_is_cut_off_is_finished_by_the_next_one(
    buckets: Any, fresh_wiring: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive: Any = wiring.archive_to_empty()
    for number in ("LV-2026-000001", "LV-2026-000002"):
        archive.mark(f"invoices/2026/{number}/", date(2031, 12, 31))
        archive.mark(f"invoices/2026/{number}/", date(2031, 12, 31))
        _archived(f"invoices/2026/{number}/{number}.pdf", date(2031, 12, 31))
    now = datetime(2032, 1, 1, 3, tzinfo=UTC)
    _s3_clock(monkeypatch, now)

    first = iter([True, False])
    cut = empty_archive(archive, now=now, years=5, goes_on=lambda: next(first))

    assert (cut.deleted, cut.is_finished) == (1, False)
    whole = empty_archive(archive, now=now, years=5, goes_on=lambda: True)
    assert (whole.deleted, whole.still_locked, whole.is_finished) == (1, 0, True)
    assert keys_in(ARCHIVE) == []


def _archived(key: str, until: date) -> None:
    boto3.client("s3", region_name=REGION).put_object(
        Bucket=ARCHIVE,
        Key=key,
        Body=b"%PDF",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=datetime(until.year, until.month, until.day, 23, 59, 59, tzinfo=UTC),
    )


def _empty(at: str) -> None:
    """Empties the archive at an instant, by our clock and by that of S3, which refuses to delete what is locked."""
    context = Context()
    context.get_remaining_time_in_millis = lambda: 900_000  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        _s3_clock(patch, datetime.fromisoformat(at))
        empty({"time": at}, context)


def _s3_clock(patch: pytest.MonkeyPatch, at: datetime) -> None:
    patch.setattr("moto.s3.models.utcnow", lambda: at.replace(tzinfo=None))


# ---- Reviews ----------------------------------------------------------------------------------------------


def _booked() -> list[str]:
    return [item["sk"] for item in stored_items() if item["pk"] == f"MANAGER#{MANAGER}"]


@pytest.mark.parametrize("begins", [BEGINS, "2026-08-04T07:00:00Z"], ids=["before the end", "after the end"])
def test_a_review_is_cancelled_with_its_account(begins: str, company: Company) -> None:
    client = make_reviewable(company)
    review = client.booked(begins)
    assert _booked()

    assert cancel(company).status == 201
    assert cancel(company).status == 201

    assert client.one(review).body["status"] == "cancelled"
    assert _booked() == []
    [told] = events_of("review.cancelled")
    assert (told.before or {})["manager"]["email"] == "sofie.staff@livello.example"


def test_a_review_that_has_begun_is_still_decided_by_staff(company: Company) -> None:
    client = make_reviewable(company)
    review = client.booked()

    assert cancel(company, "2026-08-15", now=datetime.fromisoformat(BEGINS)).status in {201, 409}

    assert client.one(review).body["status"] == "booked"


def test_a_review_that_an_earlier_release_left_open_is_cancelled_with_the_deactivation(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_reviewable(company)
    review = client.booked("2026-08-04T07:00:00Z")
    _cancel_as_an_earlier_release(company)
    assert _booked()

    fire(ENDED, work, monkeypatch, "ending")

    assert client.one(review, STAFF).body["status"] == "cancelled"
    assert _booked() == []
    assert len(events_of("review.cancelled")) == 1


def test_a_review_that_is_left_on_the_day_of_the_deletion_is_cancelled_before_it(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mail needs the account, so that the deletion begins with the next message."""
    assert provisioned(with_value(ACCOUNT, SHOP, "account")).status == 201
    company = replace(company, account=SHOP)  # Ada keeps her log-in: she has another account
    make_reviewable(company).booked("2026-08-04T07:00:00Z")
    _cancel_as_an_earlier_release(company)
    with monkeypatch.context() as patch:
        patch.setattr("billing.ending.cancellation.records.CancellationStore.open_review", lambda *_: None)
        patch.setattr("billing.ending.cancellation.records.ClosingReview.add_to", lambda *_: None)
        fire(PURGED - timedelta(hours=1), work, patch, "ending")
    assert _booked()
    told: list[str] = []
    cancel_review = ReviewStore.cancel_review

    def cancel_and_tell(store: ReviewStore, account: Any, review: Any, event: Any) -> None:
        told.append(event.type)
        cancel_review(store, account, review, event)

    monkeypatch.setattr(ReviewStore, "cancel_review", cancel_and_tell)

    fire(PURGED, work, monkeypatch, "ending")

    assert told == ["review.cancelled"]
    assert _booked() == []
    assert not [item for item in stored_items() if item["pk"] == f"ACCOUNT#{company.account}"]


def _cancel_as_an_earlier_release(company: Company) -> None:
    """A cancellation that knows nothing of reviews."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("billing.ending.cancellation.records.CancellationStore.open_review", lambda *_: None)
        patch.setattr("billing.ending.cancellation.records.ClosingReview.add_to", lambda *_: None)
        assert cancel(company).status == 201


# ---- Exact counts -----------------------------------------------------------------------------------------


def test_a_receipt_counts_exactly_although_reads_lag(shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An eventually consistent query shows what stood before the last write."""
    from billing.platform.dynamodb.reader import Reader

    noon, day = datetime(2026, 6, 9, 12, tzinfo=UTC), date(2026, 6, 9)
    for number in range(96):
        each = UsageEvent(SHOP, "t", f"{number}", "search", "nordlys-dk", "beans", noon, day, Decimal(1))
        assert wiring.usage_store().count([each], lambda _: None) == {}
    assert cancel(shop).status == 201
    fire(ENDED, work, monkeypatch)
    fire(PURGED - timedelta(days=1), work, monkeypatch)
    before: dict[Any, list[Any]] = {}
    query = Reader.query

    def lagging(reader: Reader, *place: Any, consistent: bool = False, index: Any = None, **more: Any) -> Any:
        rows = [*query(reader, *place, consistent=consistent, index=index, **more)]
        if consistent or index is not None:
            return iter(rows)
        shown = before.get(place, rows)
        before[place] = rows
        return iter(shown)

    monkeypatch.setattr(Reader, "query", lagging)

    fire(PURGED, work, monkeypatch, "ending")

    counts = receipt()["counts"]
    assert (counts["marker"], counts["user"]) == (97, 2)


def test_a_file_that_arrives_late_is_counted_once(shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = wiring.documents()
    documents.put(f"accounts/{SHOP}/mail/1.eml", b"", "message/rfc822")
    assert cancel(shop).status == 201
    fire(ENDED, work, monkeypatch)
    fire(PURGED - timedelta(days=1), work, monkeypatch)

    def purge_at(clock: datetime) -> PurgeProgress:
        waiting = replace(purger(), wait=timedelta(minutes=3))
        return purge_account(
            SHOP, now=PURGED, clock=clock, correlation=str(clock), goes_on=lambda: True, purger=waiting
        )

    assert purge_at(PURGED) is PurgeProgress.WAITS
    documents.put(f"accounts/{SHOP}/mail/2.eml", b"", "message/rfc822")
    assert purge_at(PURGED + timedelta(minutes=4)) is PurgeProgress.FINISHED

    assert receipt()["counts"]["documents"] == 2
    assert receipt()["counts"]["customers"] == 1
    assert not [key for key in keys_in(DOCUMENTS) if SHOP in key]


# ---- The payment service ----------------------------------------------------------------------------------


@pytest.mark.parametrize("has_customer", [False, True])
def test_a_deletion_finishes_without_keys_of_stripe_and_says_so(
    has_customer: bool, company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provisioned(with_value(ACCOUNT, SHOP, "account")).status == 201
    company = replace(company, account=SHOP)  # Ada keeps her log-in: she has another account
    if has_customer:
        card(company, stripe_account)
    secrets = boto3.client("secretsmanager", region_name=REGION)
    for name in ("stripe-api", "stripe"):
        secrets.put_secret_value(SecretId=name, SecretString='{"api_key": "", "publishable_key": ""}')
    wiring.forget()

    purge(company, work, monkeypatch)

    assert not [item for item in stored_items() if item["pk"] == f"ACCOUNT#{company.account}"]
    assert receipt()["not_asked"] == ["customer_left" if has_customer else "payment_service"]
    assert "customers" not in receipt()["counts"]


# ---- The export -------------------------------------------------------------------------------------------


def _export(shop: Company) -> zipfile.ZipFile:
    ask = request("POST", "/accounts/{account}/export", claims=shop.admin, path=shop.path)
    assert answer(downloads, ask).status == 202
    assert deliver(events_of("download.requested")[-1]) == {"batchItemFailures": []}
    [key] = [key for key in keys_in(DOCUMENTS) if key.startswith(f"downloads/{shop.account}/")]
    content = boto3.resource("s3", region_name=REGION).Object(DOCUMENTS, key).get()["Body"].read()
    return zipfile.ZipFile(io.BytesIO(content))


def test_an_export_has_conversions_and_revenue(shop: Company) -> None:
    archive = _export(shop)

    rows = [*csv.DictReader(io.StringIO(archive.read("usage-months.csv").decode()))]
    assert rows == [
        {
            "month": "2026-06",
            "product": "search",
            "store": "nordlys-dk",
            "content": "beans",
            "quantity": "2",
            "conversions": "3",
            "revenue": "125.00",
            "currency": "EUR",
        }
    ]
    [content] = json.loads(archive.read("data/content.json"))
    assert (content["d09"], content["conversions"], content["revenue_EUR"]) == ("2", "3", "12500")


def test_an_export_is_everything_that_is_kept(shop: Company) -> None:
    """An item of each family of an account, also of one that does not exist yet, is in it, or has a reason why not."""
    partitions = {keys.account(SHOP): keys.ACCOUNT_FAMILIES, keys.usage(SHOP): keys.USAGE_FAMILIES}
    for partition, families in partitions.items():
        for family in (*families, f"NEW-{partition[:5]}#"):
            if not any(item["pk"] == partition and item["sk"].startswith(family) for item in stored_items()):
                put_item(partition, f"{family}export#2026-06#x#y", json.dumps({"said": f"of {family}"}), version=1)
    wiring.documents().put(f"accounts/{SHOP}/new-kind/1.txt", b"kept", "text/plain")
    delete_item(keys.account(SHOP), f"{keys.INVOICE}export#2026-06#x#y")  # an invoice that cannot be read
    stored = [
        item
        for item in stored_items()
        if item["pk"] in {*partitions, keys.markers(SHOP)} and not item["sk"].startswith("DOWNLOAD#")
    ]

    archive = _export(shop)

    exported = {
        entry["key"]: entry
        for name in archive.namelist()
        if name.startswith("data/")
        for entry in json.loads(archive.read(name))
    }
    left_out = {item["sk"] for item in stored} - {*exported}
    assert {family for key in left_out for family in NOT_EXPORTED if key.startswith(family)} <= {*NOT_EXPORTED}
    assert [key for key in left_out if not key.startswith(tuple(NOT_EXPORTED))] == []
    assert all(NOT_EXPORTED.values())
    assert {*NOT_EXPORTED} <= {*keys.ACCOUNT_FAMILIES, *keys.USAGE_FAMILIES, keys.MARKER}
    where = {"pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk", "version", "body"}
    for item in stored:
        if item["sk"] in exported:
            said = {
                **(json.loads(item["body"]) if "body" in item else {}),
                **{k: v for k, v in item.items() if k not in where},
            }
            assert {*said} <= {*exported[item["sk"]]}, item["sk"]
    files = [key for key in keys_in(DOCUMENTS) if key.startswith(f"accounts/{SHOP}/")]
    assert {f"documents/{key.removeprefix(f'accounts/{SHOP}/')}" for key in files} <= {*archive.namelist()}
    assert "documents/new-kind/1.txt" in archive.namelist()


def test_the_file_of_an_export_that_was_killed_goes_with_its_next_attempt(
    shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(downloads, request("POST", "/accounts/{account}/export", claims=shop.admin, path=shop.path))
    [asked] = events_of("download.requested")
    purge(shop, work, monkeypatch)
    # The attempt was killed between the upload and its look whether the account still exists.
    wiring.documents().put(f"downloads/{SHOP}/{(asked.after or {})['download']}.zip", b"PK", "application/zip")
    assert provisioned(with_value(ACCOUNT, SHOP, "account")).status == 201, "the company comes back meanwhile"

    assert deliver(asked) == {"batchItemFailures": []}

    assert not [key for key in keys_in(DOCUMENTS) if SHOP in key]


def test_files_of_a_rendering_that_was_killed_go_with_its_next_attempt(
    shop: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing.invoicing.documents.render import render_documents

    fire(NOW, work, monkeypatch, "renewal")
    number = min(item["sk"].rpartition("#")[2] for item in items_of(SHOP) if item["sk"].startswith("INVOICE#"))
    purge(shop, work, monkeypatch)
    documents = wiring.documents()
    documents.put(f"accounts/{SHOP}/invoices/{number}/{number}.pdf", b"%PDF", "application/pdf")

    written = render_documents(SHOP, number, store=wiring.invoice_store(), documents=documents, render=lambda *_: {})

    assert written == ()
    assert not [key for key in keys_in(DOCUMENTS) if SHOP in key]


# ---- Everything -------------------------------------------------------------------------------------------


def test_after_a_deletion_nothing_is_left_but_what_is_named(
    shop: Company, stripe_account: Stripe, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scans the table, both buckets, the pool and Stripe for the account, its people and its addresses."""
    client = make_reviewable(shop)
    client.booked("2026-08-04T07:00:00Z")
    _export(shop)
    fire(NOW, work, monkeypatch, "renewal", "collection")
    put_item(f"ACCOUNT#{SHOP}", keys.undeliverable(CY), "{}")
    wiring.documents().put(f"accounts/{SHOP}/mail/1.eml", b"To: Cy Ek", "message/rfc822")

    purge(shop, work, monkeypatch)
    fire(PURGED + timedelta(days=1), work, monkeypatch)

    names = (SHOP, CY, "Cy Ek")
    left = [item for item in stored_items() if any(name in json.dumps(item, default=str) for name in names)]
    assert [item["pk"].partition("#")[0] for item in left] == ["DELETED"], "the event of the last mail, which expires"
    assert all("expires_at" in item for item in left)
    assert _booked() == []
    assert not [key for key in keys_in(DOCUMENTS) if SHOP in key]
    [folder] = {key.split("/")[0] for key in keys_in(DOCUMENTS) if not key.startswith("accounts/nordlys")}
    assert folder == "receipts"
    assert {key.split("/")[0] for key in keys_in(ARCHIVE)} == {"invoices", "until"}
    assert CY not in user_pool.emails()
    of_stripe = [
        each
        for kind, found in stripe_account.objects.items()
        for each in found.values()
        if SHOP in json.dumps(each, default=str) and not each.get("deleted") and kind != "event"
    ]
    # Payments are objects of their own, which Stripe keeps: an account id and a number, and no person.
    assert {each["object"] for each in of_stripe} <= {"payment_intent", "charge", "setup_intent"}
    assert not [each for each in of_stripe if CY in json.dumps(each, default=str)]


def test_after_a_full_life_nothing_is_left_of_anybody(
    shop: Company, stripe_account: Stripe, user_pool: UserPool, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Corrected usage, an appointed admin, an erased and a removed member, a booked review, an export, invoices."""
    users, appointment = "/accounts/{account}/users", "/accounts/{account}/appointment"
    dora, edda, fay = (
        {"email": f"{name}@closing.example", "name": f"{name.title()} Ek"} for name in ("dora", "edda", "fay")
    )

    def ask(method: str, route: str, body: Any = None, *, claims: Any = shop.admin, **more: Any) -> Any:
        path = {**shop.path, **more.pop("path", {})}
        given = answer(administer_users, request(method, route, claims=claims, path=path, body=body, **more))
        assert given.status in {200, 201, 202, 204}, given
        return given.body

    ids = [ask("PUT", users, {**each, "role": "member"})["user"] for each in (dora, edda)]
    make_reviewable(shop).booked("2026-08-04T07:00:00Z")
    ask("POST", appointment, {**fay, "reason": "Fay Ek leads the shop."}, claims=STAFF)
    taken_back = correction(day="2026-06-09", content="beans", quantity="-1", reason="Edda Ek has counted one twice.")
    assert correct(taken_back, account=SHOP).status == 201
    fire(NOW, work, monkeypatch, "renewal", "collection")
    wiring.documents().put(f"accounts/{SHOP}/mail/1.eml", b"To: Dora Ek, Edda Ek", "message/rfc822")
    _export(shop)
    ask("DELETE", users + "/{user}", path={"user": ids[0]})
    ask("DELETE", users + "/{user}", path={"user": ids[1]}, query={"erase": "true"})
    assert cancel(shop).status == 201
    fire(NOW + timedelta(days=8), work, monkeypatch, "ending")
    [came] = [each for each in wiring.account_store().users(SHOP) if each.email == fay["email"]]
    assert events_of("user.erased")
    invoices = [item for item in items_of(SHOP) if item["sk"].startswith(keys.INVOICE)]
    assert len(invoices) > 1

    for at in (ENDED, PURGED, PURGED + timedelta(days=20)):
        fire(at, work, monkeypatch)

    people = (CY, "Cy Ek", came.id, *ids, *(text for each in (dora, edda, fay) for text in each.values()))
    items = [item for item in stored_items() if any(name in json.dumps(item, default=str) for name in (SHOP, *people))]
    assert {item["pk"].partition("#")[0] for item in items} == {"DELETED"}, "the event of the last mail"
    assert all("expires_at" in item for item in items)
    assert not [item for item in stored_items() if item["pk"].startswith(keys.LOG_IN)]
    assert _booked() == []
    versions = boto3.resource("s3", region_name=REGION).Bucket(DOCUMENTS).object_versions.all()
    contents = {each.object_key: each.get()["Body"].read().decode(errors="replace") for each in versions}
    assert not [key for key, text in contents.items() if any(name in key + text for name in (SHOP, *people))]
    archived = {key.split("/")[2] for key in keys_in(ARCHIVE) if key.startswith("invoices/")}
    assert archived == {item["sk"].rpartition("#")[2] for item in invoices}
    assert user_pool.emails() == ["ada@nordlys.example", "bo@nordlys.example"], "they have another account"
    of_stripe = [each for found in stripe_account.objects.values() for each in found.values()]
    assert not [each for each in of_stripe if any(name in json.dumps(each, default=str) for name in people)]
