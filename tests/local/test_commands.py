"""`make run`, `stop` and `clean`: a refused run changes nothing, and stop and clean always work."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from local import __main__ as commands
from local import deployment, stack
from local.background import free_port, wait_until
from local.cloud import Cloud
from local.linked_layer import write_link
from local.mail_sink import mail_sink
from local.settings import PORT_DEFAULTS, ROOT, LocalError, Settings, ports_file
from local.stripe.process import SECRETS, account_file, keep_stripe_account, stripe_stand_in

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/full")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / ".local"
    return Settings(folder, folder / "artefacts", free_port(), free_port(), free_port(), free_port())


class Parts:
    """Fakes for the steps of `make run`, which record their order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[str] = []
        self.failing = ""
        one: Any = type("Part", (), {})
        cloud, door, sink, stripe, vies = (one() for _ in range(5))
        for name, part in (("cloud", cloud), ("door", door), ("sink", sink), ("stripe", stripe), ("vies", vies)):
            part.start = self._does(f"start {name}")
            part.stop = self._does(f"stop {name}")
        cloud.wait_until_ready = self._does("wait")
        cloud.end_if_changed = self._does("end cloud")
        monkeypatch.setattr(stack, "_parts", lambda _: (cloud, door, sink, stripe, vies))
        monkeypatch.setattr(stack, "is_built", lambda *_: False)
        monkeypatch.setattr(stack, "is_deployed", lambda *_: False)
        monkeypatch.setattr(stack, "stack_outputs", lambda _: dict.fromkeys(SECRETS, "arn"))
        monkeypatch.setattr(stack, "client", lambda *_: type("C", (), {"put_secret_value": lambda *_, **__: None})())
        checks = ("_check_ports", "_check_files", "build", "deploy")
        repairs = ("repair", "lock_invoices", "complete_functions", "record_deployment")
        for name in (*checks, *repairs, "forget_deployment", "seed", "keep_stripe_account"):
            monkeypatch.setattr(stack, name, self._does(name))

    def _does(self, name: str) -> Callable[..., None]:
        def do(*_: object, **__: object) -> None:
            self.steps.append(name)
            if name == self.failing:
                raise LocalError(name)

        return do


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    return Parts(monkeypatch)


@pytest.mark.parametrize("failing", ["_check_ports", "_check_files", "build", "end cloud"])
def test_a_run_that_is_refused_leaves_a_running_stack_unchanged(settings: Settings, parts: Parts, failing: str) -> None:
    parts.failing = failing
    with pytest.raises(LocalError, match=failing):
        stack.start(settings, NOW, print)

    assert not [each for each in parts.steps if each.startswith(("start", "stop", "deploy", "forget"))]
    assert not ports_file(settings.folder).exists()


def test_a_deployment_that_fails_leaves_the_front_door_running_and_is_repeated(
    settings: Settings, parts: Parts
) -> None:
    parts.failing = "deploy"
    with pytest.raises(LocalError, match="deploy"):
        stack.start(settings, NOW, print)

    assert parts.steps[-3:] == ["forget_deployment", "deploy", "repair"]
    assert "start door" not in parts.steps
    assert not [each for each in parts.steps if each.startswith("stop")]


def test_the_front_door_is_restarted_last(settings: Settings, parts: Parts) -> None:
    stack.start(settings, NOW, print)

    assert parts.steps.index("build") < parts.steps.index("start sink")
    assert parts.steps[-3:] == ["record_deployment", "start door", "seed"]
    assert ports_file(settings.folder).exists()


@pytest.mark.parametrize("failing", ["keep_stripe_account", "stop cloud"])
def test_a_stack_that_cannot_save_is_not_ended(settings: Settings, parts: Parts, failing: str) -> None:
    parts.failing = failing
    with pytest.raises(LocalError, match=failing):
        stack.stop(settings)

    assert not {"stop door", "stop stripe", "stop sink"} & {*parts.steps}


# ---- The commands ----


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder `.local` of another checkout."""
    for name in PORT_DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    (tmp_path / ".aws-sam").mkdir()
    (tmp_path / "portal" / "dist" / "assets").mkdir(parents=True)
    return tmp_path / ".local"


def test_stop_and_clean_work_with_damaged_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(
        folder, folder / "artefacts", mail_port=free_port(), stripe_port=free_port(), vies_port=free_port()
    )
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
    assert [*folder.parent.rglob("*")] == [folder.parent / "portal"]
    said = capsys.readouterr().out
    assert "What stays: the tools, in .venv, .venvs, .tools and portal/node_modules, and uv's cache" in said


def test_a_full_disk_is_reported_as_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with patch.object(commands, "start", side_effect=FULL):
        assert commands.main(["run"], folder) == 1
    assert capsys.readouterr().err.startswith("The disk is full: /full. Make room, and try again;")


def test_a_file_that_clean_cannot_remove_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with patch("shutil.rmtree", side_effect=PermissionError(errno.EACCES, "Permission denied", "/kept")):
        assert commands.main(["clean"], folder) == 1
    assert capsys.readouterr().err == "Permission denied: /kept\n"


def test_clean_follows_a_link_to_another_disk(folder: Path, tmp_path: Path) -> None:
    state = tmp_path / "disk" / "state"
    state.mkdir(parents=True)
    folder.symlink_to(state)
    assert commands.main(["clean"], folder) == 0
    assert not state.exists()
    assert not folder.is_symlink()


def test_only_one_command_runs_at_a_time_without_a_lock_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with commands._alone(folder):
        assert [*folder.iterdir()] == []
        assert commands.main(["stop"], folder) == 1
    assert capsys.readouterr().err == "Another make run, stop or clean is under way.\n"
    assert commands.main(["stop"], folder) == 0


KILLED_WHILE_SAM_RUNS = """
import os, signal, sys, threading
from pathlib import Path
from local import __main__ as commands, deployment
from local.settings import Settings
folder = Path(sys.argv[1])
deployment.SAM = (sys.executable, "-c", "import sys; print('begun', flush=True); open(sys.argv[1]).read()")
with commands._alone(folder):
    deployment._sam(Settings(folder, folder), "build", [sys.argv[2]], {**os.environ, "HOME": str(folder)})
"""


def test_no_command_runs_beside_a_sam_that_has_survived_its_make_run(folder: Path, tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    os.mkfifo(ends)
    killed = subprocess.Popen([sys.executable, "-c", KILLED_WHILE_SAM_RUNS, str(folder), str(ends)], cwd=ROOT)
    assert wait_until(lambda: (folder / "build.log").exists() and bool((folder / "build.log").read_bytes()), 30)
    killed.kill()
    killed.wait()

    try:
        assert commands.main(["stop"], folder) == 1
    finally:
        ends.open("wb").close()
    assert wait_until(lambda: commands.main(["stop"], folder) == 0, 10)


# ---- The stand-in for Stripe ----


def test_a_stripe_stand_in_that_cannot_save_goes_on(settings: Settings) -> None:
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


def test_a_damaged_stripe_account_file_is_named_before_anything_starts(settings: Settings) -> None:
    settings.folder.mkdir()
    account_file(settings).touch()
    with pytest.raises(LocalError, match=r"stripe-account\.json is damaged.*Remove it to begin with an empty account"):
        stack._check_files(settings, Cloud.of(settings))


# ---- The build ----


class Sources:
    """A checkout with a template, a function and a layer, and a fake `sam build`."""

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
        """Builds if needed, and returns whether it was."""
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


def test_the_layer_is_built_only_when_its_lock_or_its_sources_change(sources: Sources) -> None:
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


def test_a_moved_checkout_is_built_again_with_the_same_layer(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    """The link to the layer is an absolute path."""
    assert sources.build()
    moved = sources.root.rename(sources.root.with_name("moved"))
    monkeypatch.setattr(deployment, "ROOT", moved)
    monkeypatch.setattr(deployment, "LAYER_SOURCES", moved / "layers" / "shared")
    assert sources.build()
    assert sources.layers == 1


def test_a_layer_without_a_folder_or_a_record_is_built_again(sources: Sources) -> None:
    sources.build()
    shutil.rmtree(sources.settings.layers_folder)
    sources.write("functions/one/app.py", "2")
    assert sources.build()
    assert sources.layers == 2
    (sources.settings.artefacts / deployment.LAYER_BUILT).write_bytes(b"")
    (sources.settings.artefacts / deployment.BUILT).write_bytes(b"\xff")
    assert sources.build()
    assert sources.layers == 3


def test_a_build_that_fails_is_repeated(sources: Sources) -> None:
    sources.build()
    sources.write("functions/one/app.py", "2")
    sources.fails = True
    with pytest.raises(LocalError):
        sources.build()
    sources.fails = False
    assert sources.build()
    assert sources.layers == 1


def test_a_linked_layer_works_in_a_folder_with_any_name(tmp_path: Path) -> None:
    layer = tmp_path / "a b'ü\"" / "layer"
    write_link(layer, tmp_path / "link", "3.13")
    [link] = (tmp_path / "link").rglob("livello.pth")
    path = [*sys.path]
    exec(link.read_text("utf-8"))  # noqa: S102 - as a Lambda worker does
    sys.path[:], first = path, sys.path[0]
    assert first == str(layer / "python")
