"""Building and deploying template.yaml into the emulated AWS: the real `sam`, the real artefacts."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local.background import tail
from local.cloud import CREDENTIALS, clean_environment, client
from local.linked_layer import link_layer, remove_other_layers
from local.settings import REGION, ROOT, LocalError, Machine, Settings, this_machine

COMMAND_SECONDS_MAX = 600
SAM = ROOT / ".venvs" / "sam" / "bin" / "sam"
LAYER = "Shared"
"""Its name in template.yaml, and so of what is built of it."""

SENDER_ADDRESS = "billing@livello.example"
REPLY_TO_ADDRESS = "support@livello.example"
SELLER = {
    "SellerName": "Livello Demo ApS",
    "SellerAddress": "Demovej 1",
    "SellerPostcode": "1050",
    "SellerCity": "Kobenhavn",
    "SellerCountry": "DK",
    "SellerVatNumber": "DK10000009",
    "SellerIban": "DK5000400440116243",
}
"""Who issues the demonstration's invoices: nobody."""

ARCHIVE_YEARS = 5
"""As in the seller's country."""

STAFF_ADDRESS = "staff@livello.example"

BUILT = "built"
TOOLS = ROOT / ".tools" / "bin"


def fingerprint() -> str:
    """Names all that is built and deployed: the same name, the same artefacts."""
    digest = hashlib.sha256(str(this_machine()).encode())
    folders = (ROOT / "functions", ROOT / "layers" / "shared")
    sources = [each for folder in folders for each in folder.rglob("*") if each.is_file()]
    for file in sorted([ROOT / "template.yaml", *sources]):
        if "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def is_built(settings: Settings, sources: str) -> bool:
    """Whether these sources were the last to be built."""
    record = settings.artefacts / BUILT
    return record.exists() and record.read_text("ascii") == sources


def build(settings: Settings, sources: str) -> None:
    """Builds the layer for this machine's Python and processor. The functions need no build."""
    machine = this_machine()
    record = settings.artefacts / BUILT
    record.unlink(missing_ok=True)
    _sam(settings, "build", ["build", "--build-dir", settings.build_folder, *_parameters(settings, machine)])
    link_layer(settings.build_folder / LAYER, settings.layers_folder, machine.python)
    record.write_text(sources, "ascii")


def is_deployed(settings: Settings, sources: str) -> bool:
    """Whether these sources were the last to be deployed, all the way.

    The emulated AWS itself keeps the record: what it forgets, it forgets together with the stack.
    """
    ssm = client(settings, "ssm")
    try:
        record = ssm.get_parameter(Name=_record_name(settings))["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return False
    return bool(record == _deployed(settings, sources))


def record_deployment(settings: Settings, sources: str) -> None:
    """Keeps what was deployed, once nothing of it is missing."""
    client(settings, "ssm").put_parameter(
        Name=_record_name(settings), Value=_deployed(settings, sources), Type="String", Overwrite=True
    )


def deploy(settings: Settings) -> None:
    """Creates the stack, or changes it to what was built."""
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
    _sam(settings, "deploy", arguments)
    remove_other_layers(settings.layers_folder, settings.build_folder / LAYER)


def lock_invoices(settings: Settings) -> None:
    """Locks the archive as template.yaml says: the emulated CloudFormation leaves that out."""
    s3 = client(settings, "s3")
    bucket = stack_outputs(settings)["InvoiceArchiveName"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})


def stack_outputs(settings: Settings) -> dict[str, str]:
    """What template.yaml hands out, by name."""
    [stack] = client(settings, "cloudformation").describe_stacks(StackName=settings.stack)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def _record_name(settings: Settings) -> str:
    return f"/local/{settings.stack}/deployed"


def _deployed(settings: Settings, sources: str) -> str:
    return f"{sources} for {settings.address} and {settings.stripe_address}"


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
        f"InvoiceArchiveYears={ARCHIVE_YEARS}",
        *(f'{name}="{value}"' for name, value in SELLER.items()),
    ]


def _sam(settings: Settings, name: str, arguments: Sequence[str | Path]) -> None:
    log_file = settings.folder / f"{name}.log"
    with log_file.open("wb") as log:
        try:
            finished = subprocess.run(
                [str(part) for part in (SAM, *arguments)],
                cwd=ROOT,
                env=_environment(settings, this_machine()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LocalError(f"sam {name} took too long.\n{tail(log_file)}") from None
    if finished.returncode:
        raise LocalError(f"sam {name} failed; all of it is in {log_file}.\n{tail(log_file)}")


def _environment(settings: Settings, machine: Machine) -> dict[str, str]:
    """Leads every AWS call to the emulated AWS, and tells layers/shared/Makefile what to build for."""
    return {
        **clean_environment(),
        "AWS_ENDPOINT_URL": settings.cloud_address,
        "AWS_ACCESS_KEY_ID": CREDENTIALS,
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        # The person's own profiles may name other end points.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
        "UV": str(TOOLS / "uv"),
        "PYTHON": sys.executable,
        "LAYER_PYTHON": machine.python,
        "LAYER_PLATFORM": machine.platform,
        "LAYER_COMPILER": sys.executable,
    }
