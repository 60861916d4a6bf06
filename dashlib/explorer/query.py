"""What somebody asks of a run's results: values that he chose, a word, an order, a page; and the same as code. Pure.

A question holds pseudonyms, never identities, so that it can be kept, told, and pasted into a program.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any, Literal, Self

import polars as pl

Tab = Literal["rules", "results", "invoices"]
Facet = Literal["severity", "rule_id", "doctor", "lieu_de_pratique", "code", "days", "status", "state", "invoice"]

TABS: tuple[Tab, ...] = ("rules", "results", "invoices")
FACETS: tuple[Facet, ...] = ("severity", "rule_id", "doctor", "lieu_de_pratique", "code", "days", "status", "state")
"""Those that have a list of their own beside the table; `invoice` is chosen in it, `state` only when comparing."""

STAKES = ("at_risk", "to_repay", "gain")
SORTS = ("severity", "stake", "rule_id", "doctor", "date_service", "invoice", "days_left")
MOST_FIRST = ("stake",)
"""The order in which the first click sorts: money from the most, all else from the least."""

OF_NOW = {"run", "compare", "page"}
"""What a saved view leaves to whoever opens it."""

PAGE = 50

BANDS: dict[str, tuple[int | None, int | None]] = {
    "late": (None, -1),
    "15": (0, 15),
    "30": (16, 30),
    "60": (31, 60),
    "90": (61, None),
}
NO_DAYS = "none"
"""The band of what has no such limit, or none that is known: a paid line, or one without its date."""

NUMBERS = ("code", "invoice", "id_ramq")
PEOPLE = ("doctor", "patient")


@dataclass(frozen=True)
class Query:
    """A question about the results of a run; an empty facet asks for all, an empty text in it for those without one.

    `compare`: the number of an earlier run, beside which each result is new, persisting, fixed, or of a changed rule.
    `sort`: one of SORTS, with - from the most; by severity the gravest come first, and of those the most at stake.
    `measure`: the sum that facets show. `page` counts from 1.
    """

    run: int | None = None
    compare: int | None = None
    severity: tuple[str, ...] = ()
    rule_id: tuple[str, ...] = ()
    doctor: tuple[str, ...] = ()
    lieu_de_pratique: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    invoice: tuple[str, ...] = ()
    word: str = ""
    sort: str = "severity"
    measure: str = "at_risk"
    tab: Tab = "results"
    page: int = 1

    @property
    def chosen(self) -> dict[Facet, tuple[str, ...]]:
        """The facets that ask for something, with their values."""
        return {name: getattr(self, name) for name in (*FACETS, "invoice") if getattr(self, name)}

    @property
    def is_filtered(self) -> bool:
        return bool(self.chosen or self.word)

    def toggled(self, facet: Facet, value: str) -> Self:
        """With the value chosen, or no longer; on the first page."""
        before: tuple[str, ...] = getattr(self, facet)
        after = tuple(v for v in before if v != value) if value in before else (*before, value)
        return self.but(**{facet: after})

    def but(self, **changes: Any) -> Self:
        """The question with changes; whatever changes the rows starts again on the first page."""
        return replace(self, **({"page": 1} | changes))

    def cleared(self) -> Self:
        """Everything of these runs, in the same order."""
        return self.but(word="", **dict.fromkeys((*FACETS, "invoice"), ()))

    def sorted_by(self, column: str) -> Self:
        """By this column; the other way round when it was."""
        first = f"-{column}" if column in MOST_FIRST else column
        other = column if first != column else f"-{column}"
        return self.but(sort=other if self.sort == first else first)

    def kept(self) -> dict[str, Any]:
        """What a saved view holds: what was chosen, but neither the runs nor the page, for it is asked of others."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.name not in OF_NOW}

    def opened(self, kept: Mapping[str, Any]) -> Self:
        """The question of a saved view, of these runs. What this version does not know is left out."""
        known = {f.name for f in fields(self)} - OF_NOW
        values = {name: tuple(v) if isinstance(v, list) else v for name, v in kept.items() if name in known}
        asked = self.but(**values)
        return asked if asked.compare else asked.but(state=())


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Word:
    """What a searched word stands for: by column the texts that rows begin with, a line's number, and rules."""

    begins: Mapping[str, str] = field(default_factory=dict)
    row_number: int | None = None
    rules: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.begins or self.row_number is not None or self.rules)


def meaning(word: str, rules: Mapping[str, str]) -> Word:
    """What somebody who types this looks for: a number, a pseudonym, or a rule by its name or words.

    Args:
        rules: all that a rule says, by its name, in lower case and without accents (`folded`).
    """
    typed = word.strip()
    if person := re.fullmatch(r"(MÉD|MED|PAT)-[0-9A-F]*", typed.upper()):
        of = "patient" if person[1] == "PAT" else "doctor"
        return Word({of: typed.upper().replace("MED-", "MÉD-")})
    said = tuple(name for name, words in rules.items() if folded(typed) in words) if typed else ()
    if re.fullmatch("[0-9]{1,11}", typed):
        return Word(dict.fromkeys(NUMBERS, typed), int(typed), said)
    return Word(rules=said)


def folded(text: str) -> str:
    """In lower case and without French accents, so that «periodique» finds «Périodique»."""
    return text.casefold().translate(_PLAIN)


_PLAIN = str.maketrans("àâäçéèêëîïôöùûüÿœ", "aaaceeeeiioouuuyo")


@dataclass(frozen=True)
class Limit:
    """Within how many days a service is billed, and the day from which they are counted."""

    days: int
    as_of: date

    @property
    def left(self) -> pl.Expr:
        """Days that are left for an unpaid line, below 0 when they have passed; null where none is known."""
        passed = (pl.lit(self.as_of) - pl.col("date_service")).dt.total_days()
        return pl.when(~pl.col("is_paid")).then(self.days - passed)

    @property
    def code(self) -> str:
        """The same for a line that is not paid, as Python."""
        day = f"date({self.as_of.year}, {self.as_of.month}, {self.as_of.day})"
        return f'({self.days} - (pl.lit({day}) - pl.col("date_service")).dt.total_days())'


def band() -> pl.Expr:
    """The band of `days_left`."""
    found: Any = pl
    for name, (least, most) in BANDS.items():
        found = found.when(_within("days_left", least, most)).then(pl.lit(name))
    expression: pl.Expr = found.otherwise(pl.lit(NO_DAYS))
    return expression


def _within(column: str, least: int | None, most: int | None) -> pl.Expr:
    if least is None:
        return pl.col(column) <= most
    return pl.col(column) >= least if most is None else pl.col(column).is_between(least, most)


def code(query: Query, word: Word, *, limit: Limit, compared: Sequence[str] = ()) -> str:
    """Python that gives the same rows in the same order, by `run.results` or `run.diff`.

    Args:
        word: what the searched word means.
        limit: how days left are counted.
        compared: with a second run, the frames of its comparison that hold the states asked for.
    """
    source = f"dl.run({query.run}).results"
    if query.compare is not None:
        parts = ", ".join(f"found.{name}" for name in compared)
        source = f'pl.concat([{parts}], how="diagonal")'
    first = [f"found = dl.run({query.run}).diff(dl.run({query.compare}))"] if query.compare is not None else []
    filters = [*_by_values(query), *_by_days(query, limit), *_by_status(query), *_by_word(word)]
    if query.word and word.is_empty:
        filters = ["pl.lit(False)"]
    lines = ["import polars as pl", "import dashlib as dl"]
    lines += ["from datetime import date"] if query.days or "days_left" in query.sort else []
    said = "".join(f"\n    {each}," for each in filters)
    filtered = f".filter({said}\n)" if filters else ""
    return "\n".join([*lines, "", *first, f"results = {source}{filtered}{_sorted(query, limit)}"])


def _by_values(query: Query) -> list[str]:
    columns = ("severity", "rule_id", "doctor", "lieu_de_pratique", "code", "invoice")
    chosen = {name: getattr(query, name) for name in columns if getattr(query, name)}
    return [f'pl.col("{name}").fill_null("").is_in({_listed(values)})' for name, values in chosen.items()]


def _by_days(query: Query, limit: Limit) -> list[str]:
    if not query.days:
        return []
    left = limit.code
    said = []
    for name in query.days:
        least, most = BANDS.get(name, (None, None))
        if name == NO_DAYS:
            said.append('pl.col("is_paid").fill_null(True) | pl.col("date_service").is_null()')
        elif least is None:
            said.append(f'~pl.col("is_paid") & ({left} <= {most})')
        elif most is None:
            said.append(f'~pl.col("is_paid") & ({left} >= {least})')
        else:
            said.append(f'~pl.col("is_paid") & {left}.is_between({least}, {most})')
    return [f"pl.any_horizontal({', '.join(f'({each})' for each in said)}).fill_null(False)"]


def _by_status(query: Query) -> list[str]:
    if len(set(query.status)) != 1:
        return []
    return ['pl.col("acknowledged").is_null()' if query.status[0] == "open" else 'pl.col("acknowledged").is_not_null()']


def _by_word(word: Word) -> list[str]:
    said = [
        f'pl.col("{column}").str.starts_with({json.dumps(text, ensure_ascii=False)})'
        for column, text in word.begins.items()
    ]
    said += [f'pl.col("row_number") == {word.row_number}'] if word.row_number is not None else []
    said += [f'pl.col("rule_id").is_in({_listed(word.rules)})'] if word.rules else []
    return [f"pl.any_horizontal({', '.join(said)}).fill_null(False)"] if said else []


def _sorted(query: Query, limit: Limit) -> str:
    column = query.sort.removeprefix("-")
    stake = f"pl.max_horizontal({', '.join(json.dumps(name) for name in STAKES)})"
    by = {
        "stake": stake,
        "severity": f'pl.col("severity").replace_strict({{"error": 0, "warning": 1, "info": 2}}), {stake}',
        "days_left": f'pl.when(~pl.col("is_paid")).then({limit.code})',
    }.get(column, f'pl.col("{column}")')
    is_down = query.sort.startswith("-")
    down = [is_down, True] if column == "severity" else is_down
    # A sort that keeps the order of equals leaves them in that of their numbers.
    return f".sort({by}, descending={down}, nulls_last=True, maintain_order=True)"


def _listed(values: Sequence[str]) -> str:
    return json.dumps(list(values), ensure_ascii=False)
