"""Whether a file is text that can hold an export: bytes in, clean UTF-8 out, or a refusal that says why.

Nothing is guessed: UTF-8 when it is valid, else Windows-1252, and a file that is neither or both is refused.
"""

import codecs
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from dashlib.cards import without_cards
from dashlib.errors import ExportMissing, ExportRefused, Fault
from dashlib.exports.faults import refusal, refuse

BLOCK = 4 * 2**20  # bytes; enough to be fast, and little beside the file

# What a file begins with that is not text.
MAGIC = {b"PK": "Excel, zip", b"\x1f\x8b": "gzip", b"%PDF": "PDF", b"\xd0\xcf\x11\xe0": "Excel 97-2003"}
PAGE = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)

# What French text has in UTF-8 (À to ÿ, œ, quotes, dashes) and nobody writes in Windows-1252, where it reads «Ã©».
FRENCH_UTF8 = re.compile(rb"\xc3[\x80-\xbf]|\xc2[\xa0\xab\xb0\xbb]|\xc5[\x92\x93\xb8]|\xe2\x80[\x90-\xa6\xaf]")


C1 = bytes(range(0x80, 0xA0))


def require_readable(path: Path) -> None:
    """Refuses what is not a file that can be read.

    Raises:
        ExportMissing: there is no such file.
        ExportRefused: it is a folder, a device or a pipe, or it may not be read.
    """
    os.close(_open(path))


def read_bytes(path: Path) -> bytes:
    """The whole file, read once.

    Raises:
        ExportMissing: there is no such file.
        ExportRefused: it cannot be read, or it was being written meanwhile.
    """
    with os.fdopen(_open(path), "rb") as file:
        before = os.fstat(file.fileno())
        try:
            data = file.read()
        except OSError:
            raise ExportRefused("DL-FILE-005", file=shown_name(path)) from None
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns, len(data)) != (after.st_size, after.st_mtime_ns, after.st_size):
        raise ExportRefused("DL-FILE-006", file=shown_name(path))
    return data


def _open(path: Path) -> int:
    try:
        # Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise ExportMissing("DL-FILE-002", file=shown_name(path)) from None
    except (OSError, ValueError):
        raise ExportRefused("DL-FILE-005", file=shown_name(path)) from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise ExportRefused("DL-FILE-003" if stat.S_ISDIR(mode) else "DL-FILE-004", file=shown_name(path))


def shown_name(path: Path) -> str:
    """The name of a file as a message may show it: short, printable, and without a health insurance number."""
    printable = "".join(c if c.isprintable() else "…" for c in path.name or str(path))
    # In a name a number may stand between letters, as «copieTEST80010112b».
    name = re.sub(r"[A-Za-z]{4}[\dxX*]{4}\d{4}", "…", without_cards(printable, "…"))
    return name if len(name) <= 80 else f"{name[:79]}…"


def to_utf8(data: bytes) -> tuple[bytes, str]:
    """The text of the file in UTF-8, without a mark, and the encoding that it came in. Every line ends in a line feed.

    Raises:
        ExportRefused: it is no text, or not in one encoding that we know.
    """
    refuse(refusal("DL-TYPE-001", kind=kind) for magic, kind in MAGIC.items() if data.startswith(magic))
    text, encoding = _decode(data)
    if PAGE.match(text[:1024]):
        refuse([refusal("DL-TYPE-002")])
    if re.search(rb"\S", text) is None:
        refuse([refusal("DL-EMPTY-001")])
    return _with_line_feeds(text), encoding


def _decode(data: bytes) -> tuple[bytes, str]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _from_utf16(data), "utf-16"
    # UTF-16 without its mark has a NUL in almost every character, and some of it would pass as UTF-8.
    start = data[:4096]
    if start.count(0) * 4 > len(start):
        refuse([refusal("DL-ENC-001")])
    marked = data.startswith(codecs.BOM_UTF8)
    text = data[len(codecs.BOM_UTF8) :] if marked else data
    broken_at = _first_not_utf8(text)
    if broken_at is None:
        return text, "utf-8-sig" if marked else "utf-8"
    if marked or _holds_french_utf8(text):
        refuse([_mixed(text, broken_at)])
    return _from_windows(text), "windows-1252"


def _first_not_utf8(text: bytes) -> int | None:
    """The offset of the first byte that is not UTF-8. Block by block, since the decoded text is not kept."""
    view, at = memoryview(text), 0
    try:
        while at < len(view):
            at += codecs.utf_8_decode(view[at : at + BLOCK], "strict", at + BLOCK >= len(view))[1]
    except UnicodeDecodeError as error:
        return at + error.start
    return None


def _holds_french_utf8(text: bytes) -> bool:
    # Bytes are found many times faster than the expression, and these are rare in Windows-1252.
    leads = (b"\xc3", b"\xc2", b"\xc5", b"\xe2\x80")
    return any(lead in text for lead in leads) and FRENCH_UTF8.search(text) is not None


def _mixed(text: bytes, broken_at: int) -> Fault:
    """Names the lines of the encoding that fewer lines have."""
    accented = [(number, line) for number, line in enumerate(text.split(b"\n"), 1) if not line.isascii()]
    other = [number for number, line in accented if _first_not_utf8(line) is not None]
    utf8 = [number for number, line in accented if _first_not_utf8(line) is None]
    return refusal("DL-ENC-004", utf8 if 0 < len(utf8) < len(other) else other, byte=broken_at)


def _from_utf16(data: bytes) -> bytes:
    try:
        return data.decode("utf-16").encode()
    except UnicodeError:
        raise ExportRefused("DL-ENC-001", [refusal("DL-ENC-001")]) from None


def _from_windows(data: bytes) -> bytes:
    try:
        # Latin-1 is Windows-1252 without € ’ œ and their like, and is decoded four times faster.
        blocks = [block.decode("cp1252" if _holds_any(block, C1) else "latin-1").encode() for block in _blocks(data)]
    except UnicodeError:
        raise ExportRefused("DL-ENC-001", [refusal("DL-ENC-001")]) from None
    return b"".join(blocks)


def _holds_any(block: bytes, octets: bytes) -> bool:
    return len(block.translate(None, octets)) < len(block)


def _blocks(data: bytes) -> Iterator[bytes]:
    return (data[at : at + BLOCK] for at in range(0, len(data), BLOCK))


def _with_line_feeds(text: bytes) -> bytes:
    """Old Macintosh files end a line by a carriage return alone; \\r\\n may stay."""
    if b"\r" not in text or text.count(b"\r") == text.count(b"\r\n"):
        return text
    return re.sub(rb"\r(?!\n)", b"\n", text)
