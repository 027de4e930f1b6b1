"""The built layer is complete, small, compiled, and made for the processor of the cloud."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.layer import ROOT, SOURCE, build_layer, build_layer_for_this_machine

SIZE_MAX = 110 * 1024**2
"""Bytes, with bytecode. Lambda allows 250 MB, but a cold start fetches every byte."""

UNCHECKED_HASH = 0b01
"""PEP 552: Python uses this bytecode without a check of its source."""

FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))

EXPORT = "export --quiet --frozen --no-dev --package billing --no-emit-workspace --no-header --no-annotate"

SERVICES = ("cognito-idp", "dynamodb", "events", "lambda", "s3", "secretsmanager", "ses", "sqs")
REGIONS = ("eu-central-1", "us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1")
"""One region of each AWS partition."""

CLIENTS = f"""
import botocore.session, json
session = botocore.session.Session()
keys = dict(aws_access_key_id="test", aws_secret_access_key="test")
clients = [session.create_client(service, region, **keys) for service in {SERVICES} for region in {REGIONS}]
print(json.dumps([[
    each.meta.endpoint_url,
    each.meta.service_model.operation_names,
    [parameter.name for parameter in each.meta.service_model.client_context_parameters],
] for each in clients]))
"""
"""A program that prints the endpoint, operations and context parameters of each client."""

pytestmark = pytest.mark.xdist_group("layer")  # the layer is built once


@pytest.fixture(scope="session")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer for the Python that runs the tests: the folder on a function's path."""
    return build_layer_for_this_machine(tmp_path_factory.mktemp("layer") / "Shared")


def run_with_layer(layer: Path, code: str) -> str:
    """The output of a program that has only the layer and the standard library."""
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(layer)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=False,
        env={"AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"},
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_every_module_of_ours_can_be_imported(layer: Path) -> None:
    code = """
import billing, importlib, pkgutil
for module in pkgutil.walk_packages(billing.__path__, "billing."):
    importlib.import_module(module.name)
print(billing.__file__)
"""
    assert Path(run_with_layer(layer, code).strip()).is_relative_to(layer)


@pytest.fixture(scope="session")
def imported(layer: Path) -> dict[str, str]:
    """The result of importing each function, by its name: "True", or the traceback of the failure.

    One process loads the libraries that nearly all functions use, and imports each function in a fork of itself.
    tests/architecture/test_imports.py imports each function in a new process.
    """
    code = f"""
import json, os, traceback
import aws_lambda_powertools.event_handler.openapi.models, aws_lambda_powertools.utilities.batch
import botocore.session, pynamodb.models
imported = {{}}
for function in {FUNCTIONS!r}:
    reading, writing = os.pipe()
    if not os.fork():
        try:
            sys.path.insert(0, os.path.join({str(ROOT / "functions")!r}, function))
            import app
            result = str(callable(app.handler))
        except BaseException:
            result = traceback.format_exc()
        os.write(writing, result.encode()[-60_000:])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as child:
        imported[function] = child.read()
    os.wait()
print(json.dumps(imported))
"""
    results: dict[str, str] = json.loads(run_with_layer(layer, code))
    return results


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_can_be_imported(imported: dict[str, str], function: str) -> None:
    assert imported[function] == "True", imported[function]


def test_clients_of_the_slimmed_descriptions_equal_the_stock_clients(layer: Path) -> None:
    stock = subprocess.run([sys.executable, "-c", CLIENTS], capture_output=True, text=True, check=True, env={})
    assert json.loads(run_with_layer(layer, CLIENTS)) == json.loads(stock.stdout)


def test_every_module_has_bytecode_that_stays_valid(layer: Path) -> None:
    sources = [*layer.rglob("*.py")]
    assert sources
    for source in sources:
        compiled = Path(importlib.util.cache_from_source(str(source)))
        assert compiled.exists(), source
        magic, flags, digest = _header(compiled)
        assert magic == importlib.util.MAGIC_NUMBER, compiled
        assert flags == UNCHECKED_HASH, compiled
        assert digest == importlib.util.source_hash(source.read_bytes()), (
            f"{compiled} is the bytecode of another source"
        )
    assert len([*layer.rglob("*.pyc")]) == len(sources)


def test_the_artefact_contains_no_path_of_this_machine(layer: Path) -> None:
    places = {str(layer).encode(), str(SOURCE).encode()}
    for file in layer.rglob("billing/**/*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(place in content for place in places), file


def test_the_layer_is_small(layer: Path) -> None:
    assert sum(file.stat().st_size for file in layer.rglob("*") if file.is_file()) < SIZE_MAX


def test_the_layer_has_no_expensive_or_unused_packages(layer: Path) -> None:
    top = {path.name for path in layer.iterdir()}
    # The tracing SDK takes longer to import than all the rest of a function, and its support has ended.
    assert not top & {"aws_xray_sdk", "boto3", "bin", "tests", ".lock"}
    assert not [*layer.rglob("*.pyi")]
    assert not [*layer.rglob("tests")]


def test_every_package_has_its_licence(layer: Path) -> None:
    packages = [*layer.glob("*.dist-info")]
    assert packages
    for package in packages:
        assert (package / "METADATA").exists(), package
        licences = [*package.rglob("*LICEN[CS]E*"), *package.rglob("COPYING*")]
        assert licences or "License: Public Domain" in (package / "METADATA").read_text(encoding="utf-8"), package


def test_a_service_without_a_description_stops_the_build(layer: Path, tmp_path: Path) -> None:
    data = tmp_path / "botocore" / "data"
    data.mkdir(parents=True)
    for name in ("_retry.json", "partitions.json", "sdk-default-configuration.json"):
        (data / name).write_text("{}")
    (data / "endpoints.json").write_text('{"partitions": []}')
    slim = [sys.executable, str(SOURCE / "slim.py"), str(tmp_path)]
    finished = subprocess.run(slim, capture_output=True, text=True, check=False)
    assert finished.returncode != 0
    assert SERVICES[0] in finished.stderr


@pytest.fixture(scope="session")
def cloud_build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The layer for the cloud, and the output of its build."""
    artifacts = tmp_path_factory.mktemp("cloud-layer") / "Shared"
    printed = build_layer(artifacts, "3.13", "aarch64-manylinux_2_28")
    return artifacts / "python", printed


def test_compiled_modules_are_for_the_processor_of_the_cloud(cloud_build: tuple[Path, str]) -> None:
    libraries = [*cloud_build[0].rglob("*.so")]
    assert libraries
    for library in libraries:
        assert library.name.endswith((".cpython-313-aarch64-linux-gnu.so", ".abi3.so")), library
        machine = library.read_bytes()[18:20]
        assert machine == b"\xb7\x00", f"{library} is not ELF for AArch64"


def test_bytecode_for_the_cloud_is_valid_or_its_absence_is_reported(cloud_build: tuple[Path, str]) -> None:
    layer, printed = cloud_build
    compiled = [*layer.rglob("*.pyc")]
    assert ("THE LAYER HAS NO BYTECODE" in printed) == (not compiled)
    for file in compiled:
        assert file.name.endswith(".cpython-313.pyc")
        assert _header(file)[1] == UNCHECKED_HASH


def _header(compiled: Path) -> tuple[bytes, int, bytes]:
    header = compiled.read_bytes()[:16]
    return header[:4], int.from_bytes(header[4:8], "little"), header[8:]


def test_the_requirements_equal_the_lock() -> None:
    """`make requirements` writes them again."""
    uv = ROOT / ".tools" / "bin" / "uv"
    if not uv.exists():
        pytest.skip("uv is not installed")
    exported = subprocess.run(
        [str(uv), *EXPORT.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (SOURCE / "requirements.txt").read_text() == exported.stdout
