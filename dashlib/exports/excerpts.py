"""Some lines of an export, word for word: its header, its columns, its order and its encoding stay."""

from dataclasses import dataclass

import polars as pl

from dashlib.exports.gate import to_utf8
from dashlib.exports.headers import match_header
from dashlib.exports.lines import Text, find_header
from dashlib.exports.rows import read_rows

# How each encoding that the gate knows is written.
CODECS = {"windows-1252": "cp1252"}


@dataclass(frozen=True, repr=False)
class Claims:
    """An export's lines as they stand there. `rows`: (claims, 4), in file order: row_number i64, the numbers of the
    first and the last physical line, and facture str as exported; lines that add up others are none.
    """

    text: Text
    encoding: str
    rows: pl.DataFrame


def claims_of(data: bytes) -> Claims:
    """The claims of an export that was read before.

    Raises:
        ExportRefused: the file as a whole.
    """
    utf8, encoding = to_utf8(data)
    text = find_header(utf8)
    header, faults = match_header(text)
    rows = read_rows(text, header, faults).filter(pl.col("row_number").is_not_null(), ~pl.col("is_total"))
    return Claims(text, encoding, rows.select("row_number", "line_number", "last_line", "facture"))


def excerpt(claims: Claims, wanted: pl.Series) -> bytes:
    """The export with those claims only whose row numbers are wanted, as its bytes were."""
    import numpy as np

    rows = claims.rows.filter(pl.col("row_number").is_in(wanted.implode()))
    octets = np.frombuffer(claims.text.data, np.uint8)
    ends = np.flatnonzero(octets == ord("\n")) + 1
    if claims.text.is_cut_off:
        ends = np.append(ends, octets.size)
    kept = np.zeros(ends.size + 1, np.int8)
    # A claim can span lines: one is added where it begins and taken away after its end.
    np.add.at(kept, rows["line_number"].to_numpy() - 1, 1)
    np.add.at(kept, rows["last_line"].to_numpy(), -1)
    is_kept = np.cumsum(kept)[:-1] > 0
    is_kept[: claims.text.header_line] = True
    starts = np.append(0, ends[:-1])
    lines = octets[np.repeat(is_kept, ends - starts)].tobytes()
    return _encoded(lines, claims.encoding)


def _encoded(utf8: bytes, encoding: str) -> bytes:
    return utf8 if encoding == "utf-8" else utf8.decode().encode(CODECS.get(encoding, encoding))
