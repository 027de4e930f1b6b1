"""Builds template.yaml and deploys it into the emulated AWS, with the real `sam` and the real artefacts."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.background import tail
from local.cloud import CREDENTIALS, client
from local.environment import registry_environment, tool_environment
from local.linked_layer import link_layer, remove_other_layers, write_link
from local.settings import REGION, ROOT, LocalError, Machine, Settings, this_machine
from local.state_files import write_file, write_json

COMMAND_SECONDS_MAX = 600
SAM = (ROOT / ".venvs" / "sam" / "bin" / "python", "-m", "samcli")
"""Run as a module: the first line of its script cannot hold a path with a space, and a checkout may have one."""

LAYER_SOURCES = ROOT / "layers" / "shared"
LAYER = "Shared"
"""The layer's name in template.yaml, and of its folder in the build."""

SENDER_ADDRESS = "billing@livello.example"
REPLY_TO_ADDRESS = "support@livello.example"
SELLER = {
    "SellerName": "Livello Demo ApS",
    "SellerAddress": "Demovej 1",
    "SellerPostcode": "1050",
    "SellerCity": "Kobenhavn",
    "SellerCountry": "DK",
    "SellerTimeZone": "Europe/Copenhagen",
    "SellerVatNumber": "DK10000009",
    "SellerIban": "DK5000400440116243",
}
"""The demonstration's seller, an invented company."""

ARCHIVE_YEARS = 5
"""The years that the seller's country, Denmark, asks for (docs/operate.md)."""

STAFF_ADDRESS = "staff@livello.example"

BUILT = "built"
LAYER_BUILT = "layer-built"
TOOLS = ROOT / ".tools" / "bin"


def fingerprint() -> str:
    """A digest of the template, the functions and the layer: equal digests give equal artefacts on this machine.

    Includes the checkout's folder, because the link to the layer is an absolute path.
    """
    sources = _digest([ROOT / "template.yaml", *_files(ROOT / "functions"), *_files(LAYER_SOURCES)])
    return hashlib.sha256(sources.encode() + os.fsencode(ROOT.resolve())).hexdigest()


def is_built(settings: Settings, sources: str) -> bool:
    """Whether the last build was of these sources."""
    return _recorded(settings.artefacts / BUILT) == sources


def build(settings: Settings, sources: str) -> None:
    """Builds for this machine's Python and processor. The running stack is not touched. Raises LocalError.

    The layer is built only if its lock or its sources have changed; only that needs the package registry. The functions
    need no build.
    """
    machine, layer_sources = this_machine(), _digest(_files(LAYER_SOURCES))
    record, layer_record = settings.artefacts / BUILT, settings.artefacts / LAYER_BUILT
    built_sources, _, digest = _recorded(layer_record).partition(" ")
    layer = settings.layers_folder / digest if built_sources == layer_sources and digest else None
    link = settings.artefacts / "link"
    shutil.rmtree(link, ignore_errors=True)
    record.unlink(missing_ok=True)
    environment = _environment(settings, machine)
    if layer is not None and layer.is_dir():
        write_link(layer, link, machine.python)
        environment["LAYER_BUILT"] = str(link)
    arguments: list[str | Path] = ["build", "--build-dir", settings.build_folder, *_parameters(settings, machine)]
    _sam(settings, "build", arguments, environment)
    if "LAYER_BUILT" not in environment:
        layer = link_layer(settings.build_folder / LAYER, settings.layers_folder, machine.python)
        write_file(layer_record, f"{layer_sources} {layer.name}".encode())
    write_file(record, sources.encode())


def _files(folder: Path) -> Iterable[Path]:
    return (each for each in folder.rglob("*") if each.is_file() and "__pycache__" not in each.parts)


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256(str(this_machine()).encode())
    for file in sorted(files):
        digest.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _recorded(record: Path) -> str:
    """The record of the last build; empty if there is none or it is damaged, so everything is built again."""
    try:
        return record.read_text("ascii")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def is_deployed(settings: Settings, sources: str) -> bool:
    """Whether the last complete deployment was of these sources. One call of SSM.

    The emulated AWS keeps the record itself, so the record is lost together with the stack.
    """
    ssm = client(settings, "ssm")
    try:
        record = ssm.get_parameter(Name=_record_name(settings))["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return False
    return bool(record == _deployed(settings, sources))


def record_deployment(settings: Settings, sources: str) -> None:
    """Records a complete deployment of these sources."""
    client(settings, "ssm").put_parameter(
        Name=_record_name(settings), Value=_deployed(settings, sources), Type="String", Overwrite=True
    )


def forget_deployment(settings: Settings) -> None:
    """Removes the record before a deployment: one that fails half-way must be repeated, whatever the sources are."""
    client(settings, "ssm").put_parameter(Name=_record_name(settings), Value="none", Type="String", Overwrite=True)


def deploy(settings: Settings) -> None:
    """Creates or updates the stack from the last build. Raises LocalError if it fails."""
    arguments: list[str | Path] = [
        "deploy",
        *("--template-file", settings.build_folder / "template.yaml"),
        *("--stack-name", settings.stack),
        "--resolve-s3",
        *("--capabilities", "CAPABILITY_IAM"),
        "--no-confirm-changeset",
        "--no-fail-on-empty-changeset",
        "--no-progressbar",
        *_parameters(settings, this_machine()),
    ]
    _sam(settings, "deploy", arguments, _environment(settings, this_machine()))
    remove_other_layers(settings.layers_folder, settings.build_folder / LAYER)


def lock_invoices(settings: Settings) -> None:
    """Turns on the archive's versioning and Object Lock, which the emulated CloudFormation ignores in template.yaml."""
    s3 = client(settings, "s3")
    bucket = stack_outputs(settings)["InvoiceArchiveName"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})


def complete_functions(settings: Settings) -> None:
    """Sets what the emulated CloudFormation ignores or mistypes of the functions in template.yaml.

    It ignores the destination of failed invocations: a planner's are dead letters here, at once instead of after two
    more attempts. It passes a queue's concurrency on as a text if a parameter has it, and the emulated Lambda then
    polls no queue at all.
    """
    resources = client(settings, "cloudformation").describe_stack_resources(StackName=settings.stack)["StackResources"]
    ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
    queue = client(settings, "sqs").get_queue_attributes(QueueUrl=ids["DeadLetters"], AttributeNames=["QueueArn"])
    letters = {"OnFailure": {"Destination": queue["Attributes"]["QueueArn"]}}
    functions = client(settings, "lambda")
    for name in ids:
        function, is_config, _ = name.partition("EventInvokeConfig")
        if is_config:
            functions.put_function_event_invoke_config(
                FunctionName=ids[function], MaximumRetryAttempts=0, DestinationConfig=letters
            )
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        if limit := mapping.get("ScalingConfig", {}).get("MaximumConcurrency"):
            functions.update_event_source_mapping(
                UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": int(limit)}
            )


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """The outputs and the parameters of a deployed stack, by name."""

    outputs: dict[str, str]
    parameters: dict[str, str]


def deployed_stack(settings: Settings) -> DeployedStack:
    """The deployed stack. One call of CloudFormation. Raises ClientError if it is not deployed."""
    [stack] = client(settings, "cloudformation").describe_stacks(StackName=settings.stack)["Stacks"]
    return DeployedStack(
        {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])},
        {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])},
    )


def stack_outputs(settings: Settings) -> dict[str, str]:
    """The outputs of the stack, by name. One call of CloudFormation."""
    return deployed_stack(settings).outputs


def _record_name(settings: Settings) -> str:
    return f"/local/{settings.stack}/deployed"


def _deployed(settings: Settings, sources: str) -> str:
    return f"{sources} for {settings.address}, {settings.stripe_address} and {settings.vies_address}"


def _parameters(settings: Settings, machine: Machine) -> list[str]:
    return [
        "--parameter-overrides",
        "Stage=local",
        f"Runtime={machine.runtime}",
        f"Architecture={machine.architecture}",
        f"AllowedOrigin={settings.address}",
        f"SenderAddress={SENDER_ADDRESS}",
        f"ReplyToAddress={REPLY_TO_ADDRESS}",
        f"StaffAddress={STAFF_ADDRESS}",
        f"StripeApiBase={settings.stripe_address}",
        f"ViesApiBase={settings.vies_address}",
        "VatNumberCheck=on",
        # The demonstration's staff log in with a password alone.
        "StaffSecondFactor=off",
        # The demonstration's past is played faster than a schedule fires: no invoice may wait for an answer.
        "UnconfirmedVatNumber=continue",
        f"InvoiceArchiveYears={ARCHIVE_YEARS}",
        *(f'{name}="{value}"' for name, value in SELLER.items()),
    ]


def _sam(settings: Settings, name: str, arguments: Sequence[str | Path], environment: dict[str, str]) -> None:
    log_file = settings.folder / f"{name}.log"
    _never_ask_for_a_newer_version(Path(environment["HOME"]))
    with log_file.open("wb") as log:
        try:
            finished = subprocess.run(
                [str(part) for part in (*SAM, *arguments)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_SECONDS_MAX,
                check=False,
                close_fds=False,  # it inherits the lock of the command, and holds it if the command is killed
            )
        except subprocess.TimeoutExpired:
            raise LocalError(f"sam {name} took too long.\n{tail(log_file)}") from None
    if finished.returncode:
        raise LocalError(f"sam {name} failed; all of it is in {log_file}.\n{tail(log_file)}")


def _never_ask_for_a_newer_version(home: Path) -> None:
    """Turns off SAM's telemetry and version check: its version is pinned, and offline the check takes seconds."""
    (home / ".aws-sam").mkdir(parents=True, exist_ok=True)
    write_json(home / ".aws-sam" / "metadata.json", {"telemetryEnabled": False, "lastVersionCheck": time.time()})


def _environment(settings: Settings, machine: Machine) -> dict[str, str]:
    """The environment of SAM: every AWS call goes to the emulated AWS, and layers/shared/Makefile gets its target."""
    own = tool_environment(settings.folder)
    return {
        **own,
        **registry_environment(),
        "AWS_ENDPOINT_URL": settings.cloud_address,
        "AWS_ACCESS_KEY_ID": CREDENTIALS,
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS,
        "AWS_DEFAULT_REGION": REGION,
        "SAM_CLI_TELEMETRY": "0",
        "PATH": f"{TOOLS}{os.pathsep}{own['PATH']}",
        "UV": "uv",
        "UV_PYTHON_PREFERENCE": "system",
        "PYTHON": sys.executable,
        "LAYER_PYTHON": machine.python,
        "LAYER_PLATFORM": machine.platform,
        "LAYER_COMPILER": sys.executable,
    }
