"""The examples in README.md and docs/*.md that call the API, run in a shell as printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.demo.companies import COMPANIES
from local.stack import Stack
from tests.docs.examples import Example, examples

CURL = [example for example in examples() if example.is_shell and re.search("^curl", example.text, re.MULTILINE)]
SETTINGS = re.compile("^(API|TOKEN)=.*\\n", re.MULTILINE)
"""What a reader fills in: here it is the address and the token of the stack."""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
@pytest.mark.parametrize("example", CURL, ids=lambda example: example.id)
def test_an_example_works_as_printed(example: Example, stack: Stack, tmp_path: Path) -> None:
    (tmp_path / ".curlrc").write_text("fail-with-body\n", encoding="utf-8")
    token = stack.machine_token() if "/usage" in example.text else stack.admin_token(COMPANIES[0])
    environment = {
        "API": f"{stack.settings.address}/v1",
        "TOKEN": token,
        "CURL_HOME": str(tmp_path),
        "NO_PROXY": "127.0.0.1",
        "PATH": os.environ["PATH"],
    }

    command = ["sh", "-e", "-u", "-c", SETTINGS.sub("", example.text)]
    finished = subprocess.run(command, env=environment, capture_output=True, check=False)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    answer = json.loads(finished.stdout)
    if "/usage" in example.text:
        assert {each["outcome"] for each in answer["results"]} == {"accepted"}
