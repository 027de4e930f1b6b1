"""A file of bank statements: CAMT or MT940, or a zip of several. Says what it is by its content, never by a name."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib

from billing.invoicing.bank_statements.rules import Statement, refused
from billing.kernel.field_codes import FieldCode

FILE_BYTES_MAX = 4 * 1024 * 1024
"""Of the request. Lambda takes 6 MB of it, and base64 makes a third more of bytes."""

UNPACKED_BYTES_MAX = 16 * 1024 * 1024
"""Of all files in a zip together: what was packed is read no further."""

PACKED_FILES_MAX = 50

_NOT_UNPACKED = (
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile raises for a file that was cut off, is of an unknown method, encrypted, damaged, or no zip."""

_ZIP, _XML = b"PK\x03\x04", b"<"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"


def read_statements(content: bytes) -> tuple[Statement, ...]:
    """The statements of a file. Raises RuleViolation, naming the place. The parsers are loaded here, when needed."""
    found: list[Statement] = []
    for file in _files(content):
        found += _read(file, len(found))
    return tuple(found)


def _read(content: bytes, first: int) -> tuple[Statement, ...]:
    begins = content.removeprefix(_BOM).lstrip()[:1]
    if begins == _XML or content.startswith(_UTF16):
        from billing.invoicing.bank_statements.camt import read_camt

        return read_camt(content.removeprefix(_BOM).lstrip() if begins == _XML else content, first)
    if b":20:" in content and b":25:" in content:
        from billing.invoicing.bank_statements.mt940 import read_mt940

        return read_mt940(content, first)
    raise refused(
        (),
        "The file is neither CAMT.053 nor CAMT.052 nor MT940.",
        FieldCode.UNSUPPORTED,
        {"allowed": ["camt.052", "camt.053", "MT940"]},
    )


def _files(content: bytes) -> list[bytes]:
    """The file itself, or those that are packed in it."""
    if not content.startswith(_ZIP):
        return [content]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            entries = [each for each in packed.infolist() if not _is_no_file(each)]
            if len(entries) > PACKED_FILES_MAX:
                detail = f"No more than {PACKED_FILES_MAX} files."
                raise refused((), detail, FieldCode.TOO_MANY, {"max": PACKED_FILES_MAX})
            files, left = [], UNPACKED_BYTES_MAX
            for each in entries:
                with packed.open(each) as file:
                    files.append(file.read(left + 1))
                left -= len(files[-1])
                if left < 0:
                    detail = f"The files must not be larger than {UNPACKED_BYTES_MAX} bytes together."
                    raise refused((), detail, FieldCode.TOO_LARGE, {"max": UNPACKED_BYTES_MAX})
    except _NOT_UNPACKED:
        raise refused(
            (), "The zip cannot be unpacked. Is it complete, and without a password?", FieldCode.MALFORMED
        ) from None
    if any(each.startswith(_ZIP) for each in files):
        raise refused((), "A zip must not be packed in another one.", FieldCode.UNSUPPORTED)
    return files


def _is_no_file(entry: zipfile.ZipInfo) -> bool:
    """Folders, and what macOS adds."""
    name = entry.filename
    return entry.is_dir() or name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")
