"""Who opens a page, and what the address asks for."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

import comm
from ipywidgets import Widget

from dashlib import texts

PAGES = ("error_rates", "common_rules", "patient_days", "explorer", "validate_file")


@dataclass(frozen=True)
class Visit:
    """What the address of a page asks for: a language, and filters by name; `base` is where the server's files are."""

    lang: texts.Language = "fr"
    filters: Mapping[str, str] = field(default_factory=dict)
    base: str | None = None

    def link(self, page: str, filters: Mapping[str, str]) -> str:
        """The address of a page of ours with these filters, in the visitor's language."""
        asked = urlencode({**({"lang": "en"} if self.lang == "en" else {}), **filters})
        return f"{page}.ipynb" + (f"?{asked}" if asked else "")


def visit(page: Callable[[Visit], object] | None = None) -> Visit:
    """The visit of whoever opens the page; a warm kernel has drawn `page` once for nobody, and waits here for him."""
    # Voila hands the request over in the kernel's environment: it is no setting.
    if os.environ.get("VOILA_PREHEAT") == "True":
        if page:
            _rehearse(page)
        os.environ.update(_request())
    asked = {name: values[-1] for name, values in parse_qs(os.environ.get("QUERY_STRING", "")).items()}
    lang: texts.Language = "en" if asked.pop("lang", "fr") == "en" else "fr"
    is_voila = os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
    return Visit(lang, asked, os.environ.get("VOILA_BASE_URL", "/") if is_voila else None)


def _rehearse(page: Callable[[Visit], object]) -> None:
    """Draws a page that nobody sees: what a first drawing loads and compiles is half a second of a visitor's time.

    Its figures are forgotten, and it tells the browser nothing; what is wrong with it the visitor's own page will say.
    """
    speaking, comm.create_comm = comm.create_comm, comm.DummyComm
    try:
        with suppress(Exception):  # by the time somebody comes it may be mended
            page(Visit(base="/"))
    finally:
        Widget.close_all()
        comm.create_comm = speaking


def _request() -> dict[str, str]:
    """What the visitor asks for, when he comes.

    Voila's own way of waiting loads all of Jupyter's server into the kernel: 20 MiB.
    """
    port, path, kernel = (os.environ[f"VOILA_{name}"] for name in ("APP_PORT", "SERVER_URL", "KERNEL_ID"))
    # The kernel's own loop runs this cell, so that another thread has to wait.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _told(f"ws://127.0.0.1:{port}{path}voila/query/{kernel}")).result()


async def _told(address: str) -> dict[str, str]:
    from tornado.websocket import websocket_connect

    server = await websocket_connect(address)
    return dict(json.loads(await server.read_message() or "{}"))
