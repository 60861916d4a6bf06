"""What a report of a period asks of the database, each question once, whichever sections need its answer."""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib import comparison, diffing, metrics, results, todo
from dashlib.comparison import Comparison
from dashlib.figures import ErrorFacts
from dashlib.metrics import Scope
from dashlib.metrics.scope import BY_WEEK_FROM
from dashlib.schema import File, RollupDay, RollupDoctorDay, RunRule, ValidationResult, ValidationRun
from dashlib.workbench import Workbench

RUN, DAY, DOCTOR_DAY, RESULT = ValidationRun, RollupDay, RollupDoctorDay, ValidationResult
JUDGED = (RUN.rules_version, RUN.reference_version, RUN.engine_version)
READ = (RUN.encoding, RUN.delimiter, RUN.line_count, RUN.record_count, RUN.rejected_count)


@dataclass(frozen=True)
class PeriodFacts:
    """The answers on the days and the place of `scope`; names of rules are in `lang`."""

    wb: Workbench
    scope: Scope
    lang: str

    @cached_property
    def figures(self) -> ErrorFacts:
        return metrics.error_facts(self.wb, self.scope, severity=None, lang=self.lang)

    @cached_property
    def rules(self) -> pl.DataFrame:
        """Rules with most at stake first: those of `metrics.rules_by_stake`, `stake`, and `change`, the results more
        than in the period before, null where there is none to compare with."""
        before = metrics.rules_by_stake(self.wb, self.scope.before).select("rule_id", "severity", before="results")
        found = self.figures.rules.join(before, on=["rule_id", "severity"], how="full", coalesce=True)
        change = pl.col("results").fill_null(0) - pl.col("before").fill_null(0)
        return found.with_columns(
            stake=pl.col("stake").fill_null(0),
            change=change if self.figures.before else pl.lit(None, pl.Int64),
        ).sort("stake", "results", "rule_id", descending=[True, True, False], nulls_last=True)

    @property
    def lately(self) -> Scope:
        """The days up to the period's last within which what is usual is seen."""
        return replace(self.scope, since=self.scope.until - timedelta(BY_WEEK_FROM - 1))

    @cached_property
    def runs(self) -> pl.DataFrame:
        """The runs whose figures these are, newest first: (runs, 12).

        id, number, run_date, completed_at, what judged, how the file was read, and, of the viewer's own, its hash.
        """
        held = sa.exists().where(DAY.validation_run_id == RUN.id, *self._held())
        own = sa.case((RUN.user_id == self.wb.viewer.id, File.sha256)).label("sha256")
        query = sa.select(RUN.id, RUN.number, RUN.run_date, RUN.completed_at, *JUDGED, *READ, own)
        return self.wb.frame(query.join(File, File.id == RUN.file_id).where(held).order_by(RUN.number.desc()))

    @cached_property
    def actions(self) -> pl.DataFrame:
        """What is to be done, as `todo.actions` has it."""
        return todo.in_order([self._told.filter(todo.TO_DO)])

    @cached_property
    def aside(self) -> pl.DataFrame:
        """Results of the period that are set aside today, by date."""
        return self._told.filter(pl.col("acknowledged").is_not_null()).sort("date_service")

    @cached_property
    def _told(self) -> pl.DataFrame:
        """Results of the period that are to be acted on or set aside, read once for both."""
        own, known = self._own, todo.TO_DO | pl.col("acknowledged").is_not_null()
        pages = todo.results_in(self.wb, own, todo.runs_of(self.wb, own), lang=self.lang)
        return pl.concat(page.filter(known) for page in pages)

    @cached_property
    def judging(self) -> pl.DataFrame:
        """The rules that found something in the period, with the versions that judged it: rule_id, label, versions."""
        judged = RunRule
        query = sa.select(judged.rule_id, judged.rule_version).where(judged.validation_run_id.in_(self._run_ids))
        versions = (
            self.wb.frame(query.distinct())
            .group_by("rule_id")
            .agg(versions=pl.col("rule_version").drop_nulls().unique().sort())
        )
        found = self.figures.rules.select("rule_id", "label").unique(maintain_order=True)
        return found.join(versions, on="rule_id", how="left", maintain_order="left").sort("rule_id")

    @cached_property
    def change(self) -> tuple[Comparison, list[int]] | None:
        """The results of the viewer's newest runs beside those of the runs before them, and the numbers of the latter.

        Of each doctor's day its newest run and the one before it, made with the same key; days of a single run are left
        out, and where there are no others the answer is None.
        """
        days = self._judged_twice()
        if days.is_empty():
            return None
        now, then = (self._results(days.select("doctor", "date_de_service", run=side)) for side in ("run", "before"))
        pairs = days.select("run", "before").unique().rows()
        changed = set().union(*(diffing.judged_otherwise(self.wb, before, run) for run, before in pairs))
        return comparison.compare(then, now, changed=changed), sorted(days["before_number"].unique())

    def _judged_twice(self) -> pl.DataFrame:
        """(doctors' days, 5): doctor, date_de_service, run, before (ids), before_number."""

        def of_day(function: Any) -> sa.Over[Any]:
            day = (DOCTOR_DAY.doctor, DOCTOR_DAY.date_de_service)
            return sa.over(function, partition_by=day, order_by=RUN.number.desc())

        ranked = (
            sa.select(
                *(DOCTOR_DAY.doctor, DOCTOR_DAY.date_de_service, RUN.id.label("run")),
                of_day(sa.func.lead(RUN.id, type_=sa.Uuid)).label("before"),
                of_day(sa.func.lead(RUN.number, type_=sa.BigInteger)).label("before_number"),
                of_day(sa.func.row_number()).label("rank"),
            )
            .join(RUN, RUN.id == DOCTOR_DAY.validation_run_id)
            .where(RUN.user_id == self.wb.viewer.id, RUN.status == "completed")
            .where(RUN.fingerprint_key.is_not_distinct_from(self._newest_key()))
            .where(DOCTOR_DAY.date_de_service.between(self.scope.since, self.scope.until))
            .subquery()
        )
        names = ("doctor", "date_de_service", "run", "before", "before_number")
        wanted = (ranked.c.rank == 1, ranked.c.before.is_not(None))
        return self.wb.frame(sa.select(*(ranked.c[name] for name in names)).where(*wanted))

    def _newest_key(self) -> sa.ScalarSelect[str | None]:
        newest = sa.select(RUN.fingerprint_key).where(RUN.user_id == self.wb.viewer.id, RUN.status == "completed")
        return newest.order_by(RUN.number.desc()).limit(1).scalar_subquery()

    def _results(self, days: pl.DataFrame) -> pl.DataFrame:
        """Results of these runs on these doctors' days, at the scope's place."""
        within = RESULT.date_service.between(self.scope.since, self.scope.until)
        where = [within, *([RESULT.lieu_de_pratique.in_(self.scope.places)] if self.scope.places else [])]
        parts = []
        for (run,), own in days.partition_by("run", as_dict=True).items():
            found = results.read_results(self.wb, run, where=where)
            on = [pl.col("doctor").fill_null(""), pl.col("date_service")]
            parts.append(found.join(own, left_on=on, right_on=["doctor", "date_de_service"], how="semi"))
        kept = pl.concat(parts).with_columns(pl.col(comparison.STAKES).fill_null(0))
        # A line counts once in each sum: of two runs lines can have one number.
        run = pl.col("result").str.extract(r"^(\d+):")
        return kept.with_columns(row_number=pl.format("{}:{}", run, pl.col("row_number").fill_null(0)))

    @property
    def _own(self) -> todo.Scope:
        return todo.Scope(self.scope.since, self.scope.until, self.scope.places[0] if self.scope.places else None)

    @property
    def _run_ids(self) -> list[str]:
        return self.runs["id"].to_list()

    def _held(self) -> list[sa.ColumnElement[bool]]:
        within: list[sa.ColumnElement[bool]] = [DAY.in_force.is_(sa.true())]
        within += [DAY.date_de_service.between(self.scope.since, self.scope.until)]
        return within + ([DAY.lieu_de_pratique.in_(self.scope.places)] if self.scope.places else [])
