"""Sections of a report: each is made apart, and one that fails says so in its place, so that the report still ends."""

from collections.abc import Callable
from html import escape
from typing import Any, Protocol

from dashlib import markup, texts
from dashlib.errors import DatabaseUnavailable
from dashlib.failures import reference
from dashlib.markup import Markup

SECTIONS = ("cover", "trend", "rules", "doctors", "patients", "to_do", "changes", "annex")
"""In the order of the paper."""


class Section(Markup):
    """A section as a notebook shows it; beside the HTML its output tells programs what it is, and whether it failed."""

    told: dict[str, str]

    @classmethod
    def of(cls, html: str, **told: str) -> "Section":
        made = cls(html)
        made.told = told
        return made

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        return {"text/html": str(self), "text/plain": repr(self)}, {"dashlib": self.told}


class Sectioned(Protocol):
    """What has sections; `failed` are the names of those that were asked for and could not be made."""

    @property
    def lang(self) -> str: ...
    @property
    def failed(self) -> list[str]: ...


def section[R: Sectioned](make: Callable[[R], str]) -> Callable[[R], Section]:
    """A section that shows its failure in its place. Of the failure only its kind is told: it could hold a value.

    A database that does not answer stops the whole report: it is tried again later.
    """
    name = make.__name__.lstrip("_")

    def guarded(report: R) -> Section:
        try:
            return Section.of(make(report), section=name)
        except DatabaseUnavailable:
            raise
        except Exception as failure:  # noqa: BLE001 - a kernel would show a traceback, with values in it
            report.failed.append(name)
            told = {"section": name, "failed": type(failure).__name__, "reference": reference()}
            return Section.of(_failed(name, told["reference"], report.lang), **told)

    guarded.__doc__ = make.__doc__
    return guarded


def headed(name: str, lang: str, body: str, *, note: str = "") -> str:
    """A section under its title, with a note on what it shows."""
    said = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<section class="p-{name}"><h2>{escape(texts.text(f"paper.{name}", lang))}</h2>{said}{body}</section>'


def _failed(name: str, reference: str, lang: str) -> str:
    sentence, advice = (texts.text(f"paper.failed{part}", lang, reference=reference) for part in ("", ".advice"))
    return headed(name, lang, markup.state("failed", sentence, advice))
