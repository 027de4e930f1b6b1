"""The languages of mail and documents. A language is a folder here; a new one needs no code (docs/operate.md).

The name of a folder is a code of ISO 639. Its files:

* `language.json`: the locale, whose rules format amounts and dates;
* `document.json`: the words of invoices;
* `explanations.json`: the sentences that explain decisions, and the marks in their numbers;
* `words.jinja`: the words that all mails share;
* `mail/`: one template for each kind of mail. It begins with "Subject: ". One template gives both text and HTML,
  because its building blocks exist in both forms.

The layout of a mail does not depend on the language. It is in the files beside the folders.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent

LANGUAGES = frozenset(path.parent.name for path in FOLDER.glob("*/language.json"))
"""The codes of the languages, ISO 639."""
