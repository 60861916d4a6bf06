"""Small files full of what goes wrong: ties, absences, masked cards, midnight, ends of months and years, reversals."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl
from hypothesis import strategies as st

from dashlib.engine import find_results
from dashlib.records import prepare
from dashlib.rules import Rule
from dashlib.rules.base import Reference
from tests.oracle.base import Found, Verdict
from tests.tables import REFERENCE, frame, rule

DATES = ("2024-12-31", "2025-01-01", "2025-01-31", "2025-02-28", "2025-03-30", "2025-03-31", "2025-12-31", "2024-02-29")
DOCTORS = ("1999123-00001 | A - Omnipraticien", "1999124 | B", " B ", None)
PATIENTS = ("TEST22510112 - A", "TESTxxxx0112 - A", "TESTxxxx0112 - B", "- A", "TESU45013134", None)
CONTEXTS = ("#G160", "85, AR", "SEANCE_DIFFERENTE", "#")


def usually(value: str | None, *others: str | None) -> st.SearchStrategy[str | None]:
    """Mostly `value`, so that lines meet in groups."""
    return st.sampled_from((*[value] * 2 * len(others), *others))


lines = st.fixed_dictionaries(
    {
        "date_de_service": st.sampled_from(DATES),
        "code": usually("15804", "8857", "08857", "19928", None),
        "doctor": usually("1999123-10456 | A - Omnipraticien", *DOCTORS),
        "patient": usually(*PATIENTS),
        "lieu_de_pratique": usually("54999", "00123", "123", "H2X 1Y4", None),
        "element_de_contexte": usually(None, *CONTEXTS),
        "debut": st.sampled_from((None, "00:00", "09:00", "9:00", "24:00")),
        "unites": st.sampled_from((None, "0", "1", "2", "0.1", "-1")),
        "role": st.sampled_from((None, "1", "1", "2")),
        "montant_preliminaire": st.sampled_from((None, "0.00", "32.40", "32.40", "64.80", "-32.40")),
        "montant_paye": st.sampled_from((None, "0.00", "0.00", "10.00", "10.00", "-10.00")),
    }
)


def files(of: st.SearchStrategy[dict[str, Any]] = lines, *, most: int = 14) -> st.SearchStrategy[pl.DataFrame]:
    """Exported records; some are the line before once more, as mistakes are."""
    written = st.lists(st.one_of(of, of, st.none()), min_size=most // 2, max_size=most) | st.lists(of, max_size=2)
    return written.map(
        lambda rows: [row if row else (rows[at - 1] or {}) if at else {} for at, row in enumerate(rows)]
    ).map(lambda rows: frame([{"row_number": number, **row} for number, row in enumerate(rows, 1)]))


def wheres() -> st.SearchStrategy[dict[str, Any]]:
    """Row filters, most of them empty."""
    parts = st.fixed_dictionaries(
        {},
        optional={
            "places": st.just(["cabinet"]),
            "establishment_prefixes": st.just(["001"]),
            "contexts_any": st.just(["AR", "G160"]),
            "contexts_none": st.just(["85"]),
            "roles": st.just(["1"]),
            "paid": st.sampled_from(("paid", "unpaid")),
            "date_from": st.just(date(2025, 1, 1)),
            "age_min_years": st.just(3),
            "age_max_months": st.just(40),
        },
    )
    return st.one_of(st.just({}), parts)


def several(conditions: st.SearchStrategy[dict[str, Any]], *, most: int = 10) -> st.SearchStrategy[list[Rule]]:
    """Some rules to be compiled together: RULE 0, RULE 1 and so on, all of them warnings."""
    return st.lists(conditions, min_size=1, max_size=most).map(
        lambda drawn: [
            rule(condition, severity="warning").model_copy(update={"name": f"RULE {number}"})
            for number, condition in enumerate(drawn)
        ]
    )


def amid_strangers(
    rules: Sequence[Rule], exported: pl.DataFrame, others: pl.DataFrame, **theirs: str
) -> tuple[list[list[Found]], list[list[Found]]]:
    """What rules find in these lines, last line first with lines of strangers between them, and alone.

    `theirs` are cells by which the strangers' lines differ too, beside doctor and patient.
    """
    cells = {name: pl.lit(text) for name, text in ({"doctor": "Another", "patient": "Another"} | theirs).items()}
    strangers = others.with_columns(pl.col("row_number") * 2 + 1, **cells)
    ours = exported.with_columns(pl.col("row_number") * 2)
    together = judged(rules, pl.concat([ours, strangers]).reverse())
    of_ours = [[found for found in verdict.found if found.row_number % 2 == 0] for verdict in together]
    return of_ours, [verdict.found for verdict in judged(rules, ours)]


def judged(rules: Sequence[Rule], exported: pl.DataFrame, ref: Reference = REFERENCE) -> list[Verdict]:
    """What the engine says by each rule, in the twins' form: severity and amount always told."""
    findings = find_results(prepare(exported), rules, ref)
    skipped = dict(findings.counts.select("rule_id", "skipped").iter_rows())
    found: dict[str, list[Found]] = {rule.name: [] for rule in rules}
    for row in findings.results.iter_rows(named=True):
        found[row["rule_id"]].append(Found(row["row_number"], row["severity"], int(row["amount"] * 100)))
    return [Verdict(found[rule.name], skipped[rule.name]) for rule in rules]


def completed(naive: Verdict, rule: Rule, exported: pl.DataFrame) -> Verdict:
    """A twin's verdict, with the rule's severity and the line's amount where it left them out, by line."""
    amounts = dict(exported.select("row_number", "montant_preliminaire").iter_rows())
    found = [
        Found(
            result.row_number,
            result.severity or rule.severity,
            int((amounts[result.row_number] or 0) * 100) if result.amount is None else result.amount,
        )
        for result in naive.found
    ]
    return Verdict(sorted(found, key=lambda result: result.row_number), naive.skipped)
