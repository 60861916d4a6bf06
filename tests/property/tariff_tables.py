"""Codes tables with what goes wrong in them: several rows of a code, other places and times, doubtful amounts."""

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import strategies as st

from dashlib.rules.base import CODES, Reference
from tests.tables import RUN_DATE

DAYS = (None, None, date(2025, 1, 1), date(2025, 3, 31), date(2025, 12, 30))


def tables(*codes: str, cad: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows of a codes table for these codes and tariffs."""
    row = st.fixed_dictionaries(
        {
            "code": st.sampled_from(codes),
            "place": st.sampled_from(("Cabinet", "Cabinet", "Établissement", "all", None)),
            "tariff_value": st.sampled_from((None, Decimal("1.99"), *map(Decimal, cad))),
            "role": st.sampled_from((None, None, None, "1", "2")),
            "kind": st.sampled_from((None, None, "fee", "supplement", "base_units", "maximum")),
            "valid_from": st.sampled_from(DAYS),
            "valid_to": st.sampled_from(DAYS),
            "trusted": st.sampled_from((None, False, True)),
        }
    )
    return st.lists(row, min_size=1, max_size=6)


def reference(table: list[dict[str, Any]], *, starter: bool) -> Reference:
    codes = pl.DataFrame([dict.fromkeys(CODES) | row for row in table], schema=CODES, orient="row")
    return Reference(RUN_DATE, codes=codes, trusted=frozenset() if starter else frozenset({"codes"}))
