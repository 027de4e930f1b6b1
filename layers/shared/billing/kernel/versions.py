"""The version of an object that a change names: one, or several of which any may be the present one."""

from __future__ import annotations

Versions = int | frozenset[int]


def includes(named: Versions, present: int) -> bool:
    """Whether the present version is one of those that the change names."""
    return present == named if isinstance(named, int) else present in named
