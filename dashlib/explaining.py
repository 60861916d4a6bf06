"""Why a rule said what it said: its own words and source, the lines that it counted, the arithmetic, the versions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib import messages, reference
from dashlib.acknowledgements import set_aside_now
from dashlib.errors import NotFound
from dashlib.kept import has_kept_lines, kept_lines
from dashlib.results import FILE, read_results, why_rejected
from dashlib.rules.base import LINE_FACTS, RELATED_LINES
from dashlib.schema import Code, ResultAcknowledgement, RuleEntry, RuleVersion, ValidationResult, ValidationRun
from dashlib.workbench import Workbench

RESULTS, ASIDE = ValidationResult, ResultAcknowledgement
LINE = (
    *("row_number", "date_de_service", "debut", "fin", "code", "element_de_contexte", "unites", "role"),
    *("montant_preliminaire", "montant_paye", "lieu_de_pratique", "facture", "doctor", "patient"),
)
TARIFF = (
    *("place", "role", "kind", "tariff_value", "valid_from", "valid_to", "leaf", "description", "source", "trusted"),
)
SHEET = ("name", "version", "category", "severity", "source", "confidence", "valid_from", "valid_to", "condition")


@dataclass(frozen=True)
class Why:
    """All that stands behind a result; identities are pseudonyms, money is CAD.

    `result`: as `run.results` has it. `words`: what its sentences are made from; of them `facts` are the arithmetic.
    `rule`: the rule as it judged, as it is written (None for a line that could not be read); `version_today` is that
    in force when it is another, 0 when there is none. `lines`: (lines, LINE), the reported line first, then those
    counted with it; empty when `kept` is false: they were cleared. `capped`: so many were counted that not all are
    named. `tariffs`: (tariffs, TARIFF), those of the code on the day of the service, as they stand today;
    `reference_changed` when the run was judged by other tables. `set_aside`: reason, until, author, at, and the note
    for the run's owner; None where the result is open.
    """

    result: dict[str, Any]
    words: dict[str, str]
    rule: dict[str, Any] | None
    version_today: int | None
    lines: pl.DataFrame
    kept: bool
    capped: bool
    tariffs: pl.DataFrame
    reference_changed: bool
    set_aside: dict[str, Any] | None

    @property
    def facts(self) -> dict[str, str]:
        """What the rule counted, and against what."""
        return {word: fact for word, fact in self.words.items() if word not in LINE_FACTS}

    def said(self, text: Literal["label", "solution"], lang: str = "fr") -> str | None:
        """What the rule calls itself, or what it advises, with what it counted; None where it says nothing."""
        templates: dict[str, str] = (self.rule or {}).get(text) or {}
        template = templates.get(lang) or next(iter(templates.values()), None)
        return template and messages.filled(template, self.words | {"doctor": self.result["doctor"]}, lang)

    def as_dict(self, lang: str = "fr") -> dict[str, Any]:
        """For another program: every key is there, null where there is nothing."""
        says = {"label": self.said("label", lang), "solution": self.said("solution", lang)}
        rule = self.rule and {name: self.rule.get(name) for name in SHEET} | says
        return {
            "result": self.result,
            "facts": self.facts,
            "rule": rule,
            "version_today": self.version_today,
            "lines": self.lines.to_dicts(),
            "kept": self.kept,
            "capped": self.capped,
            "tariffs": self.tariffs.to_dicts(),
            "reference_changed": self.reference_changed,
            "set_aside": self.set_aside,
        }


def explain(wb: Workbench, run_id: UUID, number: int, lang: str = "fr") -> Why:
    """What stands behind the result of this number in a run.

    Raises:
        NotFound: DL-WHY-404, the run has no such result.
    """
    found = read_results(wb, run_id, where=[RESULTS.number == number])
    if found.is_empty():
        raise NotFound("DL-WHY-404", number=number)
    result = found.row(0, named=True)
    details: dict[str, Any] = json.loads(result.pop("details") or "{}")
    of_file = result["category"] == FILE
    rule, today = (None, None) if of_file else _versions(wb, result["rule_id"], result["rule_version"])
    result["message"] = _message(result, rule, details, lang)
    related: list[int] = result["related"] or []
    return Why(
        result=result,
        words={} if of_file else {word: str(fact) for word, fact in details.items() if fact is not None},
        rule=rule,
        version_today=today,
        lines=_lines(wb, run_id, [result["row_number"], *related]),
        kept=has_kept_lines(wb, run_id),
        capped=len(related) >= RELATED_LINES,
        tariffs=_tariffs(wb, result["code"], result["date_service"]),
        reference_changed=_reference_version(wb, run_id) != reference.reference_version(wb),
        set_aside=_set_aside(wb, run_id, number),
    )


def _message(result: dict[str, Any], rule: dict[str, Any] | None, details: dict[str, Any], lang: str) -> str:
    """The sentence in `lang`, by the words of the rule as it judged; the one that was kept where it has no other."""
    if result["category"] == FILE:
        return why_rejected(result["rule_id"], json.dumps(details), lang)
    template = ((rule or {}).get("message") or {}).get(lang)
    return str(result["message"]) if lang == "fr" or template is None else messages.filled(template, details, lang)


def _versions(wb: Workbench, name: str, version: int) -> tuple[dict[str, Any] | None, int | None]:
    """The rule as it was written in this version, and the version of today where it is another."""
    then = sa.select(RuleVersion.rule).where(RuleVersion.name == name, RuleVersion.version == version)
    now = sa.select(RuleEntry.version).where(RuleEntry.name == name, RuleEntry.active.is_(True))
    with wb.database.connect() as connection:
        rule, today = connection.scalar(then), connection.scalar(now)
    return rule, None if today == version else today or 0


def _lines(wb: Workbench, run_id: UUID, rows: Sequence[int | None]) -> pl.DataFrame:
    """The lines of these numbers, in the order of `rows`' first and then of the file."""
    wanted = [row for row in rows if row is not None]
    lines = kept_lines(wb, run_id, rows=wanted).select(LINE)
    lines = lines.with_columns(pl.col("unites").cast(pl.String).str.strip_suffix(".0"))
    first = pl.col("row_number") != (wanted[0] if wanted else -1)
    return wb.pseudonyms.redacted(lines.sort(first, "row_number"))


def _tariffs(wb: Workbench, code: str | None, day: date | None) -> pl.DataFrame:
    """The tariffs of a code that hold on a day."""
    columns = [Code.__table__.c[name] for name in TARIFF]
    served = sa.literal(day, sa.Date)
    query = (
        sa.select(*columns)
        .where(Code.code == code, Code.active.is_(True))
        .where(sa.or_(Code.valid_from.is_(None), Code.valid_from <= served))
        .where(sa.or_(Code.valid_to.is_(None), Code.valid_to >= served))
        .order_by(Code.place, Code.role, Code.kind, Code.tariff_value)
    )
    return wb.frame(query)


def _reference_version(wb: Workbench, run_id: UUID) -> str | None:
    with wb.database.connect() as connection:
        return connection.scalar(sa.select(ValidationRun.reference_version).where(ValidationRun.id == run_id))


def _set_aside(wb: Workbench, run_id: UUID, number: int) -> dict[str, Any] | None:
    """Why and by whom the result is set aside; the note is a person's own words, and only for the run's owner."""
    note = sa.case((ValidationRun.user_id == wb.viewer.id, ASIDE.note))
    query = (
        sa.select(ASIDE.reason, ASIDE.until, ASIDE.author, ASIDE.created_at.label("at"), note.label("note"))
        .select_from(RESULTS)
        .join(ValidationRun, ValidationRun.id == RESULTS.validation_run_id)
        .join(ASIDE, set_aside_now())
        .where(RESULTS.validation_run_id == run_id, RESULTS.number == number)
    )
    with wb.database.connect() as connection:
        found = connection.execute(query).mappings().one_or_none()
    return dict(found) if found else None
