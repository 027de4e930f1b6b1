"""Explanations of decisions: a stable code with its values, and the sentence for it in a language.

A page may word the code itself. The sentences are in the file `explanations.json` of each language. One with a count
has a form for `one` and one for `other`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache

from billing.languages import FOLDER, LANGUAGES

Value = int | Decimal | str | None

COUNT = "count"
"""The value that chooses between the forms of a sentence."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something is as it is. `code` is `<subject>.<reason>`; `values` are the figures and names of its sentence."""

    code: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def in_words(self, language: str) -> str:
        """The sentence in a language; in English where the language is not supported."""
        words = _words(language if language in LANGUAGES else "en")
        sentence = words.sentences[self.code]
        if not isinstance(sentence, str):
            sentence = sentence["one" if self.values[COUNT] == 1 else "other"]
        return sentence.format(**{name: words.written(value) for name, value in self.values.items()})


@dataclass(frozen=True, slots=True)
class _Words:
    """The sentences of a language by code, and its marks between thousands and before decimals.

    The marks are CLDR's. Babel, which knows them, would be loaded for nothing else.
    """

    group: str
    decimal: str
    sentences: Mapping[str, str | Mapping[str, str]]

    def written(self, value: Value) -> Value:
        if isinstance(value, int | Decimal):
            return f"{value:,}".translate(str.maketrans(",.", self.group + self.decimal))
        return value


def in_words(explanations: tuple[Explanation, ...], language: str) -> str:
    """The sentences of explanations, one after the other."""
    return " ".join(each.in_words(language) for each in explanations)


@cache
def _words(language: str) -> _Words:
    return _Words(**json.loads((FOLDER / language / "explanations.json").read_text(encoding="utf-8")))
