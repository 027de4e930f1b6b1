"""The emulated AWS saves its state whole or not at all, while it runs and when it ends, and reports what is lost."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from local import emulator
from local.background import free_port, wait_until
from local.cloud import Cloud, client
from local.emulator import Saver
from local.saves import Saves
from local.settings import LocalError, Settings

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def save(saves: Saves, content: str) -> None:
    unfinished = saves.begin()
    (unfinished / "ssm.json").write_text(content, "utf-8")
    saves.commit(unfinished, 1_790_000_000.0)


def test_the_newest_save_is_restored_and_the_one_before_is_kept(tmp_path: Path) -> None:
    saves, state = Saves(tmp_path / "saves"), tmp_path / "state"
    for content in ('{"n": 1}', '{"n": 2}', '{"n": 3}'):
        save(saves, content)

    restored = saves.restore(state)

    assert restored is not None
    assert f"{restored.at:%Y-%m-%d %H:%M:%S}" == "2026-09-21 14:13:20"
    assert json.loads((state / "ssm.json").read_text("utf-8")) == {"n": 3}
    assert [each.number for each in saves.all()] == [3, 2]


def test_an_unfinished_save_does_not_count_and_is_removed(tmp_path: Path) -> None:
    saves = Saves(tmp_path / "saves")
    save(saves, "{}")
    cut_off = saves.begin()
    (cut_off / "ssm.json").write_text("", "utf-8")

    assert [each.number for each in saves.all()] == [1]
    saves.check()
    saves.begin()
    assert not cut_off.exists()


def test_a_damaged_save_is_named_with_the_remedy(tmp_path: Path) -> None:
    saves = Saves(tmp_path / "saves")
    save(saves, '{"n": 1}')
    save(saves, "")

    with pytest.raises(LocalError, match=r"00000002/ssm\.json is damaged.*Remove the folder .*00000002.*2026-09-21"):
        saves.restore(tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_state_of_an_older_version_stays_until_there_is_a_save(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ssm.json").write_text("{}", "utf-8")

    assert Saves(tmp_path / "saves").restore(tmp_path / "state") is None
    assert (tmp_path / "state" / "ssm.json").exists()


class Service:
    """A service of ministack with some state."""

    def __init__(self) -> None:
        self.state: Any = {"n": 1}

    def states(self) -> dict[str, Any]:
        return {"ssm": lambda: self.state, "broken": lambda: None}


@pytest.fixture
def saver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Saver, Service, Saves]]:
    persistence = SimpleNamespace(_state_format_version=lambda _: 2, _json_default=str)
    core = SimpleNamespace(persistence=persistence)
    service, saves = Service(), Saves(tmp_path / "saves")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "broken.json").write_text('{"kept": true}', "utf-8")
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    modules = {
        "ministack": SimpleNamespace(core=core),
        "ministack.core": core,
        "ministack.core.persistence": persistence,
    }
    with patch.dict("sys.modules", modules):
        yield Saver(saves, SimpleNamespace(_build_persistence_save_dict=service.states)), service, saves


def saved(saves: Saves) -> Any:
    newest = saves.newest()
    assert newest is not None
    return json.loads((newest.folder / "ssm.json").read_text("utf-8"))["payload"]


def test_a_save_keeps_the_earlier_state_of_a_service_that_cannot_be_loaded(
    saver: tuple[Saver, Service, Saves],
) -> None:
    saver[0].save_now()

    assert saved(saver[2]) == {"n": 1}
    newest = saver[2].newest()
    assert newest is not None
    assert json.loads((newest.folder / "broken.json").read_text("utf-8")) == {"kept": True}


@pytest.mark.parametrize("function", ["pathlib.Path.write_text", "os.fsync", "pathlib.Path.rename", "shutil.copy2"])
def test_a_full_disk_leaves_the_earlier_save(saver: tuple[Saver, Service, Saves], function: str) -> None:
    one, service, saves = saver
    one.save_now()
    service.state = {"n": 2}
    with patch(function, side_effect=FULL), pytest.raises(OSError, match="No space left"):
        one.save_now()

    assert saved(saves) == {"n": 1}
    assert one.changed
    assert [each.name for each in saves.folder.iterdir()] == ["00000001"]
    one.save_now()
    assert saved(saves) == {"n": 2}


def test_a_periodic_save_is_repeated_until_the_disk_has_room(
    saver: tuple[Saver, Service, Saves], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, service, saves = saver
    monkeypatch.setattr(emulator, "SAVE_SECONDS", 0.01)

    async def run() -> None:
        task = asyncio.create_task(one.save_periodically())
        while saves.newest() is None:
            await asyncio.sleep(0.01)
        service.state, one.changed = {"n": 2}, True
        with patch("pathlib.Path.rename", side_effect=FULL):
            await asyncio.sleep(0.1)
            assert saved(saves) == {"n": 1}
        while saved(saves) != {"n": 2}:
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(asyncio.wait_for(run(), 20))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path, tmp_path, cloud_port=free_port(), front_door_port=free_port())


def test_a_killed_emulator_comes_back_from_its_last_save_and_says_so(settings: Settings) -> None:
    messages: list[str] = []
    cloud = Cloud.of(settings)
    try:
        cloud.start(messages.append)
        cloud.wait_until_ready()
        put(settings, "first")
        cloud.stop()
        cloud.start(messages.append)
        cloud.wait_until_ready()
        assert messages == []
        assert names(settings) == {"first"}
        put(settings, "second")
        os.kill(int(cloud.process.pid_file.read_text("ascii")), signal.SIGKILL)
        assert wait_until(lambda: not cloud.process.running(), 10)
        cloud.start(messages.append)
        cloud.wait_until_ready()
        assert names(settings) == {"first"}
        [line] = messages
        newest = cloud.saves.newest()
        assert newest is not None
        assert "was not ended by make stop" in line
        assert " UTC; what followed is lost" in line
    finally:
        cloud.stop(by_force=True)


def test_an_emulator_that_cannot_save_is_not_ended(settings: Settings) -> None:
    cloud = Cloud.of(settings)
    try:
        cloud.start()
        cloud.wait_until_ready()
        put(settings, "first")
        cloud.saves.folder.write_text("no folder can be made here", "utf-8")
        with pytest.raises(LocalError, match=r"cannot save its state, so it goes on: .*saves"):
            cloud.stop()
        assert cloud.process.running()
        assert names(settings) == {"first"}
        cloud.saves.folder.unlink()
        cloud.stop()
        assert not cloud.process.running()
        assert cloud.saves.newest() is not None
    finally:
        cloud.stop(by_force=True)


def put(settings: Settings, name: str) -> None:
    client(settings, "ssm").put_parameter(Name=name, Value="x", Type="String")


def names(settings: Settings) -> set[str]:
    return {each["Name"] for each in client(settings, "ssm").describe_parameters()["Parameters"]}


@pytest.mark.parametrize("content", ["{}", '{"payload": null}', '{"payload": []}'])
def test_a_save_without_a_payload_is_named_with_its_remedy(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "00000001"
    folder.mkdir()
    (folder / "lambda.json").write_text(content, "utf-8")
    with pytest.raises(LocalError, match=r"lambda\.json is damaged.*Remove the folder"):
        Saves(tmp_path).check()
