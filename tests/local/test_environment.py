"""A person's settings do not reach the emulated AWS, its functions, or our clients of it."""

from __future__ import annotations

import io
import json
import os
import socket
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.background import free_port
from local.cloud import Cloud, client
from local.environment import registry_environment, tool_environment, uv_cache
from local.settings import HOST, Settings

HOSTILE = {
    "AWS_PROFILE": "nonesuch",
    "AWS_ENDPOINT_URL_DYNAMODB": "http://192.0.2.1",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "PYTHONPATH": "/nowhere",
    "PYTHONSAFEPATH": "1",
    "PYTHONIOENCODING": "latin-1",
    "PYTHONWARNINGS": "error",
    "LD_PRELOAD": "",
    "PIP_USER": "1",
    "PIP_TARGET": "/nowhere",
    "UV_PROJECT_ENVIRONMENT": "/nowhere",
    "UV_OFFLINE": "1",
    "VIRTUAL_ENV": "/nowhere",
    "MAKEFLAGS": "n",
    "SAM_CLI_BUILD_IN_SOURCE": "1",
    "LC_ALL": "C",
    "ENDPOINT": "x",
}
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

FUNCTION = """
import json, os, urllib.request
import botocore.session

def handler(event, context):
    session = botocore.session.get_session()
    tables = session.create_client("dynamodb").list_tables()["TableNames"]
    proxies = {name: value for name, value in urllib.request.getproxies().items() if name != "no"}
    return {"tables": tables, "proxies": proxies, "names": sorted(os.environ)}
"""


@pytest.fixture
def connects() -> Iterator[tuple[int, list[object]]]:
    """The port of a fake proxy, and the peers that connected to it."""
    peers: list[object] = []
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0.1)
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                try:
                    connection, peer = listener.accept()
                except TimeoutError:
                    continue
                peers.append(peer)
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield listener.getsockname()[1], peers
        ended.set()
        thread.join()


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, connects: tuple[int, list[object]]) -> None:
    """The environment and the HOME of a person with many other settings."""
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://{HOST}:{connects[0]}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "person"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "config").write_text("[default]\nignore_configured_endpoint_urls = true\n[malformed\n", "utf-8")
    (home / ".aws" / "credentials").write_text("[default\n", "utf-8")
    monkeypatch.setenv("HOME", str(home))


@pytest.mark.usefixtures("hostile")
def test_the_emulated_aws_and_its_functions_reach_nothing_else(
    tmp_path: Path, connects: tuple[int, list[object]]
) -> None:
    folder = tmp_path / "a b'ü\""
    folder.mkdir()
    settings = Settings(folder, folder, cloud_port=free_port(), front_door_port=free_port(), persistent=False)
    cloud = Cloud.of(settings)
    try:
        cloud.start()
        cloud.wait_until_ready()
        reply = _invoked(settings)
    finally:
        cloud.stop(by_force=True)

    assert reply["tables"] == []
    assert reply["proxies"] == {}
    assert not set(reply["names"]) & ({*HOSTILE, *PROXIES} - {"AWS_ACCESS_KEY_ID", "LC_ALL"})
    assert connects[1] == []


def _invoked(settings: Settings) -> dict[str, Any]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", FUNCTION)
    role = client(settings, "iam").create_role(RoleName="probe", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}]}
    client(settings, "iam").put_role_policy(RoleName="probe", PolicyName="all", PolicyDocument=json.dumps(policy))
    functions = client(settings, "lambda")
    functions.create_function(
        FunctionName="probe",
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Timeout=30,
        Code={"ZipFile": packed.getvalue()},
    )
    answer = functions.invoke(FunctionName="probe")
    reply: dict[str, Any] = json.load(answer["Payload"])
    assert "FunctionError" not in answer, reply
    return reply


@pytest.mark.usefixtures("hostile")
def test_a_tool_gets_only_the_listed_variables_and_a_home_of_its_own(tmp_path: Path) -> None:
    environment = tool_environment(tmp_path / "own")

    assert not set(environment) & ({*HOSTILE, *PROXIES} - {"LC_ALL"})
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert environment["LC_ALL"] == "C.UTF-8"
    assert Path(environment["HOME"]).is_dir()
    assert Path(environment["TMPDIR"]).is_dir()


def test_the_build_gets_only_the_settings_of_the_package_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX_MIRROR_PASSWORD", "secret")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mirror.example/simple")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("NO_PROXY", "intranet.example")

    environment = registry_environment()

    assert environment["UV_INDEX_MIRROR_PASSWORD"] == "secret"
    assert environment["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert "UV_OFFLINE" not in environment
    assert environment["NO_PROXY"] == f"intranet.example,{HOST},localhost"


def test_the_build_uses_the_persons_package_cache(tmp_path: Path) -> None:
    assert uv_cache({"UV_CACHE_DIR": "/cache", "HOME": "/home/ada"}) == Path("/cache")
    assert uv_cache({"HOME": "/home/ada"}) == Path("/home/ada/.cache/uv")
