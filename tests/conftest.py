"""Fixtures that the tests share: the table, the user pool, the buckets and queues on moto, Stripe's stand-in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.accounts.cognito_directory import CognitoDirectory
from billing.kernel.permissions import STAFF_GROUP
from billing.payments import stripe_gateway as stripe_payments
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from local.stripe.api import Stripe
from local.stripe.process import KEYS
from tests import strict_botocore
from tests.api_gateway import NOW
from tests.aws import ARCHIVE, DOCUMENTS, REGION, TABLE, UserPool, items_behind_moto
from tests.company import Company, make_company, put_catalogue
from tests.faults.summary import pytest_terminal_summary  # noqa: F401 - a hook, which pytest finds here
from tests.permissions import allowed_by_the_roles, pytest_sessionfinish, watch  # noqa: F401 - pytest finds them here
from tests.properties import register_profiles
from tests.quick_moto import make_quick
from tests.samples import CATALOGUE, SETTINGS
from tests.stores import Stores
from tests.stripe import ADDRESS, InProcess
from tests.stripe import stripe_account as stripe_account_at
from tests.template import resources

register_profiles()
strict_botocore.install()
watch()


def _ignore_personal_settings() -> None:
    """Removes a person's AWS settings. A profile may be malformed, and an endpoint would bypass moto."""
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        del os.environ[name]
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG"):
        os.environ[name] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


_ignore_personal_settings()

# Lambda gives every invocation an id; Powertools' class has none of its own.
LambdaContext._aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"


@pytest.fixture(scope="session")
def aws() -> Iterator[None]:
    """One AWS on moto for the whole run, because a new one costs more than emptying it."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        make_quick(patch)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("TABLE_NAME", TABLE)
        patch.setenv("INVITATIONS_PER_DAY", "50")
        patch.setenv("PRICE_NOTICE_DAYS", "30")
        patch.setenv("USAGE_REPORTED_WITHIN_DAYS", "35")
        patch.setenv("STRIPE_SECRET", "stripe-api")
        patch.setenv("STRIPE_WEBHOOK_SECRET", "stripe")
        patch.setenv("ORPHANED_LOG_IN_DAYS", "14")
        patch.setenv("RETENTION_DAYS", "14")
        patch.setenv("BILLING_PAGE", "https://billing.example")
        patch.setenv("DOCUMENTS_BUCKET", DOCUMENTS)
        patch.setenv("ARCHIVE_BUCKET", ARCHIVE)
        patch.setenv("INVOICE_ARCHIVE_YEARS", "5")
        patch.setenv("APPOINTMENT_DELAY_DAYS", "7")
        patch.setenv("CLAIM_YEARS", "3")
        patch.setenv("PURGE_WAIT_SECONDS", "0")
        patch.setenv("VAT_NUMBER_CHECK", "off")
        patch.setenv("TEST_CLOCKS", "on")
        patch.setenv("TEST_MAIL_DOMAIN", "")
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        patch.setenv("USAGE_BACKLOG_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/usage-backlog")
        yield


@pytest.fixture(scope="session")
def table(aws: None) -> Any:
    """The table, with the keys and the index of template.yaml."""
    properties = resources()["Table"]["Properties"]
    return boto3.resource("dynamodb", region_name=REGION).create_table(
        TableName=TABLE,
        **{
            name: properties[name]
            for name in ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        },
    )


@pytest.fixture
def store(table: Any) -> Stores:
    """All stores over an empty table."""
    items_behind_moto().clear()
    return Stores(TABLE, wiring.dynamodb())


@pytest.fixture(scope="session")
def user_pool(aws: None) -> UserPool:
    """One user pool for all tests. Its users stay from test to test."""
    cognito = boto3.client("cognito-idp", region_name=REGION)
    pool = cognito.create_user_pool(PoolName="people", UsernameAttributes=["email"])["UserPool"]["Id"]
    cognito.create_group(GroupName=STAFF_GROUP, UserPoolId=pool)
    os.environ["USER_POOL_ID"] = pool
    return UserPool(pool, CognitoDirectory(pool, wiring.session()))


@pytest.fixture
def usage_backlog(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The sample company, and the queue of usage whose counters are busy, on moto. Yields the queue's address."""
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.create_queue(QueueName="usage-backlog")["QueueUrl"]
    monkeypatch.setenv("USAGE_BACKLOG_URL", url)
    monkeypatch.setenv("USAGE_REPORTED_WITHIN_DAYS", "35")
    wiring.forget()
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def stripe_account(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stripe]:
    """An account of Stripe's stand-in, with its clock at NOW. The wiring's gateway and secret use it."""
    account = stripe_account_at(NOW.timestamp())
    secrets = boto3.client("secretsmanager", region_name=REGION)
    webhook = {"webhook_secret": KEYS["webhook_secret"]}
    secrets.create_secret(Name="stripe", SecretString=json.dumps(webhook))
    secrets.create_secret(Name="stripe-api", SecretString=json.dumps({**KEYS, "webhook_secret": ""}))
    monkeypatch.setenv("STRIPE_API_BASE", ADDRESS)
    monkeypatch.setattr(stripe_payments, "RequestsClient", lambda timeout: InProcess(account))
    wiring.forget()
    yield account
    for name in ("stripe", "stripe-api"):
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    wiring.forget()


@pytest.fixture
def buckets(aws: None) -> Iterator[Any]:
    """An empty bucket of documents and an empty archive of invoices."""
    s3 = boto3.resource("s3", region_name=REGION)
    place: Any = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket=DOCUMENTS, CreateBucketConfiguration=place)
    s3.BucketVersioning(DOCUMENTS).enable()
    s3.create_bucket(Bucket=ARCHIVE, CreateBucketConfiguration=place, ObjectLockEnabledForBucket=True)
    yield s3
    for backend in get_backend("s3")[DEFAULT_ACCOUNT_ID].values():
        backend.reset()  # locked objects cannot be deleted in another way


@pytest.fixture
def fresh_wiring() -> Iterator[None]:
    """The wiring makes its objects from this test's environment, and forgets them afterwards."""
    wiring.forget()
    yield
    wiring.forget()


@pytest.fixture
def work_queue(aws: None, fresh_wiring: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty queue between planners and workers. Both read its address from the environment."""
    queue = boto3.resource("sqs", region_name=REGION).create_queue(QueueName="work")
    monkeypatch.setenv("QUEUE_URL", queue.url)
    monkeypatch.setenv("WORK_QUEUE_URL", queue.url)
    yield queue
    queue.delete()


@pytest.fixture
def catalogue(store: Stores, user_pool: UserPool) -> UserPool:
    """A table with a catalogue only, and the user pool."""
    assert put_catalogue(CATALOGUE).status == 200
    return user_pool


@pytest.fixture(scope="session")
def company_cache() -> dict[str, Any]:
    """The sample company and its items, from the first test that needs them."""
    return {}


@pytest.fixture
def company(
    request: pytest.FixtureRequest, store: Stores, user_pool: UserPool, company_cache: dict[str, Any]
) -> Company:
    """The sample account as provisioned. The first test makes its items and log-ins, later tests get copies."""
    if not company_cache:
        request.getfixturevalue("catalogue")
        company_cache["company"] = make_company()
        for email in ("ada@nordlys.example", "bo@nordlys.example"):
            user_pool.log_in(email)
        company_cache["items"] = deepcopy(items_behind_moto())
        company_cache["people"] = deepcopy(user_pool.users_behind_moto())
    else:
        items_behind_moto().update(deepcopy(company_cache["items"]))
        people = user_pool.users_behind_moto()
        people.clear()
        people.update(deepcopy(company_cache["people"]))
    sample: Company = company_cache["company"]
    return sample
