"""Makes the report of a schedule's period, once, and sends its figures to its readers; the files stay in place."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from dashlib import mailing, periodicals, schedules
from dashlib.errors import DashError, MailFailed, UsageError
from dashlib.periodicals import Written
from dashlib.schedules import Options
from dashlib.workbench import Workbench, on_behalf_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivered:
    """What became of a report; `unsent` is why its mail did not leave, if it did not."""

    schedule: str
    written: Written
    unsent: MailFailed | None


def make(wb: Workbench, report: UUID, *, again: bool = False) -> Delivered | None:
    """Makes a report of `report_runs` in its owner's name, and tells there what became of it.

    None where there is nothing to do, because it is done (unless it is wanted `again`), gone, or made by another just
    now. A report whose mail does not leave is made all the same.

    Raises:
        DashError: why it could not be made; it is tried again later.
        UsageError: DL-SCHED-006, it is wanted again while another makes it.
    """
    with schedules.alone(wb, report) as mine:
        if not mine:
            if again:
                raise UsageError("DL-SCHED-006")
            return None
        todo = schedules.begin(wb, report, again=again)
        if todo is None:
            return None
        options = Options(**todo["options"])
        try:
            written = _write(wb, todo, options)
        except BaseException as stopped:
            schedules.finish(wb, report, status="failed", error_code=_code(stopped))
            raise
        return Delivered(todo["name"], written, _send(wb, report, written, options))


def _write(wb: Workbench, todo: dict[str, Any], options: Options) -> Written:
    owner = on_behalf_of(wb, todo["user_id"])
    asked = options.model_dump(exclude={"mail"})
    return periodicals.write(owner, todo["kind"], todo["since"], todo["until"], **asked)


def _send(wb: Workbench, report: UUID, written: Written, options: Options) -> MailFailed | None:
    """The report is kept before its mail leaves: who is stopped in between neither loses it nor mails twice."""
    kept: dict[str, Any] = {
        "status": "partial" if written.failed_sections else "done",
        "paths": [str(path) for path in written.paths],
        "failed_sections": list(written.failed_sections),
        "mail_error": None,
    }
    schedules.finish(wb, report, **kept, mail="sending" if options.mail else "none")
    if not options.mail:
        return None
    try:
        mailing.send(wb.settings, options.mail, written.subject, written.body, _files(written))
    except MailFailed as unsent:
        log.warning("report %s: its mail was not sent, %s", report, unsent.code)
        schedules.finish(wb, report, mail="failed", mail_error=unsent.code)
        return unsent
    schedules.finish(wb, report, mail="sent")
    return None


def _files(written: Written) -> tuple[Path, ...]:
    return tuple(path for path in written.paths if path.suffix in (".html", ".pdf", ".xlsx"))


def _code(stopped: BaseException) -> str:
    if isinstance(stopped, DashError):
        return stopped.code
    return "DL-SCHED-009" if isinstance(stopped, KeyboardInterrupt) else "DL-SCHED-008"
