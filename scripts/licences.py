"""Which licences the layer may ship, and which licence each part of it has.

A package without a licence that can be read, or with one that is not allowed, fails `make check`. Licences are SPDX
expressions (SPDX specification 3, annex "SPDX License Expressions"). Metadata that is vague or wrong is corrected
below, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.message import Message
from importlib.metadata import PackageMetadata
from typing import NamedTuple

from license_expression import AND, OR, ExpressionError, LicenseExpression, get_spdx_licensing

PERMISSIVE = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "Bitstream-Vera",
    "FTL",
    "IJG",
    "ISC",
    "LicenseRef-ICC-Profile",
    "LicenseRef-Public-Domain",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "PSF-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "X11",
    "Zlib",
    "libpng-2.0",
    "libtiff",
}
"""Licences that ask for a notice at most."""

OF_LIBRARIES = {"LGPL-2.1-or-later", "LGPL-3.0-only", "MPL-2.0"}
"""Licences that bind changes to the library, not the work that uses it. Nothing in these libraries is changed; their
source is what the layer has, or is named in the notices; an operator who builds the layer can replace each of them."""

ALLOWED = PERMISSIVE | OF_LIBRARIES


class Correction(NamedTuple):
    """The licence of a package whose metadata does not say it."""

    licence: str
    reason: str


CORRECTIONS: Mapping[str, Correction] = {
    "aws-lambda-powertools": Correction("MIT-0", "The metadata says MIT; the licence file is MIT No Attribution."),
    "babel": Correction(
        "BSD-3-Clause AND Unicode-3.0", "The locales are Unicode's CLDR (locale-data/LICENSE.unicode)."
    ),
    "botocore": Correction(
        "Apache-2.0 AND MIT AND MPL-2.0", "vendored/six.py is under MIT; cacert.pem is Mozilla's list of authorities."
    ),
    "defusedxml": Correction("PSF-2.0", "The metadata says PSFL, which is no SPDX identifier."),
    "factur-x": Correction("BSD-3-Clause", "The metadata has the text of the licence in place of its name."),
    "fonttools": Correction("MIT AND Apache-2.0", "LICENSE.external: cu2qu is Google's, under Apache-2.0."),
    "fpdf2": Correction("LGPL-3.0-only AND LicenseRef-ICC-Profile", "data/color_profiles has a profile of the ICC."),
    "iso4217": Correction("LicenseRef-Public-Domain", "The metadata says Public Domain, which SPDX has no id for."),
    "jinja2": Correction("BSD-3-Clause", "The metadata only says BSD; the licence file has three clauses."),
    "lxml": Correction("BSD-3-Clause AND PSF-2.0", "LICENSES.txt: parts come from CPython's xml.etree and difflib."),
    "python-dateutil": Correction(
        "BSD-3-Clause", "The metadata says Dual License; the licence file puts all of it under BSD, parts also Apache."
    ),
    "python-stdnum": Correction("LGPL-2.1-or-later", "The metadata says LGPL; each source file says 2.1 or later."),
    "stripe": Correction("MIT AND MPL-2.0", "No metadata; ca-certificates.crt is Mozilla's list of authorities."),
}
"""By the name of the package."""


class Bundled(NamedTuple):
    """A library or file inside a package of the layer that is somebody else's work."""

    name: str
    version: str | None
    licence: str
    files: str
    """Which files of the layer it is: a pattern below the folder of packages."""


BUNDLED: Mapping[str, tuple[Bundled, ...]] = {
    "billing": (Bundled("DejaVu Sans Condensed", "2.37", "Bitstream-Vera", "billing/invoicing/documents/fonts/*.ttf"),),
    # Compiled into its modules (LICENSES.txt of the wheel, "Binary wheels").
    "lxml": (
        Bundled("libiconv", None, "LGPL-2.1-or-later", "lxml/etree.*.so"),
        Bundled("libxml2", None, "MIT", "lxml/etree.*.so"),
        Bundled("libxslt and libexslt", None, "MIT", "lxml/etree.*.so"),
        Bundled("zlib", None, "Zlib", "lxml/etree.*.so"),
    ),
    # Libraries of the wheel that its own list leaves out; their texts are in its licence file.
    "pillow": (
        Bundled("brotli", None, "MIT", "pillow.libs/libbrotli*"),
        Bundled("libXau", None, "MIT", "pillow.libs/libXau*"),
        Bundled("libpng", None, "libpng-2.0", "pillow.libs/libpng*"),
        Bundled("xz (liblzma)", None, "0BSD", "pillow.libs/liblzma*"),
        Bundled("zstd", None, "BSD-3-Clause", "pillow.libs/libzstd*"),
    ),
}
"""Parts that no list inside a wheel names, by the package they are in."""

NOT_SHIPPED: Mapping[str, Mapping[str, str]] = {
    "pillow": {
        "FriBiDi": "loaded at run time if a machine has it; Lambda has none",
        "Little CMS 2": "removed by slim.py",
        "libavif": "removed by slim.py",
        "libimagequant": "an option that the published wheels are built without",
        "libwebp": "removed by slim.py",
        "pybind11": "builds Pillow, is no part of it",
    }
}
"""Parts that the list inside a wheel names and that are not in the layer, with the reason."""

_SPDX = get_spdx_licensing()


class Unlicensed(Exception):
    """A package whose licence is unknown or not allowed. Its text is one line for a person."""


def normalised(name: str) -> str:
    """The one spelling of a package's name (PyPA specifications, Names and normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(metadata: PackageMetadata | Message) -> str:
    """The SPDX expression of a package, by its metadata or its correction. Raises Unlicensed if nothing names it."""
    name = normalised(metadata["Name"])
    if name in CORRECTIONS:
        return CORRECTIONS[name].licence
    said = metadata["License-Expression"] or metadata["License"] or ""
    try:
        parsed = _SPDX.parse(said, validate=True)
    except ExpressionError:
        parsed = None
    if parsed is None:
        first = said.strip().partition("\n")[0][:60]
        raise Unlicensed(
            f"{name}: its metadata names no SPDX licence ({first or 'nothing'}). Read its licence file, and add it to "
            "CORRECTIONS in scripts/licences.py."
        )
    return str(parsed)


def require_allowed(name: str, licence: str) -> None:
    """Raises Unlicensed unless every licence that binds us is allowed. Of alternatives one is enough."""
    try:
        parsed = _SPDX.parse(licence)
    except ExpressionError:
        parsed = None
    if parsed is None or not _is_allowed(parsed):
        raise Unlicensed(f"{name}: the licence {licence or '(none)'} is not among those of scripts/licences.py.")


def _is_allowed(expression: LicenseExpression) -> bool:
    if isinstance(expression, AND):
        return all(_is_allowed(each) for each in expression.args)
    if isinstance(expression, OR):
        return any(_is_allowed(each) for each in expression.args)
    return str(expression) in ALLOWED
