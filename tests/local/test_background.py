"""A background process is found and ended, however its files are damaged."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from local import background
from local.background import Background, port_is_free
from local.environment import bare_environment
from local.settings import HOST, LocalError
from local.state_files import read_json, write_json

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
SLEEP: Sequence[str] = (sys.executable, "-c", "import time; time.sleep(60)")
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Background]:
    """Ended after the test, also if it fails."""
    background_process = Background("server", tmp_path)
    yield background_process
    background_process.stop(by_force=True)


def test_a_process_is_started_found_and_ended(process: Background) -> None:
    process.start(SLEEP, bare_environment())
    assert process.running()
    with pytest.raises(LocalError, match="running already"):
        process.start(SLEEP, bare_environment())
    process.stop()
    assert not process.running()
    assert not process.was_killed()
    process.stop()


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0", b"12x"])
def test_a_damaged_pid_file_does_not_hide_its_process(process: Background, content: bytes) -> None:
    process.start(SLEEP, bare_environment())
    process.pid_file.write_bytes(content)
    process.stop()
    assert not process.running()
    assert not process.pid_file.exists()


def test_a_pid_file_without_a_process_does_not_prevent_a_start(process: Background) -> None:
    process.pid_file.touch()
    assert process.was_killed()
    process.stop()
    process.pid_file.touch()
    process.start(SLEEP, bare_environment())
    assert process.running()


def test_an_unknown_pid_is_an_error_that_says_how_to_find_it(process: Background) -> None:
    process.start(SLEEP, bare_environment())
    written = process.pid_file.read_bytes()
    process.pid_file.write_bytes(b"")
    with patch.object(background, "_holders", return_value=[]), pytest.raises(LocalError, match=r"lsof .*server\.pid"):
        process.stop()
    process.pid_file.write_bytes(written)


@pytest.mark.parametrize("call", [1, 2])
def test_a_start_on_a_full_disk_leaves_no_process_running(process: Background, call: int) -> None:
    calls = 0
    write = os.pwrite

    def pwrite(*arguments: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == call:
            raise FULL
        return write(*arguments)

    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def recording(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))
        return started[-1]

    with (
        patch("os.pwrite", pwrite),
        patch("subprocess.Popen", recording),
        pytest.raises(OSError, match="No space left"),
    ):
        process.start(SLEEP, bare_environment())
    assert len(started) == call - 1
    assert all(each.poll() is not None for each in started)
    assert not process.running()
    process.stop()


def test_a_process_that_ignores_the_signal_is_killed_only_by_force(
    process: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "STOP_SECONDS_MAX", 0.3)
    monkeypatch.setattr(background, "FORCED_SECONDS_MAX", 0.3)
    process.start((sys.executable, "-c", STUBBORN), bare_environment())
    while "deaf" not in process.log_tail():
        time.sleep(0.01)
    with pytest.raises(LocalError, match="does not end"):
        process.stop()
    assert process.running()
    monkeypatch.setattr(background, "STOP_SECONDS_MAX", 10)
    process.stop(by_force=True)
    assert not process.running()


def test_a_port_is_free_taken_or_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    port = background.free_port()
    assert port_is_free(port)
    with socket.create_server((HOST, port)):
        assert background.port_state(port) is background.PortState.TAKEN
    with patch("socket.socket.bind", side_effect=PermissionError(errno.EACCES, "Permission denied")):
        assert background.port_state(80) is background.PortState.FORBIDDEN


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000])
def test_a_damaged_state_file_is_named_with_its_remedy(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(content)
    with pytest.raises(LocalError, match=r"state\.json is damaged.*Remove it\."):
        read_json(file, "Remove it.")


def test_a_state_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    assert read_json(file, "") is None
    write_json(file, {"n": 1})
    with patch("os.fsync", side_effect=FULL), pytest.raises(OSError, match="No space left"):
        write_json(file, {"n": 2})
    assert read_json(file, "") == {"n": 1}
    assert [*tmp_path.iterdir()] == [file]
