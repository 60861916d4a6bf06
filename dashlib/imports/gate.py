"""Whether a file can be a reference file at all: not too big, whole, and text in one encoding."""

import re
from pathlib import Path

from dashlib.errors import ExportRefused, NotFound, RuleError
from dashlib.exports import require_readable, shown_name
from dashlib.exports.gate import read_bytes, to_utf8
from dashlib.exports.lines import TWICE_ENCODED

# The manual's page is 4 MB and the longest published table 2 MB; ten times as much is a mistake, not a reference.
LIMITS_MIB = {"manual": 40, "rules": 16}
LIMIT_MIB = 24


def read_file(path: Path, kind: str) -> bytes:
    """The bytes of a reference file, read once; one that is too big is not read at all.

    Raises:
        NotFound: DL-FILE-002, there is no such file.
        RuleError: DL-REF-001, it is too big for its kind; DL-FILE-003 to 006, it cannot be read.
    """
    try:
        require_readable(path)
        limit, size = LIMITS_MIB.get(kind, LIMIT_MIB), path.stat().st_size
        if size > limit * 2**20:
            raise RuleError("DL-REF-001", file=shown_name(path), limit=limit, size=-(-size // 2**20))
        return read_bytes(path)
    except ExportRefused as refused:
        error = NotFound if refused.code == "DL-FILE-002" else RuleError
        raise error(refused.code, **refused.facts) from None


def table_text(data: bytes) -> str:
    """The text of a CSV: UTF-8 with or without a mark, UTF-16 with one, else Windows-1252.

    Raises:
        RuleError: DL-TYPE-…, it is no text; DL-ENC-…, its encoding is unknown or mixed; DL-EMPTY-001; DL-REF-002, it
            holds bytes of zero; DL-REF-003, its accents are lost or encoded twice.
    """
    try:
        text = to_utf8(data)[0].decode("utf-8")
    except ExportRefused as refused:
        raise RuleError(refused.code, **refused.facts) from None
    return _sound(text)


def page_text(data: bytes) -> str:
    """The text of a page, in the same encodings.

    Raises:
        RuleError: as table_text.
    """
    if not data.strip():
        raise RuleError("DL-EMPTY-001")
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeError:
        try:
            text = data.decode("cp1252")
        except UnicodeError:
            raise RuleError("DL-ENC-001") from None
    return _sound(text)


def _sound(text: str) -> str:
    for code, sign in (("DL-REF-002", "\0"), ("DL-REF-003", rf"\ufffd|Â«|{TWICE_ENCODED}")):
        if found := re.search(sign, text):
            raise RuleError(code, lines=text.count("\n", 0, found.start()) + 1)
    return text
