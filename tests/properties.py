"""The number of examples per property: few in `make test`, many in `make test-deep` and `make test-judges`."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings

PROFILE_VARIABLE = "HYPOTHESIS_PROFILE"
DEEP = "deep"
DEEP_EXAMPLES = 20_000


def register_profiles() -> None:
    """Loads the profile that HYPOTHESIS_PROFILE names. It applies to all properties without own settings."""
    settings.register_profile(DEEP, max_examples=DEEP_EXAMPLES, deadline=None)
    settings.load_profile(os.environ.get(PROFILE_VARIABLE, "default"))


def examples(few: int, *, deep: int = DEEP_EXAMPLES, **more: Any) -> settings:
    """Settings of a property that takes more than a millisecond: `few` examples, or `deep` in the deep profile.

    An example has no deadline.
    """
    count = deep if os.environ.get(PROFILE_VARIABLE) == DEEP else few
    return settings(max_examples=count, deadline=None, **more)
