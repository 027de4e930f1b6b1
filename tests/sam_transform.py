"""Prints template.yaml as CloudFormation gets it: transformed by SAM itself.

Run by tests/transformed.py with the Python of the cloud environment, which has SAM's translator. Standard input is a
JSON list of runs, each with the file of the template, its parameters, and the time (epoch seconds) that SAM reads for a
deployment's name. Standard output is the JSON list of the transformed templates.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # SAM's translator asks boto3 for it

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

MANAGED = {"AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}


def transformed(text: str, parameters: dict[str, str]) -> Any:
    """The transformed template, with `sam package` done: its artefacts are in a bucket."""
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://artefacts/code"
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = "s3://artefacts/layer"
    return Translator(MANAGED, Parser()).translate(template, parameters)


def main() -> None:
    """Transforms each run of standard input."""
    answers = []
    for run in json.load(sys.stdin):
        time.time = lambda run=run: run["time"]  # type: ignore[misc]
        answers.append(transformed(Path(run["template"]).read_text("utf-8"), run["parameters"]))
    json.dump(answers, sys.stdout)


main()
