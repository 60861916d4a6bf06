"""The report of a week or a month: written to a folder in the formats asked for, with the words that mail sends."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashlib import metrics, notebook, texts
from dashlib.errors import NotFound
from dashlib.schema import RollupDay, ValidationRun
from dashlib.timetable import Kind
from dashlib.workbench import Workbench


@dataclass(frozen=True)
class Written:
    """What was written, which sections are missing in it, and the message of figures that goes with it."""

    paths: tuple[Path, ...]
    failed_sections: tuple[str, ...]
    subject: str
    body: str


def write(
    wb: Workbench,
    kind: Kind,
    since: date,
    until: date,
    *,
    out: Path,
    place: str | None = None,
    lang: str = "fr",
    formats: tuple[str, ...] = ("html", "pdf", "xlsx"),
) -> Written:
    """Writes the report of the days from `since` to `until` into the folder `out`, replacing the one that is there.

    Raises:
        NotFound: DL-REP-404, no completed run of the viewer holds a line of these days.
        NotebookFailed: the report stopped, or cannot be written.
    """
    run_id = _newest_run(wb, since, until, place)
    if run_id is None:
        raise NotFound("DL-REP-404", since=texts.day(since), until=texts.day(until))
    path = out / f"{texts.text(f'periodical.file.{kind}', lang)}-{texts.day(since)}.html"
    notebook.report(wb, str(run_id), lang=lang, out=path)
    missing = tuple(name for name in formats if name != "html")
    subject, body = _message(metrics.run_summary(wb, str(run_id)) or {}, since, until, lang)
    return Written((path,), missing, subject, body)


def _newest_run(wb: Workbench, since: date, until: date, place: str | None) -> UUID | None:
    run, day = ValidationRun, RollupDay
    within = [day.validation_run_id == run.id, day.date_de_service.between(since, until)]
    here = [*within, day.lieu_de_pratique == place] if place else within
    query = sa.select(run.id).where(run.status == "completed", sa.exists().where(*here)).order_by(run.number.desc())
    with wb.database.connect() as connection:
        return connection.scalar(query.limit(1))


def _message(run: dict[str, Any], since: date, until: date, lang: str) -> tuple[str, str]:
    lines, in_error = run["record_count"] or 0, run["lines_in_error"]
    facts = {
        "period": texts.period(since, until, lang),
        "rate": texts.percent(in_error / lines if lines else None, lang),
        **{name: texts.money(run[name], lang) for name in ("at_risk", "to_repay", "gain")},
    }
    counts = {"lines": lines, "in_error": in_error, "number": run["number"]}
    subject = texts.text("periodical.subject", lang, **facts)
    return subject, texts.text("periodical.body", lang, **facts, **counts)
