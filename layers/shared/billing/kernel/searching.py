"""How texts are compared in a search: without regard to case, width and spaces."""

from __future__ import annotations

import unicodedata


def search_text(text: str) -> str:
    """A text as searches compare it: NFKC, case folded, with single spaces (Unicode 3.13, toNFKC_Casefold)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())
