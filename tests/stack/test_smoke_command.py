"""`python -m scripts.smoke --local` on the deployed stack: each step runs, and says what it cannot try here."""

from __future__ import annotations

import json

from local.cloud import client
from local.stack import Stack
from scripts.smoke.__main__ import local_world
from scripts.smoke.runner import ELSEWHERE, FAILED, document, run
from scripts.smoke.steps import STEPS
from scripts.smoke.world import Plan

EVENTS = 20


def test_every_step_runs_here_as_far_as_it_goes(stack: Stack) -> None:
    told: list[str] = []
    plan = Plan(stack=stack.settings.stack, stage="local", events=EVENTS)
    world = local_world(stack.settings, lambda service: client(stack.settings, service), plan)

    results = run(STEPS, world, told.append)

    print("\n".join(told))
    assert [(each.number, each.status) for each in results if each.status in {FAILED, ELSEWHERE}] == []
    assert len(results) == len(told) == len(STEPS), "a line for each step, and nothing is left"
    found = " ".join(each for result in results for each in result.found)
    for words in (
        "staff log in with a second factor",
        "by a mailed code",
        f"{EVENTS} events sent twice are counted once",
        "charged once by two messages",
        "a redirect to the PDF can be followed",
        "1 undeliverable address marked",
        "is a letter, is redriven, and is discarded",
        "deleted on its day, with a receipt",
        "an archived invoice cannot be deleted",
    ):
        assert words in found
    assert all(each.request for each in results if each.number in {0, 3, 9})
    text = json.dumps(document(results, world, "commit"))
    assert not [part for part in ("@", "eyJ", "sk_test", "whsec", world.made.admin_token) if part in text]
