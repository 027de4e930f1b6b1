"""The languages in which Livello writes to customers: each is a folder here, and nothing else (README).

A folder is named by its ISO 639 code. `language.json` in it names the locale by whose rules amounts and dates are
written; `document.json` holds the words of invoices, `words.jinja` what all its mails have in common, `mail/` one
template for each kind of mail. It begins with "Subject: " and is written once: the parts that it is made of exist as
text and as HTML. How a mail looks is no matter of language, and stands beside the folders.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent

LANGUAGES = frozenset(path.parent.name for path in FOLDER.glob("*/language.json"))
"""The codes of the languages."""
