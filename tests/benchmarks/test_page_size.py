"""No screen of the billing page loads more than its limit, and the count misses no file that a browser loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.page_size import LIMIT_BYTES, NotBuilt, first_views
from local.settings import PORTAL


def test_the_first_view_of_every_screen_keeps_its_limit() -> None:
    """docs/browser-tests.md says why. Prints all screens if one is over it."""
    views = first_views(PORTAL)

    assert {"billing", "invoice", "usage", "cancellation"} <= {view.screen for view in views}
    assert {view.screen: view.total_bytes for view in views if view.total_bytes > LIMIT_BYTES} == {}


def test_a_view_has_the_files_of_the_page_the_way_and_the_screen(tmp_path: Path) -> None:
    files = {
        "index.html": '<script src="./assets/index-12345678.js"></script><link href="./theme.css">'
        '<link href="./assets/index-abcdefgh.css"><link href="./logo.svg">',
        "theme.css": "a{}",
        "assets/index-abcdefgh.css": "b{}",
        "assets/index-12345678.js": 'import{a}from"./both-12345678.js";()=>import(`./list-1234567-.js`)',
        "assets/both-12345678.js": "export{}",
        "assets/list-1234567-.js": 'import"./table-12345678.js";()=>import("./one-12345678.js")',
        "assets/table-12345678.js": 'import{b}from "./both-12345678.js";export{}',
        "assets/one-12345678.js": "()=>import(`./list-1234567-.js`)",
        "assets/never-12345678.js": "export{}",
    }
    (tmp_path / "assets").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")

    views = {view.screen: view for view in first_views(tmp_path)}

    assert {screen: view.files for screen, view in views.items()} == {"list": 6, "one": 7}
    assert views["one"].style_bytes == views["list"].style_bytes > 0
    assert views["one"].script_bytes > views["list"].script_bytes


def test_a_page_that_is_not_built_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match="make portal"):
        first_views(tmp_path)
