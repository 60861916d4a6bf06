"""The workshop of rules: choose one, change it in a form, see what that would do, and keep it with a note.

Widgets over `drafts`: what a button does here, `dl.list_rules()` does in a program.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from html import escape
from typing import Any

import ipywidgets as widgets

from dashlib import markup, sheets, texts
from dashlib.drafts import Rulebook, RuleDraft, of_rule
from dashlib.edits import parameters, part_at, rule_data
from dashlib.failures import shielded
from dashlib.markup import Markup
from dashlib.preview import STATES, Preview
from dashlib.rulebook import sheet
from dashlib.workbench import Workbench, open_workbench

SPANS = (30, 90, 365)
EXAMPLES = 5
SHEET = "font-family: monospace; line-height: 1.4"
OWN = ("enabled", "severity", "threshold", "valid_from", "valid_to", "message.fr", "message.en")


class Workshop:
    """One rule at a time: its sheet, its form, and what a change would do.

    Args:
        rule: the name of the first rule shown; the first of all when it is empty.
        days: how far back a preview looks.
        lang: fr or en.

    Raises:
        NotFound: DL-RULE-404, there is no such rule.
    """

    def __init__(self, rule: str = "", *, days: int = 90, lang: str = "fr", wb: Workbench | None = None) -> None:
        self._wb, self._lang = wb or open_workbench(), lang
        book = Rulebook(self._wb)
        self.draft = book[rule] if rule else next(iter(book.values()))
        spans = sorted({*SPANS, days})
        self.rule = widgets.Dropdown(options=list(book), value=self.draft.before.name, description=self._word("rule"))
        self.days = widgets.Dropdown(
            options=[(texts.text("workshop.days", lang, days=n), n) for n in spans],
            value=days,
            description=self._word("span"),
        )
        self.fields: dict[str, widgets.Text] = {}
        self.more = widgets.Text(description=self._word("more"), placeholder="where.places=cabinet")
        self.note = widgets.Text(description=self._word("note"))
        self.form, self.sheet, self.said = widgets.VBox(), widgets.HTML(), widgets.HTML()
        self.buttons = {
            name: self._button(name, act)
            for name, act in (("preview", self.preview), ("save", self.save), ("undo", self.undo))
        }
        self.rule.observe(lambda change: self.choose(change["new"]), "value")
        self._fill()

    @property
    def widget(self) -> widgets.Widget:
        """The whole workshop."""
        acts = widgets.HBox([*self.buttons.values(), self.days])
        return widgets.VBox([self.rule, self.sheet, self.form, self.more, self.note, acts, self.said])

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """The widgets; where there are none to be had, in a notebook that was exported, the rule as a sheet."""
        return {**self.widget._repr_mimebundle_(**options), "text/html": self.sheet.value}

    def choose(self, name: str) -> None:
        """Takes up another rule; what was typed for the one before is gone."""
        with self._shielded():
            self.draft = of_rule(self._wb, name)
            self._fill()
            self.said.value = ""

    def changes(self) -> dict[str, str]:
        """What the form says otherwise than the rule, by path."""
        before = self._values()
        typed = {
            path: field.value.strip() for path, field in self.fields.items() if field.value.strip() != before[path]
        }
        path, sign, value = self.more.value.partition("=")
        return {**typed, path.strip(): value.strip()} if sign else typed

    def preview(self) -> None:
        """Shows what the form would change in the results; nothing is saved."""
        with self._shielded():
            shown = self._changed().preview(days=self.days.value, lang=self._lang)
            self.said.value = previewed(shown, self._lang)

    def save(self) -> None:
        """Keeps the form as a new version, with the note."""
        with self._shielded():
            self.draft = self._changed().save(note=self.note.value)
            facts = {"rule": self.draft.before.name, "version": str(self.draft.before.version)}
            self._fill()
            self.said.value = markup.state("good", texts.text("rule.saved", self._lang, **facts))

    def undo(self) -> None:
        """Puts the form back to the rule in force, read again."""
        with self._shielded():
            self.draft = of_rule(self._wb, self.draft.before.name)
            self._fill()
            self.said.value = markup.state("good", texts.text("workshop.undone", self._lang))

    def _changed(self) -> RuleDraft:
        return self.draft.with_(self.changes())

    def _fill(self) -> None:
        values = self._values()
        self.fields = {path: widgets.Text(value=value, description=path) for path, value in values.items()}
        for field in (*self.fields.values(), self.more, self.note):
            field.style.description_width = "16em"
            field.layout.width = "46em"
        self.form.children = tuple(self.fields.values())
        self.more.value = self.note.value = ""
        found = sheet(self._wb, self.draft.before.name)
        # The columns of a sheet stand only in a font of one width, which themes do not give to every `pre`.
        self.sheet.value = f"<pre style='{SHEET}'>{escape(sheets.sheet(found, self._lang))}</pre>"

    def _values(self) -> dict[str, str]:
        """What can be changed, as it is written in the form."""
        data = rule_data(self.draft.before)
        own = {path: part_at(data, path.split(".")) for path in OWN}
        return {path: _written(value) for path, value in (own | dict(parameters(self.draft.before))).items()}

    def _shielded(self) -> AbstractContextManager[None]:
        return shielded(lambda said: setattr(self.said, "value", said), self._lang)

    def _button(self, name: str, act: Callable[[], None]) -> widgets.Button:
        button = widgets.Button(description=self._word(name))
        button.on_click(lambda _: act())
        return button

    def _word(self, name: str) -> str:
        return texts.text(f"workshop.{name}", self._lang)


def _written(value: Any) -> str:
    return "" if value is None else sheets.written(value)


def previewed(shown: Preview, lang: str) -> Markup:
    """What a change would do: how much could be judged, before and after, and some results of each kind."""
    title = texts.text("preview.title", lang, rule=shown.before.name, version=str(shown.before.version))
    parts = [markup.card_head(title, sheets.coverage(shown, lang))]
    if shown.lines:
        parts += [_figures(shown, lang), *(_examples(shown, state, lang) for state in STATES)]
    return Markup("".join(parts))


def _figures(shown: Preview, lang: str) -> Markup:
    columns, rows = sheets.before_and_after(shown, lang)
    counted = [
        [texts.text(f"preview.{state}", lang), "", "", texts.integer(n, lang)] for state, n in shown.counts().items()
    ]
    titled = [(title, n > 0) for n, title in enumerate(columns)]
    return markup.table(columns[-1], titled, [[escape(cell) for cell in row] for row in [*rows, *counted]])


def _examples(shown: Preview, state: str, lang: str) -> Markup:
    some = shown.examples(EXAMPLES).filter(state=state)
    if some.is_empty():
        return Markup()
    names = ("rule", "run", "row", "date", "code", "amount", "doctor", "patient", "message")
    columns = [(texts.text(f"preview.column.{name}", lang), name == "amount") for name in names]
    rows = [
        [
            *(
                row["rule_id"],
                str(row["run"]),
                str(row["row_number"]),
                texts.day(row["date_service"]),
                row["code"] or texts.NULL,
            ),
            *(texts.money(row["amount"], lang), row["doctor"] or texts.NULL, row["patient"] or texts.NULL),
            row["message"],
        ]
        for row in some.to_dicts()
    ]
    said = texts.text(f"preview.examples.{state}", lang)
    return markup.table(said, columns, [[escape(cell) for cell in row] for row in rows])
