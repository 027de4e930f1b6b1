"""The cost of a cold start: a fresh process imports a function from the built layer and makes its clients.

The reference is a fresh process that only makes one stock DynamoDB client. All bytecode is valid, except that of the
functions' own app.py, which is shipped as source.
"""

from __future__ import annotations

import compileall
import importlib.util
import os
import py_compile
import shutil
import sys
from pathlib import Path

from benchmarks.layer import ROOT, build_layer_for_this_machine
from benchmarks.measuring import Result, Variant, compare, of_a_process

RATIO_MAX = 1.8
"""The goal for functions that answer a request (docs/decisions/0005)."""

WORKERS = {
    "collect_payments",
    "detach_replaced_methods",
    "empty_archive",
    "end_account",
    "issue_invoices",
    "note_payment_notice",
    "receive_payment_notice",
    "warn_expiring_card",
    "note_mail_feedback",
    "notify",
    "plan_due_work",
    "publish_events",
    "reconcile_books",
    "record_queued_usage",
    "require_second_factor",
    "scale_account",
    "take_reported_usage",
    "tell_rejected_usage",
    "watch_usage",
}
"""Functions that answer no request, so they have no limit."""

STOCK_PACKAGES = ("botocore", "dateutil", "jmespath", "six", "urllib3")
STOCK = "import botocore.session\nbotocore.session.Session().create_client('dynamodb')"

FUNCTION = """
import app
wiring = sys.modules.get("billing.wiring")
constructors = {
    part.dependency
    for value in vars(app).values()
    for part in getattr(value, "__metadata__", ())
    if getattr(getattr(part, "dependency", None), "__module__", None) == "billing.wiring"
} | {
    getattr(wiring, name)  # a function without routes calls the wiring directly
    for value in vars(app).values()
    if getattr(value, "__module__", None) == "app" and hasattr(value, "__code__")
    for code in (value.__code__, *(part for part in value.__code__.co_consts if hasattr(part, "co_names")))
    for name in code.co_names
    if hasattr(getattr(wiring, name, None), "cache_info")
}
assert bool(wiring) == bool(constructors), "a function imports the wiring without a known client: adapt this benchmark"
for constructor in constructors:
    constructor()
"""
"""Imports a function, then makes its dependencies, as the first request does."""

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "ARCHIVE_BUCKET": "livello",
    "INVOICE_ARCHIVE_YEARS": "5",
    "APPOINTMENT_DELAY_DAYS": "7",
    "CLAIM_YEARS": "3",
    "PURGE_WAIT_SECONDS": "0",
    "ALLOWED_ORIGIN": "https://billing.example",
    "CHARGED_METHODS": "card",
    "CONFIGURATION_SET": "livello",
    "DEAD_LETTERS_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/dead-letters",
    "DOCUMENTS_BUCKET": "livello",
    "EVENT_BUS_NAME": "livello",
    "POWERTOOLS_SERVICE_NAME": "livello",
    "BILLING_PAGE": "https://billing.example",
    "AUTOSCALING_WORKER": "livello",
    "CARD_EXPIRY_WORKER": "livello",
    "COLLECTION_WORKER": "livello",
    "ENDING_WORKER": "livello",
    "RENEWAL_WORKER": "livello",
    "VAT_NUMBER_WORKER": "livello",
    "TEST_CLOCKS": "on",
    "TEST_MAIL_DOMAIN": "*",
    "INVITATIONS_PER_DAY": "50",
    "INVOICE_SERIES": "LV",
    "JOB": "autoscaling",
    "PAYMENT_TERM_DAYS": "14",
    "PRICE_NOTICE_DAYS": "30",
    "PAYMENT_NOTICES_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/notices",
    "QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/queue",
    "SENDER_ADDRESS": "billing@livello.example",
    "ORPHANED_LOG_IN_DAYS": "14",
    "RETENTION_DAYS": "14",
    "REMINDER_DAYS": "7,14,28",
    "RETRY_DAYS": "1,3,5,7",
    "SELLER_ADDRESS": "Demovej 1",
    "SELLER_CITY": "Copenhagen",
    "SELLER_COUNTRY": "DK",
    "SELLER_CURRENCY": "",
    "SELLER_NAME": "Livello Demo ApS",
    "SELLER_POSTCODE": "",
    "SELLER_TIME_ZONE": "UTC",
    "CREDIT_NOTE_SERIES": "CN",
    "SELLER_IBAN": "",
    "SELLER_VAT_NUMBER": "",
    "SEPA_NOTICE_DAYS": "0",
    "STAFF_SECOND_FACTOR": "on",
    "STRIPE_SECRET": "livello",
    "STRIPE_WEBHOOK_SECRET": "livello",
    "TABLE_NAME": "livello",
    "UNCONFIRMED_VAT_NUMBER": "",
    "USAGE_BACKLOG_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/backlog",
    "USAGE_REPORTED_WITHIN_DAYS": "35",
    "USER_POOL_ID": "eu-central-1_example",
    "VAT_NUMBER_CHECK": "off",
    "VIES_API_BASE": "",
    "WORK_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/work",
}


def measured(folder: Path, rounds: int) -> list[Result]:
    """All functions against the stock client. Builds the layer in the folder, which takes minutes."""
    layer = build_layer_for_this_machine(folder / "Shared")
    stock = _stock(folder / "stock")
    functions = _sources(folder / "functions")
    output = folder / "output"
    return compare(
        [
            Variant("a stock DynamoDB client alone", of_a_process(_command([stock], STOCK), ENVIRONMENT, output)),
            Variant("the same from the slimmed layer", of_a_process(_command([layer], STOCK), ENVIRONMENT, output)),
            *(
                Variant(
                    function.name,
                    of_a_process(_command([function, layer], FUNCTION), ENVIRONMENT, output),
                    None if function.name in WORKERS else RATIO_MAX,
                )
                for function in functions
            ),
        ],
        rounds,
    )


def _command(path: list[Path], code: str) -> list[str]:
    # Isolated and without site-packages: only the standard library and the given path.
    # The real interpreter, because that of a virtual environment also reads its configuration.
    python = os.path.realpath(sys.executable)
    return [python, "-I", "-S", "-B", "-c", f"import sys; sys.path[:0] = {[str(each) for each in path]}\n{code}"]


def _stock(folder: Path) -> Path:
    """botocore and its dependencies as installed, compiled as the layer is."""
    folder.mkdir()
    for name in STOCK_PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec
        assert spec.origin
        origin = Path(spec.origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, folder)
    compileall.compile_dir(folder, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return folder


def _sources(folder: Path) -> list[Path]:
    """The functions' folders as they are shipped, without bytecode from tests."""
    shutil.copytree(ROOT / "functions", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return sorted(app.parent for app in folder.glob("*/app.py"))
