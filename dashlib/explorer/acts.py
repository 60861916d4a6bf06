"""What the explorer can be asked for, each by the word that a button, a list or a key carries.

Widgets over `run.results`, `run.why`, `run.whatif` and `run.ack`: what a button does here, they do in a program.
"""

from collections.abc import Callable, Mapping
from html import escape

import polars as pl

from dashlib import exporting, texts
from dashlib.cards import holds_card
from dashlib.errors import UsageError
from dashlib.explaining import explain
from dashlib.explorer import detail, facets, sifting, views
from dashlib.explorer.desk import Desk
from dashlib.explorer.pieces import button
from dashlib.explorer.query import FACETS, PAGE, SORTS, STAKES, TABS, Query
from dashlib.explorer.trying import Trial
from dashlib.markup import Markup
from dashlib.runs import Run, day_of, find_run

MOST_ASIDE = 5_000
"""Results that one form may set aside; who means more means the rule, and changes that."""
KEYS = ("n", "p", "e", "f", "x", "?", "↑ ↓", "Esc", "␣")


class Explorer(Desk):
    """A run's results from every side.

    Args and errors as `Desk`. Each act below is given an argument and the values of a form, and draws what it changes.
    """

    def act(self, name: str, arg: str = "", values: Mapping[str, str] | None = None) -> None:
        """Does what somebody asked for by a button, a key, a list or a form, and draws what it changed."""
        with self._shielded():
            self.widget.said = ""
            done = ACTS.get(name)
            if done is not None:
                done(self, arg, values or {})

    def _run(self, _: str, values: Mapping[str, str]) -> None:
        self._other_runs(find_run(self._wb, values["value"]), None)

    def _compare(self, _: str, values: Mapping[str, str]) -> None:
        other = values["value"]
        self._other_runs(self._ledger.run, find_run(self._wb, other) if other else None)

    def _other_runs(self, run: Run, compare: Run | None) -> None:
        try:
            self._take_up(run, compare, self.query)
        finally:
            # A list that shows a run which could not be opened would lie.
            self._draw_bar()
        self._selected, self._asking = "", False
        self._draw()

    def _search(self, _: str, values: Mapping[str, str]) -> None:
        word = values.get("word", "").strip()
        if holds_card(word):
            self._draw_bar()
            raise UsageError("DL-VIEW-003")
        self._sift(self.query.but(word=word, tab=self.query.tab))

    def _facet(self, arg: str, _: Mapping[str, str]) -> None:
        name, _sign, value = arg.partition("=")
        if name in (*FACETS, "invoice"):
            self._sift(self.query.toggled(name, value))

    def _clear(self, _: str, __: Mapping[str, str]) -> None:
        self._view = ""
        self._sift(self.query.cleared())

    def _rule(self, arg: str, _: Mapping[str, str]) -> None:
        self._sift(self.query.but(rule_id=(arg,), tab="results"))

    def _invoice(self, arg: str, _: Mapping[str, str]) -> None:
        self._sift(self.query.but(invoice=(arg,), tab="results"))

    def _sift(self, query: Query) -> None:
        self._ask(query)
        self._draw_bar()
        self.widget.facets = facets.facets(self.query, self._sifter.facets(self.query), self._opened, self._words)
        self._draw_table()

    def _more(self, arg: str, _: Mapping[str, str]) -> None:
        self._opened ^= {arg} & set(FACETS)
        self._draw_facets()

    def _measure(self, _: str, values: Mapping[str, str]) -> None:
        if values["value"] in STAKES:
            self._turn(self.query.but(measure=values["value"], page=self.query.page))
            self._draw_facets()

    def _draw_facets(self) -> None:
        self.widget.facets = facets.facets(self.query, self._sifter.facets(self.query), self._opened, self._words)

    def _tab(self, arg: str, _: Mapping[str, str]) -> None:
        if arg in TABS:
            self._turn(self.query.but(tab=arg))
            self._draw_table()

    def _sort(self, arg: str, _: Mapping[str, str]) -> None:
        if arg in SORTS:
            self._ask(self.query.sorted_by(arg))
            self._draw_table()

    def _page(self, arg: str, _: Mapping[str, str]) -> None:
        listed = self._invoices if self.query.tab == "invoices" and self._invoices is not None else self._selection
        self._turn(self.query.but(page=max(1, min(int(arg), sifting.pages(listed)))))
        self._draw_table()

    def _select(self, arg: str, _: Mapping[str, str]) -> None:
        self._selected, self._asking, self._tried = arg, False, Markup()
        try:
            self._draw_detail()
        finally:
            self._draw_table()

    def _next(self, _: str, __: Mapping[str, str]) -> None:
        self._walk(1)

    def _previous(self, _: str, __: Mapping[str, str]) -> None:
        self._walk(-1)

    def _walk(self, step: int) -> None:
        """The result before or after, on its page."""
        names = self._selection.select(pl.format("{}:{}", "run", "number"))[:, 0]
        if names.is_empty():
            return
        at = names.index_of(self._selected)
        to = (0 if step > 0 else len(names) - 1) if at is None else max(0, min(at + step, len(names) - 1))
        self._turn(self.query.but(tab="results", page=to // PAGE + 1))
        self._select(names[to], {})

    def _open_view(self, _: str, values: Mapping[str, str]) -> None:
        self._view = values["value"]
        if self._view:
            self._sift(views.open_view(self._wb, self._view, self.query))

    def _ask_name(self, _: str, __: Mapping[str, str]) -> None:
        self._saving = not self._saving
        self._draw_bar()
        if self._saving:
            self.widget.focus("#dx-name")

    def _save_view(self, _: str, values: Mapping[str, str]) -> None:
        self._view = views.save_view(self._wb, values.get("name", ""), self.query, self._sifter.word)
        self._saving = False
        self._draw_bar()
        self._tell(self._words("view.kept", name=self._views[self._view]))

    def _delete_view(self, arg: str, _: Mapping[str, str]) -> None:
        views.delete_view(self._wb, arg)
        self._view = ""
        self._draw_bar()
        self._tell(self._words("view.deleted"))

    def _show_code(self, _: str, __: Mapping[str, str]) -> None:
        copy = button(self._words("copy"), "copy_code", kind="main")
        self._lay_over(
            self._words("code.title"), f"<p>{self._words.html('code.note')}</p><pre>{escape(self.code)}</pre>{copy}"
        )

    def _copy_code(self, _: str, __: Mapping[str, str]) -> None:
        self.widget.copy(self.code)
        self._tell(self._words("copied"))

    def _copy(self, arg: str, _: Mapping[str, str]) -> None:
        run, number = self._named(arg)
        why = explain(self._wb, run.id, number, self._lang)
        facts = [
            arg,
            self._words.rule(why.result["rule_id"]),
            str(why.result["message"]),
            texts.day(why.result["date_service"]),
        ]
        facts += [str(why.result[name]) for name in ("invoice", "code", "doctor", "patient") if why.result[name]]
        self.widget.copy(" · ".join(facts))
        self._tell(self._words("copied"))

    def _export(self, arg: str, _: Mapping[str, str]) -> None:
        rows = self.frame.drop("related", "fingerprint", "run", "number")
        heads = exporting.titles(rows.columns, self._lang)
        name = f"constats-{self.query.run}"
        if arg == "xlsx":
            data = exporting.xlsx_bytes({self._words("tab.results"): rows}, self._lang, titles=heads)
            self.widget.download(f"{name}.xlsx", exporting.MEDIA["xlsx"], data)
        else:
            self.widget.download(
                f"{name}.csv", exporting.MEDIA["csv"], exporting.csv_bytes(rows, self._lang, titles=heads)
            )
        self._tell(self._words.plural("exported", rows.height))

    def _ask_aside(self, _: str, __: Mapping[str, str]) -> None:
        """Opens the form by which the result is set aside, or closes it."""
        if not self._selected or self._named(self._selected)[0].number != self._ledger.run.number:
            return
        self._asking = not self._asking
        self._draw_detail()
        if self._asking:
            self.widget.focus("#dx-reason")

    def _ack(self, arg: str, values: Mapping[str, str]) -> None:
        run, number = self._named(arg)
        numbers = self._alike(run, number) if values.get("scope") == "alike" else [number]
        until = day_of(values["until"]) if values.get("until") else None
        done = run.ack(*numbers, reason=values["reason"], note=values.get("note"), until=until)
        self._asking = False
        self._again(self._words.plural("acknowledged", done))

    def _tick(self, arg: str, _: Mapping[str, str]) -> None:
        if self._named(arg)[0].number == self._ledger.run.number:
            self._ticked ^= {arg}
            self._draw_table()

    def _tick_page(self, _: str, __: Mapping[str, str]) -> None:
        """Ticks all rows of the page, or none of them where all are."""
        page = sifting.page(self._selection, self.query.page).filter(run=self._ledger.run.number)
        names = frozenset(page.select(pl.format("{}:{}", "run", "number")).to_series())
        self._ticked = self._ticked - names if names <= self._ticked else self._ticked | names
        self._draw_table()

    def _untick(self, _: str, __: Mapping[str, str]) -> None:
        self._ticked = frozenset()
        self._draw_table()

    def _ask_ticked(self, _: str, __: Mapping[str, str]) -> None:
        """Opens the form by which the ticked results are set aside."""
        if self._ticked:
            form = detail.aside_form("ack_ticked", "", self._until, self._words, closing="close")
            self._lay_over(self._words.plural("ack.ticked", len(self._ticked)), form)

    def _ack_ticked(self, _: str, values: Mapping[str, str]) -> None:
        numbers = self._ticked_rows()["number"].to_list()
        until = day_of(values["until"]) if values.get("until") else None
        done = self._ledger.run.ack(*numbers, reason=values["reason"], note=values.get("note"), until=until)
        self._ticked = frozenset()
        self.widget.over = ""
        self._again(self._words.plural("acknowledged", done))

    def _alike(self, run: Run, number: int) -> list[int]:
        """The open results of the same rule and doctor, which the selection need not hold."""
        rows = self._ledger.rows.filter(run=run.number, status="open")
        this = self._ledger.rows.filter(run=run.number, number=number)
        alike = rows.join(this, on=["rule_id", "doctor"], how="semi")["number"].to_list()
        if len(alike) > MOST_ASIDE:
            raise UsageError("DL-VIEW-004", most=MOST_ASIDE)
        return sorted({number, *alike})

    def _unack(self, arg: str, _: Mapping[str, str]) -> None:
        run, number = self._named(arg)
        self._again(self._words.plural("unacknowledged", run.unack(number)))

    def _again(self, said: str) -> None:
        """Answers the same question after something was set aside."""
        self._ledger = self._ledger.refreshed()
        page = self.query.page
        self._ask(self.query)
        self._turn(self.query.but(page=page))
        self._draw()
        self._tell(said)

    def _edit(self, arg: str, values: Mapping[str, str]) -> None:
        row, _, column = arg.partition(":")
        run, number = self._named(self._selected)
        lines = explain(self._wb, run.id, number, self._lang).lines.filter(row_number=int(row)).to_dicts()
        if lines and column in lines[0]:
            self._trial.put(int(row), column, values.get("value", ""), detail.standing(lines[0], column))
            self._tried = Markup()
            self._draw_detail()

    def _judge(self, _: str, __: Mapping[str, str]) -> None:
        if self._trial.edits:
            found = self._ledger.run.whatif(self._trial.corrections, self._lang)
            self._tried = detail.tried(found, self._words)
            self._draw_detail()

    def _undo(self, _: str, __: Mapping[str, str]) -> None:
        self._trial, self._tried = Trial(), Markup()
        self._draw_detail()

    def _corrections(self, _: str, __: Mapping[str, str]) -> None:
        if self._trial.edits:
            self.widget.download(
                f"corrections-{self._ledger.run.number}.csv", exporting.MEDIA["csv"], self._trial.sheet()
            )
            self._tell(self._words("sheet.done", run=str(self._ledger.run.number)))

    def _help(self, _: str, __: Mapping[str, str]) -> None:
        keys = "".join(
            f"<dt>{' '.join(f'<kbd>{escape(part)}</kbd>' for part in key.split())}</dt>"
            f"<dd>{self._words.html(f'key.{n}')}</dd>"
            for n, key in enumerate(KEYS, 1)
        )
        self._lay_over(
            self._words("help.title"), f'<dl class="dx-pairs">{keys}</dl><p>{self._words.html("help.note")}</p>'
        )

    def _close(self, _: str, __: Mapping[str, str]) -> None:
        self.widget.over = ""

    def _lay_over(self, title: str, body: str) -> None:
        close = button("×", "close", kind="round", aria_label=self._words("close"), id="dx-close")
        self.widget.over = (
            f'<div class="dx-over" role="dialog" aria-modal="true" aria-label="{escape(title, quote=True)}">'
            f"<header><h2>{escape(title)}</h2>{close}</header>{body}</div>"
        )
        self.widget.focus("#dx-close")


ACTS: Mapping[str, Callable[[Explorer, str, Mapping[str, str]], None]] = {
    "run": Explorer._run,
    "compare": Explorer._compare,
    "search": Explorer._search,
    "facet": Explorer._facet,
    "clear": Explorer._clear,
    "rule": Explorer._rule,
    "invoice": Explorer._invoice,
    "more": Explorer._more,
    "measure": Explorer._measure,
    "tab": Explorer._tab,
    "sort": Explorer._sort,
    "page": Explorer._page,
    "select": Explorer._select,
    "next": Explorer._next,
    "previous": Explorer._previous,
    "open_view": Explorer._open_view,
    "saving": Explorer._ask_name,
    "save_view": Explorer._save_view,
    "delete_view": Explorer._delete_view,
    "code": Explorer._show_code,
    "copy_code": Explorer._copy_code,
    "copy": Explorer._copy,
    "export": Explorer._export,
    "asking": Explorer._ask_aside,
    "ack": Explorer._ack,
    "tick": Explorer._tick,
    "tick_page": Explorer._tick_page,
    "untick": Explorer._untick,
    "asking_ticked": Explorer._ask_ticked,
    "ack_ticked": Explorer._ack_ticked,
    "unack": Explorer._unack,
    "edit": Explorer._edit,
    "judge": Explorer._judge,
    "undo": Explorer._undo,
    "sheet": Explorer._corrections,
    "help": Explorer._help,
    "close": Explorer._close,
}
"""What the page may ask for, by the word that its pieces carry."""
