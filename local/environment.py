"""The environment of every process that a local Livello starts. An allow-list keeps a person's settings out.

A profile, a proxy, a PYTHONPATH or a PIP_TARGET that helps elsewhere breaks a build here, or leads to the real AWS.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from local.settings import HOST

_PASSED_ON = ("PATH", "TERM", "TZ", "USER", "LOGNAME")

_REGISTRY = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC", "XDG_CONFIG_HOME"),
    *("UV_CACHE_DIR", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
    *("UV_HTTP_TIMEOUT", "UV_INSECURE_HOST", "UV_KEYRING_PROVIDER", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"),
)
"""The package registry. Only the build of the layer gets these variables; the Makefile passes on the same ones."""

_REGISTRY_CREDENTIALS = "UV_INDEX_"

_OURS = {
    # Both are needed: without the locale C.UTF-8 a system falls back to ASCII, and Python then still uses UTF-8.
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONUTF8": "1",
    "PYTHONNOUSERSITE": "1",
    # A person's profiles may name other endpoints, or be malformed.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "BOTO_CONFIG": os.devnull,
    # On macOS, Python finds a proxy in the system's settings as well.
    "NO_PROXY": f"{HOST},localhost",
    "no_proxy": f"{HOST},localhost",
}


def tool_environment(folder: Path) -> dict[str, str]:
    """The environment of a server or a tool. Creates its HOME and its TMPDIR in `folder`. Raises OSError."""
    home, temporary = folder / "home", folder / "tmp"
    for each in (home, temporary):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {**bare_environment(), "HOME": str(home), "TMPDIR": str(temporary)}


def bare_environment() -> dict[str, str]:
    """The same without HOME and TMPDIR, for a process that writes to neither."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    passed_on.setdefault("PATH", os.defpath)
    return {**passed_on, **_OURS}


def registry_environment() -> dict[str, str]:
    """The variables of this process that name the package registry and uv's cache, for the build of the layer."""
    given: Mapping[str, str] = os.environ
    registry = {name: given[name] for name in _REGISTRY if name in given}
    # UV_INDEX_<NAME>_USERNAME and _PASSWORD.
    registry |= {name: value for name, value in given.items() if name.startswith(_REGISTRY_CREDENTIALS)}
    bypassed = ",".join(filter(None, [given.get("NO_PROXY") or given.get("no_proxy"), HOST, "localhost"]))
    return {**registry, "UV_CACHE_DIR": str(uv_cache(given)), "NO_PROXY": bypassed, "no_proxy": bypassed}


def uv_cache(given: Mapping[str, str]) -> Path:
    """The folder of uv's cache. The build gets it by name, because its HOME is not the person's."""
    if given.get("UV_CACHE_DIR"):
        return Path(given["UV_CACHE_DIR"])
    return Path(given.get("XDG_CACHE_HOME") or Path(given.get("HOME") or Path.cwd()) / ".cache") / "uv"


def take_on(environment: Mapping[str, str]) -> None:
    """Replaces the environment of this process, so no library finds anything else in it."""
    os.environ.clear()
    os.environ.update(environment)


def python_module(name: str) -> list[str | Path]:
    """The command that runs a module of this checkout. The working directory must be the checkout."""
    return [sys.executable, "-m", name]
