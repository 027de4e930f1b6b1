"""The steps in order. Number 0 changes nothing."""

from __future__ import annotations

from scripts.smoke import before, deployment, end, faults, files, mail, money, people, removal
from scripts.smoke.world import Step

STEPS = (
    Step(0, "before", changes=False, checks=before.CHECKS),
    Step(1, "deploy", changes=True, checks=deployment.ONE),
    Step(2, "origin", changes=True, checks=deployment.TWO),
    Step(3, "people", changes=True, checks=people.CHECKS),
    Step(4, "money", changes=True, checks=money.CHECKS),
    Step(5, "files", changes=True, checks=files.CHECKS),
    Step(6, "mail", changes=True, checks=mail.CHECKS),
    Step(7, "faults", changes=True, checks=faults.CHECKS),
    Step(8, "end", changes=True, checks=end.CHECKS),
    Step(9, "remove", changes=True, checks=removal.CHECKS),
)

REMOVE = (Step(9, "remove", changes=True, checks=(removal.removed,)),)
"""What --remove runs."""
