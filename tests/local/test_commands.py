"""`make run`, `stop` and `clean`: what is refused touches nothing, and ending always works."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from local import __main__ as commands
from local import deployment, stack
from local.background import free_port
from local.cloud import Cloud
from local.linked_layer import write_link
from local.mail_sink import mail_sink
from local.settings import PORT_DEFAULTS, LocalError, Settings, ports_file
from local.stripe.process import account_file, keep_stripe_account, stripe_stand_in

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/full")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / ".local"
    return Settings(folder, folder / "artefacts", free_port(), free_port(), free_port(), free_port())


class Parts:
    """Stands for everything that `make run` does, and notes the order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.failing = ""
        one: Any = type("Part", (), {})
        cloud, door, sink, stripe = (one() for _ in range(4))
        for name, part in (("cloud", cloud), ("door", door), ("sink", sink), ("stripe", stripe)):
            part.start = self._does(f"start {name}")
            part.stop = self._does(f"stop {name}")
        cloud.wait_until_ready = self._does("wait")
        cloud.end_if_changed = self._does("end cloud")
        monkeypatch.setattr(stack, "_parts", lambda _: (cloud, door, sink, stripe))
        monkeypatch.setattr(stack, "is_built", lambda *_: False)
        monkeypatch.setattr(stack, "is_deployed", lambda *_: False)
        monkeypatch.setattr(stack, "stack_outputs", lambda _: {"StripeSecretArn": "arn"})
        monkeypatch.setattr(stack, "client", lambda *_: type("C", (), {"put_secret_value": lambda *_, **__: None})())
        names = ("_check_ports", "_check_files", "build", "deploy", "repair", "lock_invoices", "record_deployment")
        for name in (*names, "forget_deployment", "seed", "keep_stripe_account"):
            monkeypatch.setattr(stack, name, self._does(name))

    def _does(self, name: str) -> Callable[..., None]:
        def do(*_: object, **__: object) -> None:
            self.done.append(name)
            if name == self.failing:
                raise LocalError(name)

        return do


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    return Parts(monkeypatch)


@pytest.mark.parametrize("failing", ["_check_ports", "_check_files", "build", "end cloud"])
def test_what_is_refused_touches_nothing_that_runs(settings: Settings, parts: Parts, failing: str) -> None:
    parts.failing = failing
    with pytest.raises(LocalError, match=failing):
        stack.start(settings, NOW, print)

    assert not [each for each in parts.done if each.startswith(("start", "stop", "deploy", "forget"))]
    assert not ports_file(settings.folder).exists()


def test_a_deployment_that_fails_leaves_the_front_door_and_is_done_again(settings: Settings, parts: Parts) -> None:
    parts.failing = "deploy"
    with pytest.raises(LocalError, match="deploy"):
        stack.start(settings, NOW, print)

    assert parts.done[-3:] == ["forget_deployment", "deploy", "repair"]
    assert "start door" not in parts.done
    assert not [each for each in parts.done if each.startswith("stop")]


def test_the_front_door_is_the_last_to_change(settings: Settings, parts: Parts) -> None:
    stack.start(settings, NOW, print)

    assert parts.done.index("build") < parts.done.index("start sink")
    assert parts.done[-3:] == ["record_deployment", "start door", "seed"]
    assert ports_file(settings.folder).exists()


@pytest.mark.parametrize("failing", ["keep_stripe_account", "stop cloud"])
def test_what_cannot_be_saved_is_not_ended(settings: Settings, parts: Parts, failing: str) -> None:
    parts.failing = failing
    with pytest.raises(LocalError, match=failing):
        stack.stop(settings)

    assert not {"stop door", "stop stripe", "stop sink"} & {*parts.done}


# ---- The commands ----


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout's own folder, in a checkout that is not this one."""
    for name in PORT_DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    (tmp_path / ".aws-sam").mkdir()
    return tmp_path / ".local"


def test_stop_and_clean_work_whatever_has_become_of_the_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(folder, folder / "artefacts", mail_port=free_port(), stripe_port=free_port())
    folder.mkdir()
    parts = (mail_sink(settings), stripe_stand_in(settings))
    for part in parts:
        part.start()
    for file in folder.iterdir():
        if file.is_file():
            file.write_bytes(b"")
    for name in ("ports.json", "ministack.pid", "ministack.json", "front-door.pid"):
        (folder / name).write_bytes(b"")

    assert commands.main(["stop"], folder) == 0
    assert not any(part.process.running() for part in parts)
    assert commands.main(["clean"], folder) == 0
    assert [*folder.parent.iterdir()] == []
    assert "What stays: the tools, in .venv, .venvs and .tools, and uv's cache" in capsys.readouterr().out


def test_a_full_disk_is_said_to_be_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with patch.object(commands, "start", side_effect=FULL):
        assert commands.main(["run"], folder) == 1
    assert capsys.readouterr().err.startswith("The disk is full: /full. Make room, and try again;")


def test_what_clean_cannot_remove_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with patch("shutil.rmtree", side_effect=PermissionError(errno.EACCES, "Permission denied", "/kept")):
        assert commands.main(["clean"], folder) == 1
    assert capsys.readouterr().err == "Permission denied: /kept\n"


def test_only_one_command_at_a_time_and_no_file_is_needed_for_that(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with commands._alone(folder):
        assert [*folder.iterdir()] == []
        assert commands.main(["stop"], folder) == 1
    assert capsys.readouterr().err == "Another make run, stop or clean is under way.\n"
    assert commands.main(["stop"], folder) == 0


# ---- The stand-in for Stripe ----


def test_the_stand_in_says_that_it_cannot_save_and_goes_on(settings: Settings) -> None:
    settings.folder.mkdir()
    stripe = stripe_stand_in(settings)
    try:
        stripe.start()
        account_file(settings).unlink(missing_ok=True)
        account_file(settings).mkdir()  # no file can take its place
        with pytest.raises(LocalError, match="cannot save its account, and goes on"):
            keep_stripe_account(stripe)
        assert stripe.process.running()
        account_file(settings).rmdir()
        keep_stripe_account(stripe)
        assert account_file(settings).is_file()
    finally:
        stripe.stop(by_force=True)
    keep_stripe_account(stripe)


def test_a_damaged_account_at_stripe_is_named_before_anything_starts(settings: Settings) -> None:
    settings.folder.mkdir()
    account_file(settings).touch()
    with pytest.raises(LocalError, match=r"stripe-account\.json is damaged.*Remove it to begin with an empty account"):
        stack._check_files(settings, Cloud.of(settings))


# ---- What is built ----


class Sources:
    """A checkout with a template, a function and a layer, and a `sam` that builds as it would."""

    def __init__(self, root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.settings, self.layers = root, settings, 0
        self.fails = False
        for name in ("template.yaml", "functions/one/app.py", "layers/shared/requirements.txt"):
            self.write(name, "1")
        monkeypatch.setattr(deployment, "ROOT", root)
        monkeypatch.setattr(deployment, "LAYER_SOURCES", root / "layers" / "shared")
        monkeypatch.setattr(deployment, "_sam", self._sam)
        settings.artefacts.mkdir(parents=True)

    def write(self, name: str, content: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, "utf-8")
        return file

    def build(self) -> bool:
        """Whether there was anything to build."""
        sources = deployment.fingerprint()
        if deployment.is_built(self.settings, sources):
            return False
        deployment.build(self.settings, sources)
        return True

    def _sam(self, _: Settings, __: str, ___: object, environment: dict[str, str]) -> None:
        if self.fails:
            raise LocalError("sam build failed")
        built = self.settings.build_folder / deployment.LAYER
        if built.exists():
            shutil.rmtree(built)
        if "LAYER_BUILT" in environment:
            shutil.copytree(environment["LAYER_BUILT"], built)
        else:
            self.layers += 1
            (built / "python").mkdir(parents=True)
            (built / "python" / "module.py").write_text("x = 1", "utf-8")

    def linked(self) -> str:
        return next((self.settings.build_folder / deployment.LAYER).rglob("livello.pth")).read_text("utf-8")


@pytest.fixture
def sources(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Sources:
    return Sources(tmp_path / "checkout", settings, monkeypatch)


def test_the_layer_is_built_when_its_lock_or_its_sources_change_and_only_then(sources: Sources) -> None:
    assert sources.build()
    link = sources.linked()
    new = sources.write("functions/two/app.py", "2")
    assert sources.build()
    new.unlink()
    assert sources.build()
    sources.write("template.yaml", "2")
    assert sources.build()
    assert not sources.build()
    assert sources.layers == 1
    assert sources.linked() == link
    sources.write("layers/shared/requirements.txt", "2")
    assert sources.build()
    assert sources.layers == 2


def test_a_layer_that_is_not_there_any_more_or_of_which_nobody_knows_is_built(sources: Sources) -> None:
    sources.build()
    shutil.rmtree(sources.settings.layers_folder)
    sources.write("functions/one/app.py", "2")
    assert sources.build()
    assert sources.layers == 2
    (sources.settings.artefacts / deployment.LAYER_BUILT).write_bytes(b"")
    (sources.settings.artefacts / deployment.BUILT).write_bytes(b"\xff")
    assert sources.build()
    assert sources.layers == 3


def test_a_build_that_fails_is_done_again(sources: Sources) -> None:
    sources.build()
    sources.write("functions/one/app.py", "2")
    sources.fails = True
    with pytest.raises(LocalError):
        sources.build()
    sources.fails = False
    assert sources.build()
    assert sources.layers == 1


def test_a_link_leads_to_a_layer_in_any_folder(tmp_path: Path) -> None:
    layer = tmp_path / "a b'ü\"" / "layer"
    write_link(layer, tmp_path / "link", "3.13")
    [link] = (tmp_path / "link").rglob("livello.pth")
    path = [*sys.path]
    exec(link.read_text("utf-8"))  # noqa: S102 - as the worker of a function does
    sys.path[:], found = path, sys.path[0]
    assert found == str(layer / "python")
