"""What can go wrong that a user can mend: a code, where it is, what to do, and an exit code.

The words are in `dashlib.texts`, by code, in French and English. A fact given to an error is a number, a name of a
file's column, a rule or a code of ours; never the content of a cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from dashlib import texts
from dashlib.texts import Phrase, Phrases

type Fact = str | int | Phrase | Phrases

Level = Literal["refused", "rejected", "warning"]


@dataclass(frozen=True)
class Fault:
    """One kind of fault found in an export, with the places where it stands.

    `level` is what it did: refused the file, rejected lines, or only a warning. `lines` are the first 20 physical line
    numbers (the header is line 1), `count` how many there are in all, `column` a column of `records.COLUMNS`.
    """

    code: str
    level: Level
    lines: tuple[int, ...] = ()
    count: int = 1
    column: str | None = None
    facts: dict[str, Fact] = field(default_factory=dict)


class DashError(Exception):
    """Something that the user can act on. All else is a bug and shows its traceback."""

    exit_code: ClassVar[int]

    def __init__(self, code: str, **facts: Fact) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts

    def __str__(self) -> str:
        return texts.error(self.code, self.facts)


class ExportRefused(DashError):
    """The file cannot be validated at all; `faults` lists every reason found in one pass."""

    exit_code = 3

    def __init__(self, code: str, faults: Sequence[Fault] = (), **facts: Fact) -> None:
        super().__init__(code, **facts)
        self.faults = tuple(faults)


class ExportMissing(ExportRefused):
    """There is no such file; nothing of it was kept."""

    exit_code = 8


class CorrectionsRefused(ExportRefused):
    """Corrections of lines cannot be read, or are of lines that are not there; nothing was judged."""


class TicksRefused(DashError):
    """A workbook that was given back cannot be read; nothing of it was kept."""

    exit_code = 3


class RuleError(DashError):
    """A rule or reference file is refused; nothing of it was kept."""

    exit_code = 4


class DatabaseUnavailable(DashError):
    """PostgreSQL cannot be reached, is full, or is not ready for this version."""

    exit_code = 5


class CacheUnavailable(DashError):
    """Somebody asked about the cache itself, and it does not answer. Whoever only uses it works without it."""

    exit_code = 5


class AccessDenied(DashError):
    """The viewer has no right to this, or nobody knows who he is."""

    exit_code = 6


class NotebookFailed(DashError):
    """A notebook stopped before its end; what it had made is kept beside the report."""

    exit_code = 7


class PdfUnavailable(DashError):
    """This system cannot make PDF; what else was asked for is written."""

    exit_code = 7


class NotFound(DashError):
    """No such run, file or rule."""

    exit_code = 8


class UsageError(DashError):
    """The command was asked for something that it does not do."""

    exit_code = 2


class Cancelled(DashError):
    """Somebody said that the work is no longer wanted; nothing of it was kept."""

    exit_code = 130


class MailFailed(DashError):
    """A message could not be sent; what it speaks of is where it was written."""

    exit_code = 7
