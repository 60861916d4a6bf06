"""The explorer's desk: what is looked at, what was chosen and tried out, and how it is drawn."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from typing import Any

import polars as pl

from dashlib import markup, texts
from dashlib.explaining import explain
from dashlib.explorer import bar, day, detail, facets, lists, reading, sifting, views
from dashlib.explorer.ledger import Ledger, read_ledger
from dashlib.explorer.pieces import Words
from dashlib.explorer.query import Query, Word, code, meaning
from dashlib.explorer.sifting import Sifter, Totals
from dashlib.explorer.trying import Trial
from dashlib.explorer.widget import Surface
from dashlib.failures import shielded
from dashlib.markup import Markup
from dashlib.recounting import today
from dashlib.runs import Run, find_run, list_runs
from dashlib.workbench import Workbench, open_workbench

RUNS_SHOWN = 30
EXPIRY = timedelta(days=90)


@dataclass(frozen=True)
class Nothing:
    """What there is to say before the first run."""

    said: Markup

    def _repr_html_(self) -> str:
        return str(self.said)


def nothing(lang: str) -> Nothing:
    """The words for a database without a completed run, and what to do."""
    said = markup.state("empty", *(texts.text(key, lang) for key in ("page.empty", "page.empty.advice")))
    return Nothing(said)


class Desk:
    """A run's results, a question about them, and what is drawn of both.

    Args:
        run: its number, the beginning of its id, `last`, or `last~1`.
        compare: an earlier run beside which results are new, persisting, fixed, or of a changed rule.
        lang: fr or en.

    Raises:
        NotFound: there is no such run (DL-RUN-404), or it is not completed (DL-RUN-406).
        UsageError: DL-DIFF-001, the two runs' fingerprints were made with different keys.
    """

    def __init__(
        self,
        run: str | int = "last",
        *,
        compare: str | int | None = None,
        lang: str = "fr",
        wb: Workbench | None = None,
    ) -> None:
        self._wb, self._lang = wb or open_workbench(), lang
        self._words = Words(lang, reading.labels(self._wb, lang))
        self._rules = reading.rule_words(self._wb)
        self._view, self._saving, self._asking = "", False, False
        self._opened: set[str] = set()
        self._selected, self._ticked = "", frozenset[str]()
        self._tried = Markup()
        self._take_up(self._found(run), find_run(self._wb, compare) if compare is not None else None, Query())
        self.widget = Surface(self.act, lang=lang, busy=self._words("busy"))
        with self._shielded():
            self._draw()

    def act(self, name: str, arg: str = "", values: Mapping[str, str] | None = None) -> None:
        """Does what somebody asked for by a button, a key, a list or a form, and draws what it changed."""
        raise NotImplementedError

    @property
    def frame(self) -> pl.DataFrame:
        """The selection: (results, 29), the columns of `run.results`, and days left, state and stake, in its order."""
        return reading.read_rows(self._ledger, self._selection, self._lang).drop("details")

    @property
    def code(self) -> str:
        """Python that gives the same rows by `run.results`, or by `run.diff` where two runs are compared."""
        states = [name for name in sifting.IN_ORDER["state"] if name in (self.query.state or sifting.IN_ORDER["state"])]
        return code(self.query, self._sifter.word, limit=self._ledger.limit, compared=states)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """The widget; where there are none to be had, in a notebook that was exported, the page as it stands."""
        shown = self.widget._repr_mimebundle_(**options)
        bundle = dict(shown[0] if isinstance(shown, tuple) else shown or {})
        return {**bundle, "text/html": f'<div class="dx">{self.widget.table}</div>'}

    # What is looked at.

    def _found(self, run: str | int) -> Run:
        """The run that is meant; `last` is the last one that was completed."""
        if run == "last":
            for each in list_runs(self._wb, RUNS_SHOWN):
                if each.status == "completed":
                    return each
        return find_run(self._wb, run)

    def _take_up(self, run: Run, compare: Run | None, query: Query) -> None:
        self._ledger: Ledger = read_ledger(self._wb, run, compare)
        other = compare.number if compare else None
        self._trial = Trial()
        self._tried = Markup()
        self._runs = [each.figures for each in list_runs(self._wb, RUNS_SHOWN) if each.status == "completed"]
        self._ask(query.but(run=run.number, compare=other, state=query.state if other else ()))

    def _ask(self, query: Query) -> None:
        """Answers a question; what was selected stays so, what was ticked as far as it is still listed."""
        word = meaning(query.word, self._rules)
        patients = self._ledger.patients() if "patient" in word.begins else None
        self.query = query
        self._sifter = Sifter(self._ledger.rows, word, bool(query.word), patients)
        self._selection = self._sifter.selection(query)
        self._totals: Totals = sifting.totals(self._selection)
        self._invoices: pl.DataFrame | None = None
        self._ticked &= set(self._ticked_rows().select(pl.format("{}:{}", "run", "number")).to_series())

    def _ticked_rows(self) -> pl.DataFrame:
        """The rows of the selection that are ticked: of this run, for only of it results are set aside."""
        numbers = [int(name.partition(":")[2]) for name in self._ticked]
        return self._selection.filter(pl.col("number").is_in(numbers), run=self._ledger.run.number)

    def _turn(self, query: Query) -> None:
        """Answers a question by the same rows: another page or tab."""
        self.query = query

    def _draw(self) -> None:
        """Draws everything but the overlay."""
        self._draw_bar()
        self.widget.facets = facets.facets(self.query, self._sifter.facets(self.query), self._opened, self._words)
        self._draw_table()
        self._draw_detail()

    def _draw_bar(self) -> None:
        self._views = views.list_views(self._wb)
        self.widget.bar = bar.bar(self.query, self._runs, self._views, self._view, self._words, saving=self._saving)

    def _draw_table(self) -> None:
        query, words = self.query, self._words
        if self._selection.is_empty():
            self.widget.table = lists.frame(query, self._totals, lists.nothing(query, self._emptied(), words), 1, words)
            return
        if query.tab == "rules":
            of, table = 1, lists.rules(sifting.by_rule(self._selection), query, words)
        elif query.tab == "invoices":
            if self._invoices is None:
                self._invoices = sifting.by_invoice(self._selection)
            shown = sifting.described(sifting.page(self._invoices, query.page), self._selection)
            of, table = sifting.pages(self._invoices), lists.invoices(shown, query, words)
        else:
            of = sifting.pages(self._selection)
            rows = reading.read_rows(self._ledger, sifting.page(self._selection, query.page), self._lang)
            table = lists.results(rows.to_dicts(), query, self._selected, words, self._ticked)
        ticked = sifting.totals(self._ticked_rows()) if self._ticked else None
        self.widget.table = lists.frame(query, self._totals, table, of, words, ticked)

    def _emptied(self) -> str | None:
        """The one filter without which something would be left."""
        for facet in self.query.chosen:
            if not self._sifter.selection(self.query.but(**{facet: ()})).is_empty():
                return self._words(f"facet.{facet}")
        if self.query.word and not Sifter(self._ledger.rows, Word(), False).selection(self.query).is_empty():
            return self._words("search")
        return None

    def _draw_detail(self) -> None:
        self.widget.detail = (
            detail.detail(self._sheet(), self._words) if self._selected else detail.nothing(self._words)
        )

    def _sheet(self) -> detail.Sheet:
        run, number = self._named(self._selected)
        here = self._ledger.rows.filter(run=run.number, number=number)
        [row] = reading.read_rows(self._ledger, here, self._lang).to_dicts()
        why = explain(self._wb, run.id, number, self._lang)
        touched = [row["row_number"], *(why.result["related"] or [])] if row["row_number"] is not None else []
        patient_day = day.read_day(self._wb, run.id, row["row_number"], touched) if touched and why.kept else None
        return detail.Sheet(
            row=row,
            why=why,
            day=patient_day,
            history=reading.history(self._ledger, row),
            trial=self._trial if run.number == self._ledger.run.number else Trial(),
            tried=self._tried,
            asks=self._asking,
            until=self._until,
            may_set_aside=run.number == self._ledger.run.number,
        )

    @property
    def _until(self) -> date:
        """The last day that a form proposes."""
        return today() + EXPIRY

    def _named(self, result: str) -> tuple[Run, int]:
        run, _, number = result.partition(":")
        return self._ledger.run_of(int(run)), int(number)

    def _tell(self, said: str) -> None:
        self.widget.said = f"<p>{escape(said)}</p>"

    def _shielded(self) -> AbstractContextManager[None]:
        def refusal(said: str) -> str:
            return f'<p class="refused">{escape(said)}</p>'

        return shielded(lambda said: setattr(self.widget, "said", said), self._lang, refusal=refusal)
