"""The languages in which Livello writes to customers: each is a folder here, and nothing else (README).

A folder is named by its ISO 639 code. `language.json` in it names the locale by whose rules amounts and dates are
written; `mail/` holds two templates for each kind of mail.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent

LANGUAGES = frozenset(path.parent.name for path in FOLDER.glob("*/language.json"))
"""The codes of the languages."""
