"""Serves the dashboards with Voila: to this machine only, in our look, a kernel kept warm, no request outside."""

import os
import socket
import sys
import webbrowser
from pathlib import Path
from threading import Thread
from typing import Any

from dashlib import resources, texts
from dashlib.chart_script import offline_charts, script_name
from dashlib.errors import UsageError
from dashlib.notebook import environment
from dashlib.settings import Settings

HOST = "127.0.0.1"
FIRST_PAGE = "error_rates.ipynb"
ASSETS = Path(__file__).parent / "assets" / "jupyter"
IDLE_S = 300
WARM_KERNELS = 1
"""Two cores warm one kernel while a page is looked at; each costs about 170 MiB."""

# Nothing of a page may come from elsewhere, whatever an extension of Jupyter would like to load. Widgets are scripts
# made of text, hence the two `unsafe`.
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' blob: 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' ws://127.0.0.1:* ws://localhost:* data: blob:; "
    "frame-ancestors 'self'; object-src 'none'"
)


def address(port: int, page: str = FIRST_PAGE) -> str:
    """Where a dashboard is."""
    return f"http://{HOST}:{port}/voila/render/{page}"


def serve(settings: Settings, *, port: int = 8866, browser: bool = True, lang: str = "fr") -> None:
    """Serves until it is interrupted, and opens the first page in the browser.

    Raises:
        UsageError: DL-SERVE-001, something else listens on `port`.
    """
    from voila.app import Voila

    if not is_free(port):
        raise UsageError("DL-SERVE-001", port=port, other=port + 1)
    os.environ.update(environment(settings), JUPYTER_PATH=jupyter_path())
    page = address(port) + ("?lang=en" if lang == "en" else "")

    script = offline_charts(settings.home / "cache")

    class Dashboards(Voila):  # type: ignore[misc]  # Voila is not typed
        def init_handlers(self) -> list[Any]:
            return [_charts(self.base_url, script), *super().init_handlers()]

        def launch_browser(self) -> None:
            Thread(target=webbrowser.open, args=(page,), daemon=True).start()

    sys.stderr.write(f"{texts.text('serve.ready', lang, address=page)}\n{texts.text('serve.stop', lang)}\n")
    app = Dashboards(config=_config(port, browser=browser))
    app.initialize([str(resources.folder("dashboards"))])
    app.start()


def _config(port: int, *, browser: bool) -> Any:
    from traitlets.config import Config

    words = {lang: {key: texts.text(f"page.{key}", lang) for key in PAGE_WORDS} for lang in texts.LANGUAGES}
    return Config(
        {
            "Voila": {
                "ip": HOST,
                "port": port,
                "port_retries": 0,
                "open_browser": browser,
                "log_level": "WARN",
                # A page of another site that points its own name at this machine is refused.
                "tornado_settings": {"headers": {"Content-Security-Policy": POLICY}, "allow_remote_access": False},
            },
            "VoilaConfiguration": {
                "template": "dashlib",
                "allow_template_override": "NO",
                "allow_theme_override": "NO",
                "classic_tree": True,
                "show_tracebacks": False,
                "strip_sources": True,
                "file_allowlist": [],
                "preheat_kernel": True,
                "default_pool_size": WARM_KERNELS,
                "resources": {"words": words, "charts": script_name()},
            },
            "MappingKernelManager": {"cull_idle_timeout": IDLE_S, "cull_interval": 60, "cull_connected": False},
            "KernelManager": {"transport_encryption": "auto"},
        }
    )


def _charts(base: str, script: Path) -> Any:
    """Where the script that draws charts is had: a browser fetches it once, and no kernel sends it."""
    from jupyter_server.utils import url_path_join
    from tornado.web import StaticFileHandler

    return (url_path_join(base, "dashlib", f"({script.name})"), StaticFileHandler, {"path": str(script.parent)})


PAGE_WORDS = ("loading", "lost", "reload")


def jupyter_path() -> str:
    """Our templates before those of Jupyter's own folders."""
    before = os.environ.get("JUPYTER_PATH")
    return os.pathsep.join([str(ASSETS), *([before] if before else [])])


def is_free(port: int) -> bool:
    """Whether nothing listens on this port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
