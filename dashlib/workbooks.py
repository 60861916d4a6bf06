"""Workbooks for those who work with results: clerks, who tick what is done, managers, and doctors.

Doctors and patients are pseudonyms in all of them; invoices and RAMQ's numbers, by which clerks find a claim, are not
identities. What clerks tick and note is read back by `followups.take`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import UUID

import polars as pl

from dashlib import spreadsheets, texts, ticks
from dashlib.exporting import replacing, titles
from dashlib.figures import SOON_DAYS
from dashlib.followups import marks
from dashlib.reference import rules_in_force
from dashlib.spreadsheets import BRAND, LINE, Book, Sheet
from dashlib.todo import EVERYTHING, FILE_COLUMNS, Asked, OwnRun, Scope, actions, days_to_bill, results_in
from dashlib.workbench import Workbench

TO_DO = (
    *("doctor", "date_service", "invoice", "id_ramq", "code", "to_do", "stake", "amount", "days_left", "done", "note"),
    *("severity", "result", "key"),
)
NOT_SHOWN = ("to_do", "category", "related", "rule_version", "fingerprint")
RESULTS = tuple(name for name in FILE_COLUMNS if name not in NOT_SHOWN)
FOR_DOCTORS = (
    *("date_service", "invoice", "id_ramq", "code", "severity", "message", "to_do", "stake", "amount", "days_left"),
    "result",
)
WIDE = {
    "to_do": 52,
    "message": 52,
    "note": 32,
    "done": 7,
    "doctor": 17,
    "patient": 23,
    "result": 10,
    "date_service": 11,
}
MONEY = ("at_risk", "to_repay", "gain")
DEFINED = ("to_do", "days_left", *MONEY, "check", "done", "back", "doctor", "order")
TOLD = ("actions", "soon", "at_risk", "to_repay", "gain", "done")

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

type Out = Path | BinaryIO
type Write = Callable[[Book], int]


def clerks(wb: Workbench, which: UUID | Scope, out: Out, lang: str = "fr", *, asked: Asked = EVERYTHING) -> int:
    """The clerks' workbook: a summary, what to do, the same for each doctor, all results, and what words mean.

    Args:
        which: a run of the viewer's own, or the days of which results are wanted.
        out: a file that is replaced as a whole, or one that is open for writing bytes.

    Returns:
        How many things there are to do.

    Raises:
        NotFound: the run is not there, not completed, or somebody else's.
    """
    rows, runs = actions(wb, which, lang, asked=asked)
    days = days_to_bill(rules_in_force(wb))
    shown = _worded(_ticked(wb, rows), lang)

    def write(book: Book) -> int:
        _summarise(book, rows, runs, which)
        book.add(_to_do(texts.text("book.to_do", lang), shown, lang))
        for doctor, own in _by_doctor(shown, lang):
            book.add(_to_do(doctor, own, lang))
        book.add(_results(results_in(wb, which, runs, asked, lang), lang))
        _define(book, days)
        return rows.height

    return _written(out, lang, write)


def managers(wb: Workbench, which: UUID | Scope, out: Out, lang: str = "fr", *, asked: Asked = EVERYTHING) -> int:
    """The managers' workbook: the summary, and counts and money by rule, doctor and place; no single line in it.

    Arguments, answer and errors are those of `clerks`.
    """
    rows, runs = actions(wb, which, lang, asked=asked)
    days = days_to_bill(rules_in_force(wb))

    def write(book: Book) -> int:
        _summarise(book, rows, runs, which, linked=False)
        for by in ("rule_id", "doctor", "lieu_de_pratique"):
            counted = _counted(rows, by)
            sheet = Sheet(texts.text(f"book.by.{by}", lang), [counted], titles=titles(counted.columns, lang))
            book.add(sheet)
        _define(book, days)
        return rows.height

    return _written(out, lang, write)


def doctors(wb: Workbench, which: UUID | Scope, out: Out, lang: str = "fr", *, asked: Asked = EVERYTHING) -> int:
    """The doctors' workbook: a sheet for each, with what was found on the doctor's own lines, to read and not to tick.

    Arguments, answer and errors are those of `clerks`.
    """
    rows, _ = actions(wb, which, lang, asked=asked)
    days = days_to_bill(rules_in_force(wb))

    def write(book: Book) -> int:
        for doctor, own in _by_doctor(_worded(rows, lang), lang):
            shown = own.select(FOR_DOCTORS)
            wrapped = ("message", "to_do")
            named = titles(shown.columns, lang)
            book.add(Sheet(doctor, [shown], titles=named, widths=WIDE, wrapped=wrapped, urgent="days_left"))
        _define(book, days)
        return rows.height

    return _written(out, lang, write)


def _written(out: Out, lang: str, write: Write) -> int:
    title = texts.text("book.title", lang)
    if isinstance(out, Path):
        with replacing(out) as file, spreadsheets.book(file, lang, title=title) as book:
            return write(book)
    with spreadsheets.book(out, lang, title=title) as book:
        return write(book)


def _ticked(wb: Workbench, rows: pl.DataFrame) -> pl.DataFrame:
    """Things to do with a box for each, and the key by which it is known when it comes back."""
    said = marks(wb.pseudonyms, rows["done"], rows["note"])
    box = pl.when(pl.col("done").fill_null(False)).then(pl.lit(ticks.TICKED_BOX)).otherwise(pl.lit(ticks.EMPTY_BOX))
    return rows.with_columns(said.alias("mark")).with_columns(
        done=box, key=ticks.key(pl.col("result"), pl.col("fingerprint"), pl.col("mark"))
    )


def _worded(rows: pl.DataFrame, lang: str) -> pl.DataFrame:
    """Severities, stakes and reasons in words."""
    words = {
        "severity": {name: texts.text(f"severity.{name}", lang) for name in ("error", "warning", "info")},
        "stake": {name: texts.text(f"stake.{name}", lang) for name in (*MONEY, "check")},
        "acknowledged": {
            key.removeprefix("reason."): said for key, said in texts.words(lang).items() if key.startswith("reason.")
        },
    }
    return rows.with_columns(pl.col(name).replace(known) for name, known in words.items() if name in rows.columns)


def _to_do(name: str, rows: pl.DataFrame, lang: str) -> Sheet:
    return Sheet(
        name,
        [rows.select(TO_DO)],
        titles=titles(TO_DO, lang),
        widths=WIDE,
        wrapped=("to_do", "note"),
        hidden=("key",),
        choices={"done": (ticks.EMPTY_BOX, ticks.TICKED_BOX)},
        longest={"note": ticks.MAX_NOTE},
        faded=("done", ticks.TICKED_BOX),
        urgent="days_left",
    )


def _results(pages: Iterable[pl.DataFrame], lang: str) -> Sheet:
    found = (_worded(page.select(RESULTS), lang) for page in pages)
    name = texts.text("book.results", lang)
    return Sheet(name, found, titles=titles(RESULTS, lang), widths=WIDE, wrapped=("message", "note"))


def _by_doctor(rows: pl.DataFrame, lang: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each doctor, by pseudonym; last those that name none."""
    apart = rows.with_columns(who=pl.col("doctor").fill_null("")).partition_by("who", as_dict=True, include_key=False)
    for (who,), own in sorted(apart.items(), key=lambda part: (part[0][0] == "", str(part[0][0]))):
        yield str(who) or texts.text("doctor.none", lang), own


def _counted(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """Things to do by rule, doctor or place, the most money first; in each sum a line counts once."""
    told = rows.with_columns(run=pl.col("result").str.extract(r"^(\d+):"))
    lines = told.group_by(by, "run", "row_number").agg(pl.col("at_risk", "to_repay").max())
    money = lines.group_by(by).agg(pl.col("at_risk", "to_repay").sum(), lines=pl.len())
    counted = told.group_by(by).agg(
        actions=pl.len(),
        invoices=pl.col("invoice").drop_nulls().n_unique(),
        gain=pl.col("gain").sum(),
        soon=pl.col("days_left").is_between(0, SOON_DAYS).sum(),
        done=pl.col("done").fill_null(False).sum(),
    )
    columns = (by, "actions", "lines", "invoices", *MONEY, "soon", "done")
    return counted.join(money, on=by, nulls_equal=True).select(columns).sort(*MONEY, "actions", descending=True)


def _summarise(
    book: Book, rows: pl.DataFrame, runs: Sequence[OwnRun], which: UUID | Scope, *, linked: bool = True
) -> None:
    """The first sheet: what this is, the figures, and a line per doctor that leads to the doctor's sheet."""
    page = book.page(texts.text("book.summary", book.lang))
    page.set_column(0, 0, 30)
    page.set_column(1, 8, 15)
    page.set_row(0, 28)
    page.write_string(0, 0, texts.text("book.title", book.lang), book.format(bold=True, font_size=18))
    page.write_string(1, 0, _about(runs, which, book.lang), book.format(font_color=spreadsheets.MUTED))
    at = _figures(book, page, _counted(rows.with_columns(whole=pl.lit("")), "whole"), 3)
    if linked:
        for said in ("how", "secret"):
            at += 1
            page.write_string(at, 0, texts.text(f"book.{said}", book.lang), book.format())
    _doctors(book, page, _counted(rows, "doctor"), at + 2, linked=linked)


def _about(runs: Sequence[OwnRun], which: UUID | Scope, lang: str) -> str:
    numbers = ", ".join(str(run.number) for run in runs) or texts.NULL
    if isinstance(which, Scope):
        about = texts.text("book.scope", lang, period=texts.period(which.since, which.until, lang), runs=numbers)
        return about + (f" · {which.place}" if which.place else "")
    # Without the file's name, which people give after patients.
    return texts.text("book.run", lang, run=numbers, day=texts.day(runs[0].as_of))


def _figures(book: Book, page: "Worksheet", whole: pl.DataFrame, at: int) -> int:
    """The counts and the three sums, one a line; gives the row below."""
    figures = whole.row(0, named=True) if whole.height else dict.fromkeys(whole.columns, 0)
    for name in TOLD:
        page.write_string(at, 0, texts.text(f"head.{name}", book.lang), book.format(bottom=1, bottom_color=LINE))
        kind = "money" if name in MONEY else "integer"
        page.write_number(at, 1, figures[name], book.kind(kind, bold=True, bottom=1, bottom_color=LINE))
        at += 1
    return at


def _doctors(book: Book, page: "Worksheet", counted: pl.DataFrame, at: int, *, linked: bool) -> None:
    columns = ("doctor", *TOLD)
    for column, name in enumerate(columns):
        heading = book.heading(align="right" if column else "left")
        page.write_string(at, column, texts.text(f"head.{name}", book.lang), heading)
    link = book.format(font_color=BRAND, underline=1)
    for row, values in enumerate(counted.select(columns).iter_rows(), at + 1):
        doctor = values[0] or texts.text("doctor.none", book.lang)
        if linked:
            page.write_url(row, 0, f"internal:'{doctor}'!A1", link, string=doctor)
        else:
            page.write_string(row, 0, doctor, book.format())
        for column, (name, value) in enumerate(zip(TOLD, values[1:], strict=True), 1):
            page.write_number(row, column, value, book.kind("money" if name in MONEY else "integer"))


def _define(book: Book, days: int) -> None:
    """What the words mean: the last sheet."""
    page = book.page(texts.text("book.definitions", book.lang))
    page.set_column(0, 0, 24)
    page.set_column(1, 1, 100)
    for at, name in enumerate(DEFINED):
        said = texts.text(f"define.{name}", book.lang, **({"days": days} if name == "days_left" else {}))
        page.set_row(at, spreadsheets.LINE_POINTS * (1 + len(said) // 100))
        page.write_string(at, 0, texts.text(f"define.{name}.name", book.lang), book.format(bold=True))
        page.write_string(at, 1, said, book.format(text_wrap=True))
