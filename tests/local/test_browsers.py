"""The browser tests take the first browser that is there, and fetch one only if there is none."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser import browsers
from tests.browser.browsers import NoBrowser, find


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a program in the folder of the test."""

    def make(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
        return path

    return make


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a browser, Linux on x86-64. Its npm fetches nothing."""
    monkeypatch.delenv("LIVELLO_BROWSER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(browsers, "OF_MACOS", ())
    monkeypatch.setattr(browsers, "FETCHED", tmp_path / "fetched")
    monkeypatch.setattr(browsers, "_package_of_node", lambda: tmp_path / "node")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


def npm(
    monkeypatch: pytest.MonkeyPatch, *, half: bool = False, meanwhile: Callable[[], None] = lambda: None
) -> list[int]:
    """An npm and a Node that fetch and unpack a browser. The list has an entry for each time it is fetched."""
    fetched: list[int] = []

    def node(*arguments: str | Path) -> None:
        if "ci" in arguments:
            fetched.append(1)
            packed = Path(arguments[-1]) / "node_modules" / "@sparticuz" / "chromium" / "bin"
            packed.mkdir(parents=True)
            (packed / "chromium.br").touch()
            meanwhile()
        elif half:
            raise subprocess.CalledProcessError(1, "node", stderr="Error: no space left on device\n")
        else:
            Path(arguments[-1]).touch()

    monkeypatch.setattr(browsers, "_node", node)
    return fetched


def test_the_named_browser_is_before_all_others(
    program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    program("bin/chromium")
    monkeypatch.setenv("LIVELLO_BROWSER", str(program("mine")))

    assert find().path == program("mine")


def test_a_named_browser_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVELLO_BROWSER", str(tmp_path))

    with pytest.raises(NoBrowser, match=r"LIVELLO_BROWSER is .*, which is no program"):
        find()


def test_a_browser_on_path_then_of_macos_then_of_playwright(
    program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = "home/.cache/ms-playwright"
    program(f"{cache}/chromium_headless_shell-1200/chrome-linux/headless_shell")
    assert find().path.name == "headless_shell"
    program(f"{cache}/chromium-1217/chrome-linux64/chrome")
    program(f"{cache}/chromium-1208/chrome-linux64/chrome")
    (program(f"{cache}/chromium-1255/chrome-linux64/chrome")).chmod(0o644)
    assert find().path.parts[-3:] == ("chromium-1217", "chrome-linux64", "chrome")
    monkeypatch.setattr(browsers, "OF_MACOS", (program("Chromium.app/Chromium"),))
    assert find().path == program("Chromium.app/Chromium")
    assert find().environment == {}
    program("bin/google-chrome")
    assert find().path == Path(str(shutil.which("google-chrome")))


def test_without_one_it_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = npm(monkeypatch)

    found = find()

    assert found == find()
    assert len(fetched) == 1
    assert found.path.stat().st_mode & 0o111
    folder = found.path.parent
    assert folder.parent == tmp_path / "fetched"
    assert [*folder.parent.iterdir()] == [folder]
    assert found.environment == {
        "LD_LIBRARY_PATH": str(folder / "al2023" / "lib"),
        "FONTCONFIG_PATH": str(folder / "fonts"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }


def test_a_browser_that_is_half_unpacked_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm(monkeypatch, half=True)

    with pytest.raises(NoBrowser, match=r"^No browser: apt-get install chromium.*no space left on device$"):
        find()

    assert [*(tmp_path / "fetched").iterdir()] == []


def test_two_runs_that_fetch_at_once_share_the_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def another_run() -> None:
        npm(monkeypatch)
        others.append(find().path)

    others: list[Path] = []
    npm(monkeypatch, meanwhile=another_run)

    assert [find().path] == others


def test_another_machine_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = npm(monkeypatch)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")

    with pytest.raises(NoBrowser, match=r"^No browser: apt-get install chromium, or LIVELLO_BROWSER=/path"):
        find()
    assert fetched == []
