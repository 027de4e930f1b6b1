"""The ports of a stack, and the choice of the stack that a command works on."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from local import settings as module
from local import stack
from local.background import free_port
from local.local_server import LocalServer
from local.mail_sink import mail_sink
from local.settings import (
    CLOUD_PORT_VARIABLE,
    FRONT_DOOR_PORT_VARIABLE,
    HOST,
    MAIL_PORT_VARIABLE,
    PORT_DEFAULTS,
    LocalError,
    Settings,
    ports_file,
    ports_of,
    settings_from_environment,
)
from local.state_files import write_json
from scripts import stack as scripts_stack
from scripts.stack import use_local_stack


@pytest.fixture(autouse=True)
def _no_ports_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PORT_DEFAULTS:
        monkeypatch.delenv(name, raising=False)


def test_ports_are_remembered_until_the_environment_names_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ports_of(settings_from_environment(tmp_path)) == PORT_DEFAULTS
    write_json(ports_file(tmp_path), {FRONT_DOOR_PORT_VARIABLE: 18090, CLOUD_PORT_VARIABLE: 14600})
    assert settings_from_environment(tmp_path).front_door_port == 18090
    assert settings_from_environment(tmp_path).mail_port == PORT_DEFAULTS[MAIL_PORT_VARIABLE]
    monkeypatch.setenv(FRONT_DOOR_PORT_VARIABLE, "18099")
    assert settings_from_environment(tmp_path).front_door_port == 18099
    assert settings_from_environment(tmp_path).cloud_port == 14600


@pytest.mark.parametrize(
    "content", ["", "[]", '{"LIVELLO_PORT": "x"}', '{"LIVELLO_PORT": 0}', '{"LIVELLO_PORT": true}']
)
def test_a_damaged_ports_file_is_named(tmp_path: Path, content: str) -> None:
    ports_file(tmp_path).write_text(content, "utf-8")
    with pytest.raises(LocalError, match=r"ports\.json is damaged.*Remove it"):
        settings_from_environment(tmp_path)


@pytest.mark.parametrize("port", ["0", "65536", "80 80", "-1", "+80", "\uff18\uff10", "1e3", "9" * 5000])
def test_an_invalid_port_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv(CLOUD_PORT_VARIABLE, port)
    with pytest.raises(LocalError, match="LIVELLO_CLOUD_PORT must be a port between 1 and 65535"):
        settings_from_environment(tmp_path)


def test_two_servers_on_one_port_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAIL_PORT_VARIABLE, str(PORT_DEFAULTS[CLOUD_PORT_VARIABLE]))
    with pytest.raises(LocalError, match="LIVELLO_CLOUD_PORT and LIVELLO_MAIL_PORT are both 4566"):
        settings_from_environment(tmp_path)


def four_ports(tmp_path: Path, **others: int) -> Settings:
    settings = Settings(tmp_path, tmp_path, free_port(), free_port(), free_port(), free_port())
    return replace(settings, **others)  # type: ignore[arg-type]


def test_a_port_reserved_for_the_administrator_is_reported_as_such(tmp_path: Path) -> None:
    refused = PermissionError(errno.EACCES, "Permission denied")
    settings = four_ports(tmp_path, front_door_port=80)
    with (
        patch("socket.socket.bind", side_effect=refused),
        patch.object(stack, "free_port", return_value=18090),
        pytest.raises(LocalError) as caught,
    ):
        stack._check_ports(settings)
    assert str(caught.value).startswith("LIVELLO_PORT: only the administrator of this machine may listen on port 80.")
    assert str(caught.value).endswith("LIVELLO_PORT=18090 make run")


def test_a_port_of_another_program_is_reported_as_taken(tmp_path: Path) -> None:
    settings = four_ports(tmp_path)
    with (
        socket.create_server((HOST, settings.mail_port)),
        pytest.raises(LocalError, match=rf"LIVELLO_MAIL_PORT: port {settings.mail_port} is taken by another program"),
    ):
        stack._check_ports(settings)


def test_a_port_of_another_server_of_the_stack_is_reported_as_ours(tmp_path: Path) -> None:
    settings = four_ports(tmp_path)
    sink = mail_sink(settings)
    try:
        sink.start()
        assert sink.running_port() == settings.mail_port
        stack._check_ports(settings)
        moved = four_ports(tmp_path, stripe_port=settings.mail_port)
        with pytest.raises(LocalError, match=r"LIVELLO_STRIPE_PORT: .* a server of this stack, which make stop ends"):
            stack._check_ports(moved)
    finally:
        sink.stop(by_force=True)


def test_a_server_without_a_recorded_port_is_replaced(tmp_path: Path) -> None:
    settings = four_ports(tmp_path)
    sink = mail_sink(settings)
    try:
        sink.start()
        (tmp_path / "mail-sink.json").write_bytes(b"")
        assert sink.running_port() is None
        stack._check_ports(settings)
        sink.start()
        assert sink.is_current()
    finally:
        sink.stop(by_force=True)


def test_a_server_is_restarted_only_when_its_options_change(tmp_path: Path) -> None:
    settings = four_ports(tmp_path)
    door = stack.front_door(settings)
    try:
        door.start()
        pid = door.process.pid_file.read_bytes()
        stack.front_door(settings).start()
        assert door.process.pid_file.read_bytes() == pid
        other: LocalServer = stack.front_door(four_ports(tmp_path, front_door_port=settings.front_door_port))
        other.start()
        assert door.process.pid_file.read_bytes() != pid
    finally:
        door.stop(by_force=True)


def test_a_command_does_not_use_the_stack_of_another_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts_stack, "settings_from_environment", lambda: four_ports(tmp_path))
    with pytest.raises(LocalError, match="No stack of this checkout runs"):
        use_local_stack()


def test_a_command_prints_the_address_of_its_stack(capsys: pytest.CaptureFixture[str]) -> None:
    given = {CLOUD_PORT_VARIABLE: "14999", FRONT_DOOR_PORT_VARIABLE: "18999", "AWS_PROFILE": "nonesuch"}
    with patch.dict(os.environ, given):
        use_local_stack()
        assert "AWS_PROFILE" not in os.environ
        assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:14999"
    printed = capsys.readouterr()
    assert printed.err == "The local stack at http://127.0.0.1:18999, its AWS at http://127.0.0.1:14999.\n"
    assert printed.out == ""


def test_an_address_omits_the_default_port_of_http(tmp_path: Path) -> None:
    assert four_ports(tmp_path, front_door_port=module.HTTP_PORT).address == "http://127.0.0.1"
