"""Voila as we serve it: a page for the visitor who finds no seat, and a script that a browser fetches once.

Loaded where dashboards are served: Voila takes a second to import.
"""

import asyncio
import threading
import webbrowser
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jupyter_server.utils import url_path_join
from tornado.web import StaticFileHandler, authenticated
from voila.app import Voila
from voila.static_file_handler import MultiStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler

PATIENCE_S, POLL_S = 2.0, 0.2
"""Who comes when all seats are taken waits so long: whoever reloads his page has just left one."""

AGAIN_S = 10
BUNDLE = f"dashlib/voila-{version('voila')}"
YEAR_S = 365 * 24 * 3600


class PageHandler(TornadoVoilaHandler):  # type: ignore[misc]  # Voila is not typed
    """A page for whoever finds a seat; for all others words, and another try soon."""

    async def get(self, path: str | None = None) -> None:
        if not await self._finds_a_seat():
            self._refuse()
            return
        kernels, visit = self.kernel_manager, asyncio.current_task()
        if not kernels.is_warm(path):
            kernels.arriving.add(visit)
        try:
            await super().get(path)
        finally:
            kernels.arriving.discard(visit)

    async def _finds_a_seat(self) -> bool:
        for _ in range(int(PATIENCE_S / POLL_S)):
            if self.kernel_manager.visitors < self.kernel_manager.most:
                await self.kernel_manager.make_room()
                return True
            await asyncio.sleep(POLL_S)
        return False

    @authenticated
    def _refuse(self) -> None:
        lang = "en" if self.get_argument("lang", "fr") == "en" else "fr"
        words = self.voila_configuration.resources["words"][lang]
        self.set_status(503)
        self.set_header("Retry-After", str(AGAIN_S))
        self.set_header("Cache-Control", "no-store")
        self.finish(self.render_template("full.html", lang=lang, words=words, again_s=AGAIN_S))


class KeptFiles(MultiStaticFileHandler):  # type: ignore[misc]
    """Files under an address of one version: a browser that has them never asks again."""

    def get_cache_time(self, *_: Any) -> int:
        return YEAR_S


class Dashboards(Voila):  # type: ignore[misc]
    """Voila with our handlers; `script` draws charts, `page` is opened in the browser."""

    script: Path
    page: str

    def init_handlers(self) -> list[Any]:
        charts = (self._at(f"dashlib/({self.script.name})"), StaticFileHandler, {"path": str(self.script.parent)})
        bundle = (self._at(f"{BUNDLE}/(.*)"), KeptFiles, {"paths": self.static_paths})
        theirs = [
            (address, PageHandler if handler is TornadoVoilaHandler else handler, *rest)
            for address, handler, *rest in super().init_handlers()
        ]
        return [charts, bundle, *theirs]

    def launch_browser(self) -> None:
        threading.Thread(target=webbrowser.open, args=(self.page,), daemon=True).start()

    def _at(self, path: str) -> str:
        return str(url_path_join(self.base_url, path))


def bundle_address(config: dict[str, Any], base_url: str = "/", **_: Any) -> dict[str, Any]:
    """Where a page finds Voila's scripts: at the address of their version."""
    return config | {"fullStaticUrl": url_path_join(base_url, BUNDLE)}
