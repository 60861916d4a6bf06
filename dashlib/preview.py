"""What a change of a rule would do: the kept lines judged by the rule as it is and as it would be. Nothing is saved.

Each doctor's day is taken from the newest run that holds it, as dashboards take it, so that overlapping exports count
once; and each run is judged whole, as it was, so that a rule of the year or of the patient sees what it saw.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib import engine, kept, messages, reference, rulebook, texts
from dashlib.records import prepare
from dashlib.rollups import totals
from dashlib.rules import Rule
from dashlib.schema import RollupDay, ValidationRun
from dashlib.workbench import Workbench

DAYS = 90
STATES = ("gained", "lost", "common")
MONEY = ("at_risk", "to_repay", "gain")
SEVERITIES = ("error", "warning", "info")
_SAME = ["rule_id", "row_number", "nth"]
_SHOWN = (
    *("state", "rule_id", "severity", "row_number", "date_service", "invoice", "code", "amount", "doctor", "patient"),
    "message",
)
RESULTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "run": pl.Int64,
    **dict.fromkeys(_SHOWN, pl.String),
    "row_number": pl.Int64,
    "date_service": pl.Date,
    "amount": pl.Decimal(38, 2),
}


@dataclass(frozen=True)
class Preview:
    """What would be gained and lost by a change, over the `days` that end with `until`.

    `days_kept` of them have lines to judge, `days_cleared` had some that were cleared; the others never had any.
    `results`: (results, 12) state str (gained, lost or common), run, rule_id, severity, row_number, date_service,
    invoice, code, amount in CAD, doctor and patient as pseudonyms, message; of the changed rule and of those whose
    results hang on it. `figures`: (2, 8) moment str (before, after), results, error, warning, info i64, at_risk,
    to_repay, gain in CAD: what these rules alone report, each line once.
    """

    before: Rule
    after: Rule
    days: int
    until: date
    days_kept: int
    days_cleared: int
    runs: int
    lines: int
    results: pl.DataFrame
    figures: pl.DataFrame

    @property
    def since(self) -> date:
        return self.until - timedelta(days=self.days - 1)

    def counts(self) -> dict[str, int]:
        """Results gained, lost and common."""
        return {state: int((self.results["state"] == state).sum()) for state in STATES}

    def by_rule(self) -> pl.DataFrame:
        """The same of each rule: (rules, 4) rule_id str; gained, lost, common i64; the changed rule first."""
        counts = (pl.col("state").filter(state=state).len().cast(pl.Int64).alias(state) for state in STATES)
        return self.results.group_by("rule_id").agg(*counts).sort(pl.col("rule_id") != self.before.name, "rule_id")

    def examples(self, of_each: int = 5) -> pl.DataFrame:
        """The first results of each kind, those with the most money first."""
        order = pl.col("state").replace_strict({state: n for n, state in enumerate(STATES)}, return_dtype=pl.Int8)
        ranked = self.results.sort(order, -pl.col("amount").abs(), "run", "row_number", maintain_order=True)
        return ranked.filter(pl.int_range(pl.len()).over("state") < of_each)

    def as_dict(self, of_each: int = 5) -> dict[str, Any]:
        """For another program."""
        moments = {row.pop("moment"): row for row in self.figures.to_dicts()}
        return {
            "rule": self.before.name,
            "version": self.before.version,
            "saved": False,
            "days": self.days,
            "since": self.since,
            "until": self.until,
            "days_kept": self.days_kept,
            "days_cleared": self.days_cleared,
            "runs": self.runs,
            "lines": self.lines,
            **self.counts(),
            "by_rule": self.by_rule().to_dicts(),
            **moments,
            "examples": self.examples(of_each).to_dicts(),
        }


def preview(wb: Workbench, before: Rule, after: Rule, *, days: int = DAYS, lang: str = "fr") -> Preview:
    """Judges what is kept of the last `days` by the rule as it is and as it would be; the days end with the last held.

    Args:
        before: the rule in force.
        after: the same rule, changed; not saved.
        lang: of the messages.

    Raises:
        RuleError: DL-RULE-001, `after` names codes, contexts or rules that nobody knows.
    """
    rulebook.require_known(wb, [after])
    cells = _newest_days(wb, days)
    book = {rule.name: rule for rule in reference.rules_in_force(wb)}
    old, new = (_touched({**book, before.name: rule}, (before, after)) for rule in (before, after))
    judged = [part for part in _by_run(wb, cells, old, new, lang) if part is not None]
    has_lines = {part.run for part in judged}
    dated = cells.group_by("date_de_service").agg(kept=pl.col("run").is_in(has_lines).any())
    empty = pl.DataFrame(schema=RESULTS)
    return Preview(
        before,
        after,
        days,
        until=max(cells["date_de_service"], default=datetime.now(texts.TORONTO).date()),
        days_kept=int(dated["kept"].sum()),
        days_cleared=int((~dated["kept"]).sum()),
        runs=len(judged),
        lines=sum(part.lines for part in judged),
        results=pl.concat([empty, *(part.results for part in judged)]),
        figures=_summed(part.figures for part in judged),
    )


@dataclass(frozen=True)
class _Judged:
    run: int
    lines: int
    results: pl.DataFrame
    figures: pl.DataFrame


def _newest_days(wb: Workbench, days: int) -> pl.DataFrame:
    """(doctors' days, 5) date_de_service, doctor, run, id, run_date: of the viewer's newest run that holds each."""
    day, run = RollupDay, ValidationRun
    nth = sa.func.row_number().over(partition_by=(day.doctor, day.date_de_service), order_by=run.number.desc())
    ranked = (
        sa.select(day.date_de_service, day.doctor, run.number.label("run"), run.id, run.run_date, nth.label("nth"))
        .join(run, run.id == day.validation_run_id)
        .where(run.status == "completed", run.user_id == wb.viewer.id)
        # A date that a rule reports as lying in the future is not what the days are counted back from.
        .where(sa.or_(run.run_date.is_(None), day.date_de_service <= run.run_date))
        .subquery()
    )
    last = sa.select(sa.func.max(ranked.c.date_de_service)).scalar_subquery()
    columns = [ranked.c[name] for name in ("date_de_service", "doctor", "run", "id", "run_date")]
    return wb.frame(
        sa.select(*columns).where(ranked.c.nth == 1, ranked.c.date_de_service > last - days).order_by(ranked.c.run)
    )


def _touched(book: dict[str, Rule], changed: Sequence[Rule]) -> tuple[list[Rule], set[str]]:
    """Rules to judge, and the names of those whose results the change can touch.

    A rule hangs on those that it names: it is silent where they speak, or speaks of what they report.
    """
    names = {rule.name: _named_by(rule) for rule in book.values()}
    touched = {changed[0].name}
    while more := {name for name, named in names.items() if named & touched} - touched:
        touched |= more
    needed = set(touched)
    while more := {other for name in needed for other in names.get(name, set())} - needed:
        needed |= more
    return [book[name] for name in sorted(needed & book.keys())], touched


def _named_by(rule: Rule) -> set[str]:
    other = getattr(rule.condition, "rule", None)
    return set(rule.condition.unless_rules) | ({other} if isinstance(other, str) else set())


type Rules = tuple[list[Rule], set[str]]


def _by_run(wb: Workbench, cells: pl.DataFrame, old: Rules, new: Rules, lang: str) -> Iterator[_Judged | None]:
    for (run, run_id, run_date), days in cells.partition_by("run", "id", "run_date", as_dict=True).items():
        exported = kept.kept_lines(wb, UUID(str(run_id)))
        if exported.height:
            ref = reference.load(wb, run_date or max(days["date_de_service"]))
            yield _judge(wb, prepare(exported), days, (old, new), ref, lang, int(run))


def _judge(
    wb: Workbench, lines: pl.DataFrame, days: pl.DataFrame, moments: tuple[Rules, Rules], ref: Any, lang: str, run: int
) -> _Judged:
    counted = _of_days(wb, lines, days)
    found = [_results(lines, counted, rules, touched, ref) for rules, touched in moments]
    said = [_said(wb, results, counted, rules, lang) for results, (rules, _) in zip(found, moments, strict=True)]
    results = wb.pseudonyms.redacted(_compared(*said)).with_columns(run=pl.lit(run, pl.Int64))
    figures = pl.concat(_figures(counted, part, name) for part, name in zip(found, ("before", "after"), strict=True))
    return _Judged(run, counted.height, results.select(pl.col(n).cast(t) for n, t in RESULTS.items()), figures)


def _of_days(wb: Workbench, lines: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """The lines of these doctors' days, which are known by pseudonym."""
    doctor = wb.pseudonyms.doctors(lines["doctor"]).fill_null("")
    wanted = days.select("date_de_service", pseudonym="doctor")
    return lines.with_columns(pseudonym=doctor).join(wanted, on=["date_de_service", "pseudonym"], how="semi")


def _results(
    lines: pl.DataFrame, counted: pl.DataFrame, rules: list[Rule], touched: set[str], ref: Any
) -> pl.DataFrame:
    results = engine.find_results(lines, rules, ref).results.filter(pl.col("rule_id").is_in(touched))
    return results.join(counted.select("row_number"), on="row_number", how="semi", maintain_order="left")


def _said(wb: Workbench, results: pl.DataFrame, lines: pl.DataFrame, rules: list[Rule], lang: str) -> pl.DataFrame:
    known = messages.with_facts(results, lines, wb.pseudonyms.doctors)
    nth = pl.int_range(pl.len()).over("rule_id", "row_number")
    return known.with_columns(message=messages.messages(known, rules, lang), nth=nth)


def _compared(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Results of one run by state: lines are the same, so a result is told by its rule and its line."""
    parts = {
        "gained": after.join(before, on=_SAME, how="anti"),
        "lost": before.join(after, on=_SAME, how="anti"),
        "common": after.join(before, on=_SAME, how="semi"),
    }
    return pl.concat(part.with_columns(state=pl.lit(state)).select(_SHOWN) for state, part in parts.items())


def _figures(lines: pl.DataFrame, results: pl.DataFrame, moment: str) -> pl.DataFrame:
    money = totals(lines, results)
    counts = {severity: int((results["severity"] == severity).sum()) for severity in SEVERITIES}
    row = {"moment": moment, "results": results.height, **counts, **{name: money[name] for name in MONEY}}
    return pl.DataFrame([row]).with_columns(pl.col(MONEY).cast(pl.Decimal(38, 2)))


def _summed(figures: Iterable[pl.DataFrame]) -> pl.DataFrame:
    counts: dict[str, pl.DataType | type[pl.DataType]] = {
        "results": pl.Int64,
        **dict.fromkeys(SEVERITIES, pl.Int64),
        **dict.fromkeys(MONEY, pl.Decimal(38, 2)),
    }
    none = pl.DataFrame({"moment": ["before", "after"]}).with_columns(
        pl.lit(0).cast(t).alias(n) for n, t in counts.items()
    )
    return pl.concat([none, *figures]).group_by("moment", maintain_order=True).agg(pl.col(*counts).sum())
