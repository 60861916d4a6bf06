"""« Valider un fichier »: hand in an export, watch its run, see what it found."""

from collections.abc import Callable, Mapping
from html import escape
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anywidget
import ipywidgets as widgets
import traitlets

from dashlib import exporting, markup, queue, texts, uploads
from dashlib.errors import DashError
from dashlib.failures import failed
from dashlib.markup import Markup
from dashlib.pages.base import MAY_LOOK, Notice, navigation, no_right
from dashlib.pages.controls import SCRIPTS, Saver, box
from dashlib.pages.visit import Visit
from dashlib.workbench import Workbench, open_workbench

if TYPE_CHECKING:
    from dashlib.runs import Run

NAME = "validate_file"


def opened(visit: Visit, wb: Workbench | None = None) -> "ValidateFile | Notice":
    """The page, or why there is none: no database, or no right."""
    lang = visit.lang
    try:
        wb = wb or open_workbench()
    except DashError as down:
        return Notice(NAME, visit, markup.state("failed", texts.text("page.down", lang), str(down)))
    if wb.viewer.role not in MAY_LOOK:
        return no_right(NAME, visit)
    return ValidateFile(wb, visit)


class Upload(anywidget.AnyWidget):
    """Takes a file of the browser in pieces, one after the other, each when the one before was taken."""

    _esm = SCRIPTS / "upload.js"
    limit = traitlets.Int().tag(sync=True)
    lang = traitlets.Unicode().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)


class ValidateFile:
    """The upload, how far its run is, and what came of it."""

    def __init__(self, wb: Workbench, visit: Visit) -> None:
        self._wb, self._visit, self._lang = wb, visit, visit.lang
        self._staging: _Staging | None = None
        self._run: UUID | None = None
        most = uploads.limit(wb)
        said = ("drop", "go", "stop", "progress", "unit", "empty", "large", "sending")
        words = {key: texts.text(f"upload.{key}", self._lang) for key in said}
        words["limit"] = texts.text("upload.limit", self._lang, limit=most // uploads.MIB)
        self._upload = Upload(limit=most, lang=self._lang, words=words)
        self._upload.on_msg(self._on_message)
        self._head = widgets.HTML(self._header())
        self._outcome = widgets.HTML()
        self._rejected = Saver.of(texts.text("upload.rejected", self._lang), self._lang, self._rejected_lines)
        self._after = box(widgets.VBox, "d-report d-after")

    @property
    def outline(self) -> Markup:
        return Markup(f'<main class="d-page d-still">{self._header()}</main>')

    @property
    def widget(self) -> widgets.Widget:
        intro = markup.card_head(texts.text("upload.title", self._lang), texts.text("upload.note", self._lang))
        card = box(widgets.VBox, "d-card", widgets.HTML(intro), self._upload)
        return box(widgets.VBox, "d-page d-live", self._head, card, self._after)

    def _header(self) -> Markup:
        title = texts.text(f"{NAME}.title", self._lang)
        return markup.head(title, texts.text("upload.lead", self._lang), "", links=navigation(NAME, self._visit, {}))

    def _on_message(self, _: object, asked: Mapping[str, Any], pieces: list[memoryview]) -> None:
        acts: dict[str, Callable[[Mapping[str, Any], list[memoryview]], None]]
        acts = {"begin": self._begin, "piece": self._take, "ask": self._watch, "stop": self._stop}
        try:
            acts[asked["act"]](asked, pieces)
        except DashError as refused:
            self._end(str(refused), bad=True)
        except Exception as failure:  # noqa: BLE001 - Voila would swallow it; the type is logged, the visitor is told
            self._after.children = (widgets.HTML(failed(failure, self._lang)),)
            self._end(texts.text("page.failed", self._lang), bad=True)

    def _begin(self, asked: Mapping[str, Any], _: object) -> None:
        self._after.children = ()
        self._run = None
        self._staging = _Staging(self._wb, str(asked["name"]))
        self._upload.send({"next": True})

    def _take(self, asked: Mapping[str, Any], pieces: list[memoryview]) -> None:
        if self._staging is None:
            return
        self._staging.take(bytes(pieces[0]))
        if not asked["last"]:
            self._upload.send({"next": True})
            return
        staged, self._staging = self._staging.end(), None
        self._run = uploads.submit(self._wb, staged)
        self._upload.send({"watch": True})

    def _watch(self, *_: object) -> None:
        """Says how far the run is; when it has ended, what came of it."""
        if self._run is None:
            return
        now = uploads.progress(self._wb, self._run)
        if not now.has_ended:
            phase = texts.text(f"upload.phase.{now.phase or 'waiting'}", self._lang)
            if now.phase == "waiting" and not queue.queue_state(self._wb).is_served:
                phase = texts.text("upload.no_worker", self._lang)
            self._upload.send({"share": now.share, "phase": phase})
            return
        self._conclude(self._run)

    def _conclude(self, run_id: UUID) -> None:
        # What tells of a run takes 20 MiB, which a page that nobody hands a file to does without.
        from dashlib.display import reason
        from dashlib.runs import find_run

        run = find_run(self._wb, run_id)
        if run.status == "completed":
            self._end(texts.text("upload.done", self._lang, run=run.number))
            self._show(run)
        else:
            self._end(reason(run, self._lang), bad=True)

    def _stop(self, *_: object) -> None:
        if self._staging is not None:
            self._staging.drop()
            self._staging = None
        elif self._run is not None and not uploads.cancel(self._wb, self._run):
            self._conclude(self._run)  # it had ended before
            return
        self._end(texts.text("upload.stopped", self._lang))

    def _end(self, said: str, *, bad: bool = False) -> None:
        self._upload.send({"ended": said, "bad": bad})

    def _show(self, run: "Run") -> None:
        """What was detected, what was found, what was rejected, and where to go on."""
        from dashlib.reports import Report

        lang, report = self._lang, Report(self._wb, str(run.id), self._lang)
        links = "".join(
            f'<a class="d-button" href="{escape(self._visit.link(page, asked))}">{escape(texts.text(key, lang))}</a>'
            for page, asked, key in (
                ("explorer", {"run": str(run.number)}, "sheet.explore"),
                ("error_rates", {}, "upload.to_rates"),
            )
        )
        parts = [
            widgets.HTML(Markup(f'<p class="d-acts">{links}</p>')),
            widgets.HTML(_detected(run, lang)),
            *(widgets.HTML(section) for section in (report.summary, report.rules, report.rejections)),
        ]
        self._after.children = (*parts, self._rejected) if run.figures["rejected_count"] else tuple(parts)

    def _rejected_lines(self) -> tuple[str, bytes]:
        """Why each line was rejected, and where it stands in the file; never what stood in it."""
        from dashlib.runs import find_run

        run = find_run(self._wb, self._run) if self._run else None
        if run is None:
            raise DashError("DL-RUN-404")
        lines = run.rejected.select("line_number", "error_code", "column_name")
        name = texts.text("upload.rejected.file", self._lang, run=run.number)
        return name, exporting.csv_bytes(lines, self._lang, titles=exporting.titles(lines.columns, self._lang))


class _Staging:
    """A copy in the making: pieces are handed to a thread that writes them, and that knows when there are too many."""

    def __init__(self, wb: Workbench, name: str) -> None:
        self._pieces: SimpleQueue[bytes | None] = SimpleQueue()
        self._staged: uploads.Upload | BaseException | None = None
        self._thread = Thread(target=self._stage, args=(wb, name), daemon=True)
        self._thread.start()

    def take(self, piece: bytes) -> None:
        if isinstance(self._staged, BaseException):
            raise self._staged
        self._pieces.put(piece)

    def end(self) -> uploads.Upload:
        """The copy, when all of it is written.

        Raises:
            ExportRefused: DL-UPL-001, it was larger than it may be.
        """
        self._pieces.put(None)
        self._thread.join()
        if not isinstance(self._staged, uploads.Upload):
            raise self._staged or RuntimeError
        return self._staged

    def drop(self) -> None:
        """Deletes what was written."""
        self.end().path.unlink(missing_ok=True)

    def _stage(self, wb: Workbench, name: str) -> None:
        try:
            self._staged = uploads.stage(wb, name, iter(self._pieces.get, None))
        except BaseException as refused:  # noqa: BLE001 - it is raised again where the visitor waits for it
            self._staged = refused


def _detected(run: "Run", lang: str) -> Markup:
    """What the file was taken for."""
    figures = run.figures
    names = {"\t": texts.text("upload.tab", lang)}
    facts = {
        "encoding": figures["encoding"] or texts.NULL,
        "delimiter": names.get(figures["delimiter"], figures["delimiter"]) or texts.NULL,
        "lines": texts.integer(figures["line_count"], lang),
        "records": texts.integer(figures["record_count"], lang),
        "rejected_lines": texts.integer(figures["rejected_count"] or 0, lang),
    }
    items = "".join(
        f"<dt>{escape(texts.text(f'upload.{name}', lang))}</dt><dd>{escape(value)}</dd>"
        for name, value in facts.items()
    )
    return markup.card(texts.text("upload.detected", lang), "", f'<dl class="d-facts">{items}</dl>')
