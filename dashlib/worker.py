"""Works on the queue in the foreground: makes the reports that are due, validates uploads, and keeps the queue clean.

Any number of workers share one queue. Each takes a job alone; one that dies is noticed by its silence, and its jobs are
taken up by the others.
"""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING, Any
from uuid import UUID

from dashlib import delivery, queue, reference, schedules, texts, uploads
from dashlib.errors import DashError, DatabaseUnavailable
from dashlib.notebook import environment, surroundings
from dashlib.settings import Settings
from dashlib.workbench import Workbench

if TYPE_CHECKING:
    from procrastinate import App, JobContext

AT_ONCE = 2  # so that an upload need not wait for a report
PATIENCE_S = 5  # before a database that did not answer is asked again
INTERRUPTED = 130
CHILD = "--beside"  # what tells a worker that it ends with whoever holds its input

type Say = Callable[[str], None]


def serve(wb: Workbench, *, lang: str = "fr", once: bool = False, ends_with_input: bool = False) -> None:
    """Works until it is interrupted, or `once`, until nothing is due and the queue is empty.

    The first interruption lets it finish what it has begun; the second ends the process.

    Raises:
        DatabaseUnavailable: with `once` only; else it waits until the database answers again.
    """
    reference.warm(wb)
    # What they have to say is said below; they would quote exceptions in full.
    for library in ("procrastinate", "psycopg.pool"):
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)
    worker = _Worker(wb, lang)
    with surroundings(wb.settings):  # once, because jobs run beside each other
        asyncio.run(worker.work_once() if once else worker.work(ends_with_input=ends_with_input))


def beside(settings: Settings) -> "subprocess.Popen[bytes]":
    """Starts one worker in a process of its own; it ends when this process does, however that ends.

    Whoever starts it keeps what is given: its input is what ties the two together.
    """
    command = (sys.executable, "-m", "dashlib", "worker", CHILD)
    surroundings = os.environ | environment(settings)
    # In a session of its own: an interruption at the terminal is meant for who started it.
    return subprocess.Popen(
        command, env=surroundings, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )


@dataclass
class _Worker:
    wb: Workbench
    lang: str
    stopping: bool = False
    running: "asyncio.Task[None] | None" = field(default=None, init=False)

    async def work_once(self) -> None:
        app = self._app()
        with queue.answering(self.wb.database):
            async with app.open_async():
                await _tick(app, self.wb)
                await self._run(app, wait=False, concurrency=1)

    async def work(self, *, ends_with_input: bool) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        if ends_with_input:
            Thread(target=_when_input_ends, args=(loop, self._end), daemon=True).start()
        while not self.stopping:
            with suppress(DatabaseUnavailable), queue.answering(self.wb.database):
                app = self._app()
                async with app.open_async():
                    self._say("worker.ready")
                    await self._run(app, wait=True, concurrency=AT_ONCE)
            if not self.stopping:
                self._say("worker.waiting", seconds=PATIENCE_S)
                await asyncio.sleep(PATIENCE_S)
        self._say("worker.stopped")

    async def _run(self, app: "App", *, wait: bool, concurrency: int) -> None:
        self.running = asyncio.create_task(
            app.run_worker_async(
                wait=wait,
                concurrency=concurrency,
                install_signal_handlers=False,
                update_heartbeat_interval=queue.BEAT_S,
                stalled_worker_timeout=queue.SILENT_S,
            )
        )
        with suppress(asyncio.CancelledError):
            await self.running

    def _stop(self) -> None:
        if self.stopping:
            os._exit(INTERRUPTED)  # a job is in a thread, which cannot be ended otherwise
        self._say("worker.stopping")
        self._end()

    def _end(self) -> None:
        self.stopping = True
        if self.running is not None:
            self.running.cancel()

    def _app(self) -> "App":
        app = queue.open_queue(self.wb.database)
        app.task(name=queue.REPORT)(self._told(queue.REPORT, self._report))
        app.task(name=queue.UPLOAD)(self._told(queue.UPLOAD, self._upload))

        @app.periodic(cron="* * * * *", queueing_lock=queue.TICK)
        @app.task(name=queue.TICK, pass_context=True)
        async def tick(context: "JobContext", timestamp: int) -> None:
            await _tick(context.app, self.wb)

        return app

    def _report(self, of: UUID) -> str | None:
        made = delivery.make(self.wb, of)
        if made is None:
            return None
        missing = made.written.failed_sections
        return "worker.mail" if made.unsent else "worker.partial" if missing else "worker.done"

    def _upload(self, of: UUID) -> str | None:
        uploads.carry_out(self.wb, of)
        return "worker.done"

    def _told(self, task: str, work: Callable[[UUID], str | None]) -> Callable[[str], None]:
        """A job that says in a line what it was and how it ended. What is wrong with it stands in our own tables."""

        def job(id: str) -> None:
            began = time.monotonic()
            try:
                ended = work(UUID(id))
            except DashError as error:
                self._say("worker.failed", task=task, id=id, code=error.code)
            # The queue keeps a job whose function fails as failed; its words could quote a value.
            except Exception as defect:
                self._say("worker.failed", task=task, id=id, code=type(defect).__name__)
                raise
            else:
                seconds = texts.decimal(time.monotonic() - began, self.lang, 1)
                self._say(ended or "worker.nothing", task=task, id=id, seconds=seconds)

        return job

    def _say(self, key: str, **facts: Any) -> None:
        what = {"task": texts.text(f"worker.task.{facts['task']}", self.lang)} if "task" in facts else {}
        clock = datetime.now(texts.TORONTO)
        sys.stderr.write(f"{clock:%Y-%m-%d %H:%M:%S}  {texts.text(key, self.lang, **(facts | what))}\n")
        sys.stderr.flush()


async def _tick(app: "App", wb: Workbench) -> None:
    """Each minute: takes up what a dead worker left, puts in what is due, and clears away what is long done."""
    await _take_up(app)
    for task, found in ((queue.REPORT, _due), (queue.UPLOAD, uploads.to_do)):
        for of in await asyncio.to_thread(found, wb):
            await queue.defer_beside(app, task, of)
    await app.job_manager.prune_stalled_workers(queue.SILENT_S)
    await app.job_manager.delete_old_jobs(
        queue.KEEP_H, include_failed=True, include_cancelled=True, include_aborted=True
    )
    await asyncio.to_thread(uploads.clear_left_copies, wb)


def _due(wb: Workbench) -> list[UUID]:
    return schedules.due(wb, datetime.now(UTC))


async def _take_up(app: "App") -> None:
    from procrastinate.exceptions import ConnectorException
    from procrastinate.jobs import Status

    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=queue.SILENT_S):
        try:
            await app.job_manager.retry_job(job)
        # The same job waits already a second time, or another worker was quicker; that one is enough.
        except ConnectorException:
            with suppress(ConnectorException):
                await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)


def _when_input_ends(loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
    sys.stdin.buffer.read()
    with suppress(RuntimeError):  # it ended before
        loop.call_soon_threadsafe(then)
