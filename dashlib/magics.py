"""Magics for notebooks, by `%load_ext dashlib`: %%sql asks the documented views, %sql_views says what stands in them.

What cannot be answered is said in our words, without a traceback; the cell still counts as failed.
"""

import keyword
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import cached_property
from html import escape
from typing import Any

import polars as pl
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.display import publish_display_data

from dashlib import asking, display, display_explain, markup, results, runs, texts
from dashlib.display_tables import table
from dashlib.errors import DashError, NotFound, UsageError
from dashlib.workbench import Workbench, open_workbench

SHOWN = 50  # rows of an answer that is not kept
PLACES = 4  # of a decimal number, at most

LEFT = ' style="text-align: left"'
KEEP = re.compile(r"\s*(\w+)\s*=\s*")


@magics_class
class DashMagics(Magics):
    """%%sql, %sql_views, %run_card and %why; the database is opened at first use."""

    @property
    def variables(self) -> dict[str, Any]:
        """Those of the notebook."""
        return self.shell.user_ns if self.shell else {}

    @cached_property
    def wb(self) -> Workbench:
        return open_workbench()

    @no_var_expand  # nothing is pasted into a statement
    @line_cell_magic
    def sql(self, line: str, cell: str | None = None) -> None:
        """Asks the documented views by one SELECT, in which :name is the notebook's variable of that name.

        `%%sql days =` keeps the answer as a polars frame called days; without a name its first rows are shown.
        """
        keeps = KEEP.fullmatch(line) if cell is not None else None
        with self._telling() as lang:
            name = _python_name(keeps[1]) if keeps else None
            statement = (cell if keeps else f"{line}\n{cell or ''}") or ""
            answer = asking.ask(self.wb, statement, self.variables)
            if name:
                self.variables[name] = answer.frame
                _say(texts.text("sql.kept", lang, name=name, rows=_size(answer.frame, lang)))
            else:
                _show_frame(answer.frame, lang)
            if answer.is_cut:
                _say(texts.text("sql.cut", lang, most=asking.MOST))

    @line_magic
    def sql_views(self, line: str) -> None:
        """Lists the documented views; with the name of one, its columns."""
        wanted = line.strip()
        with self._telling() as lang:
            known = asking.views(self.wb, lang)
            rows = known.filter(pl.col("view") == wanted if wanted else pl.col("column").is_null())
            if rows.is_empty():
                raise NotFound("DL-SQL-014", name=wanted)
            columns = ("column", "type", "about") if wanted else ("view", "about")
            said = rows["about"][0] if wanted else texts.text("sql.views", lang)
            _show(said, columns, rows.drop_nulls("column" if wanted else "view").select(columns).rows())

    @line_magic
    def run_card(self, line: str) -> None:
        """Shows what a run found, in short: its number, the beginning of its id, last, or last~1."""
        with self._telling() as lang:
            _say(display.summary(runs.find_run(self.wb, line.strip() or "last"), lang))

    @line_magic
    def why(self, line: str) -> None:
        """Tells why a result was reported, as 418:37 or last:37."""
        with self._telling() as lang:
            run, number = results.number_of(line.strip())
            _say(display_explain.why(runs.find_run(self.wb, run or "last").why(number, lang), lang))

    @contextmanager
    def _telling(self) -> Iterator[texts.Language]:
        """The language spoken; what goes wrong inside is said in it, and IPython shows that sentence alone."""
        lang: texts.Language = "fr"
        try:
            lang = self.wb.settings.lang
            yield lang
        except DashError as refused:
            with texts.speaking(lang):
                said = f"✕ {refused}"
            refused._render_traceback_ = lambda: [said]  # type: ignore[attr-defined]  # IPython asks for it
            raise


def _python_name(name: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError("DL-SQL-015", name=name)
    return name


def _size(frame: pl.DataFrame, lang: str) -> str:
    return f"{texts.plural('sql.rows', frame.height, lang)}, {texts.plural('sql.columns', frame.width, lang)}"


def _say(sentence: str) -> None:
    """Text as it stands: a wide line is not broken, but moved aside."""
    html = f'<pre style="white-space: pre; overflow-x: auto; margin: 0">{escape(sentence)}</pre>'
    _publish({"text/html": html, "text/plain": sentence})


def _publish(shown: dict[str, str]) -> None:
    publish_display_data(shown)  # type: ignore[no-untyped-call]  # IPython's own


def _show_frame(frame: pl.DataFrame, lang: str) -> None:
    size = _size(frame, lang)
    if frame.height > SHOWN:
        size = texts.text("sql.shown", lang, rows=size, shown=SHOWN)
    rows = [[_written(value, lang) for value in row] for row in frame.head(SHOWN).iter_rows()]
    figures = {i for i, dtype in enumerate(frame.dtypes) if dtype.is_numeric()}
    _show(size, frame.columns, rows, figures)


def _show(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], figures: Iterable[int] = ()) -> None:
    """A table as a notebook shows it, and as text for whoever has only that."""
    right = tuple(figures)
    titled = [(name, i in right) for i, name in enumerate(columns)]
    html = markup.table(caption, titled, [[escape(cell) for cell in row] for row in rows])
    # JupyterLab puts all cells to the right.
    left = html.replace("<td>", f"<td{LEFT}>").replace('<th scope="col">', f'<th scope="col"{LEFT}>')
    plain = [*table(columns, rows, right=right), *([caption] if caption else [])]
    _publish({"text/html": left, "text/plain": "\n".join(plain)})


def _written(value: Any, lang: str) -> str:
    """As people write it; numbers that may be numbers of runs are not grouped, and no decimal is taken for money."""
    match value:
        case Decimal() | float() if math.isfinite(value):
            return texts.decimal(value, lang, _places(value))
        case Decimal() | float() | None:
            return texts.NULL
        case _:
            return display.cell(value, lang)


def _places(value: Decimal | float) -> int:
    written = value if isinstance(value, Decimal) else Decimal(repr(value))
    return max(0, min(-int(written.as_tuple().exponent), PLACES))
