"""Scenarios of reading: the bytes of a file, and the fields and refused lines that come of them."""

import base64
from datetime import date
from decimal import Decimal
from typing import Any

from dashlib.errors import ExportRefused
from dashlib.exports import Export, read_export
from tests.scenarios import Outcome, Scenario


def check(scenario: Scenario) -> Outcome:
    """Compares the listed fields of the records, and the numbers of the lines that are refused."""
    try:
        export = read_export(base64.b64decode(scenario["given"]["bytes_base64"]))
    except ExportRefused as refused:
        return _check_refusal(refused, scenario["expect"])
    found = _differences(export, scenario["expect"])
    return Outcome("failed", "; ".join(found)) if found else Outcome("passed")


def _check_refusal(refused: ExportRefused, expect: dict[str, Any]) -> Outcome:
    """A file of which nothing is left is refused whole."""
    nothing_left = not expect.get("records")
    return Outcome("passed") if nothing_left else Outcome("failed", f"refused: {[f.code for f in refused.faults]}")


def _differences(export: Export, expect: dict[str, Any]) -> list[str]:
    expected = expect.get("records", [])
    came = export.records.rows(named=True)
    rejected = export.rejected["row_number"].to_list()
    must_be_rejected = [error["row_number"] for error in expect["row_errors"]]
    found = [] if rejected == must_be_rejected else [f"rejected lines: {rejected}"]
    if len(came) != len(expected):
        return [*found, f"{len(came)} records"]
    pairs = zip(expected, came, strict=True)
    return found + [f"{name}: {_plain(row[name])!r}" for e, row in pairs for name in e if _plain(row[name]) != e[name]]


def _plain(value: object) -> object:
    """A value as scenarios write it: days and amounts are text."""
    return str(value) if isinstance(value, date | Decimal) else value
