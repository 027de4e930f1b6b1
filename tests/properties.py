"""How many examples a property is tried with: few in `make test`, many in `make test-deep` and `make test-judges`."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings

PROFILE_VARIABLE = "HYPOTHESIS_PROFILE"
DEEP = "deep"
DEEP_EXAMPLES = 20_000


def register_profiles() -> None:
    """Chooses the profile that the environment names. A property without settings of its own follows it."""
    settings.register_profile(DEEP, max_examples=DEEP_EXAMPLES, deadline=None)
    settings.load_profile(os.environ.get(PROFILE_VARIABLE, "default"))


def examples(few: int, *, deep: int = DEEP_EXAMPLES, **more: Any) -> settings:
    """Settings of a property that costs more than a millisecond: `few` examples, or `deep` in the deep profile.

    Each example may take as long as it needs.
    """
    count = deep if os.environ.get(PROFILE_VARIABLE) == DEEP else few
    return settings(max_examples=count, deadline=None, **more)
