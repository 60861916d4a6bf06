"""The report of a week or a month: written to a folder in the formats asked for, with the words that mail sends."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dashlib import charts, notebook, paper, resources, texts, todo, workbooks
from dashlib.errors import DashError, DatabaseUnavailable, NotebookFailed, NotFound
from dashlib.metrics import Scope
from dashlib.reports import SECTIONS
from dashlib.reports.facts import PeriodFacts
from dashlib.schema import AuditEvent
from dashlib.timetable import Kind
from dashlib.workbench import Workbench, called

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """What was written, what is missing in it, and the message of figures that goes with it.

    `failed_sections` are names of sections, or of whole formats; `reasons` are why formats are missing.
    """

    paths: tuple[Path, ...]
    failed_sections: tuple[str, ...]
    subject: str
    body: str
    reasons: tuple[DashError, ...] = ()

    def missing(self, lang: str) -> str:
        """What is missing, in words."""
        named = (texts.text(f"paper.{name}", lang) if name in SECTIONS else name for name in self.failed_sections)
        return ", ".join(named)


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

    A section or a format that fails is missing, and the rest is written.

    Raises:
        NotFound: DL-REP-404, no completed run holds a line of these days.
        NotebookFailed: the report stopped, or cannot be written.
    """
    facts = PeriodFacts(wb, Scope(since, until, (place,) if place else ()), lang)
    runs = facts.runs["number"].to_list()
    if not runs:
        raise NotFound("DL-REP-404", since=texts.day(since), until=texts.day(until))
    name = "-".join(part for part in (texts.text(f"periodical.file.{kind}", lang), texts.day(since), place) if part)
    missing: list[str] = []
    paths: dict[str, Path] = {form: out / f"{name}.{form}" for form in formats}
    reasons: list[DashError] = []
    if paper_forms := [form for form in ("html", "pdf") if form in formats]:
        html, missing = _page(facts, kind, out / f"{name}.ipynb", runs)
        prints: dict[str, Callable[[], Any]] = {
            "html": lambda: notebook.write_private(paths["html"], html),
            "pdf": lambda: paper.write_pdf(html, paths["pdf"]),
        }
        for form in paper_forms:
            _attempt(form, prints[form], paths, reasons)
    if "xlsx" in formats:
        asked = todo.Scope(since, until, place)
        _attempt("xlsx", lambda: workbooks.clerks(wb, asked, paths["xlsx"], lang), paths, reasons)
    written = tuple(paths[form] for form in formats if form in paths)
    missing += [form for form in formats if form not in paths]
    _record(wb, kind, facts.scope, [form for form in formats if form in paths])
    return Written(written, tuple(missing), *_message(facts), tuple(reasons))


def _page(facts: PeriodFacts, kind: Kind, executed: Path, runs: list[int]) -> tuple[str, list[str]]:
    """The report as HTML, and which sections are missing in it."""
    scope, lang, wb = facts.scope, facts.lang, facts.wb
    parameters = {
        "since": texts.day(scope.since),
        "until": texts.day(scope.until),
        "language": lang,
        "owner": called(wb.viewer.id),
        **({"place": scope.places[0]} if scope.places else {}),
    }
    with notebook.surroundings(wb.settings):
        notebook.run_notebook(resources.folder("notebooks") / f"report_{kind}.ipynb", executed, parameters)
    told = notebook.told_by(executed)
    for failed in (section for section in told if "failed" in section):
        log.error("section %s failed: %s, reference %s", failed["section"], failed["failed"], failed["reference"])
    made = {section["section"] for section in told if "failed" not in section}
    title = f"{texts.text(f'paper.kind.{kind}', lang)}, {texts.period(scope.since, scope.until, lang)}"
    page = notebook.page_of(executed, lang=lang, title=title, css=paper.css(runs, lang))
    return charts.coloured(page), [name for name in SECTIONS if name not in made]


def _attempt(form: str, write: Callable[[], Any], paths: dict[str, Path], reasons: list[DashError]) -> None:
    """Writes a format; where that fails it is missing, and the others are not."""
    try:
        write()
    except (DatabaseUnavailable, NotebookFailed):
        raise
    except DashError as reason:
        del paths[form]
        reasons.append(reason)
        log.error("report without %s: %s", form, reason.code)
    except OSError:
        raise NotebookFailed("DL-NB-003", folder=str(paths[form].parent)) from None
    except Exception as defect:  # noqa: BLE001 - its words could quote a value
        del paths[form]
        log.error("report without %s: %s", form, type(defect).__name__)


def _record(wb: Workbench, kind: Kind, scope: Scope, forms: list[str]) -> None:
    """That a report was made, of what and in which forms; never where to."""
    facts = {"since": texts.day(scope.since), "until": texts.day(scope.until), "places": list(scope.places)}
    event = {"event": "report.written", "kind": "report", "target_id": kind, "details": facts | {"forms": forms}}
    with wb.database.connect() as connection:
        connection.execute(sa.insert(AuditEvent).values(event))


def _message(facts: PeriodFacts) -> tuple[str, str]:
    """Subject and text of a mail: the answer in a sentence, and the six figures of the cover, where there are any."""
    lang, scope = facts.lang, facts.scope
    period = texts.period(scope.since, scope.until, lang)
    try:
        figures = facts.figures
    except DatabaseUnavailable:
        raise
    except Exception as defect:  # noqa: BLE001 - the report is there and says that its cover is not
        log.error("report without figures: %s", type(defect).__name__)
        subject, body = (texts.text(f"periodical.{part}.bare", lang, period=period) for part in ("subject", "body"))
        return subject, body
    said = {
        "period": period,
        "rate": texts.percent(figures.now.error_rate, lang),
        "at_risk": texts.money(figures.now.at_risk, lang),
    }
    joint = f"{texts.NBSP}: " if lang == "fr" else ": "
    listed = "\n".join(f"{tile.label}{joint}{tile.value}" for tile in figures.tiles(lang))
    body = texts.text("periodical.body", lang, **said, sentence=figures.sentence(lang), figures=listed)
    return texts.text("periodical.subject", lang, **said), body
