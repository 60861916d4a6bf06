"""Serves the dashboards with Voila: to this machine only, in our look, a kernel kept warm, no request outside."""

import os
import socket
import sys
from pathlib import Path
from typing import Any

from dashlib import resources, texts
from dashlib.chart_script import chart_script, script_name
from dashlib.errors import UsageError
from dashlib.notebook import environment
from dashlib.settings import Settings

HOST = "127.0.0.1"
FIRST_PAGE = "error_rates.ipynb"
ASSETS = Path(__file__).parent / "assets" / "jupyter"
CULL_S = 15
NEEDLESS = ["jupyterlab_pygments"]
"""Extensions of JupyterLab that pages, which show no code, do without."""
WARM_KERNELS = 1
"""Of each page: two cores warm one kernel while a page is looked at; each costs about 140 MiB."""

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
    if not is_free(port):
        raise UsageError("DL-SERVE-001", port=port, other=port + 1)
    os.environ.update(environment(settings), JUPYTER_PATH=jupyter_path())
    from dashlib.voila_app import Dashboards

    page = address(port) + ("?lang=en" if lang == "en" else "")
    sys.stderr.write(f"{texts.text('serve.ready', lang, address=page)}\n{texts.text('serve.stop', lang)}\n")
    app = Dashboards(config=_config(settings, port, browser=browser))
    app.script, app.page = chart_script(settings.home / "cache"), page
    app.initialize([str(resources.folder("dashboards"))])
    app.start()


def _config(settings: Settings, port: int, *, browser: bool) -> Any:
    from traitlets.config import Config

    from dashlib.kernels import AWAY_S, Kernels, PageKernels
    from dashlib.voila_app import bundle_address

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
                "tornado_settings": {
                    "headers": {"Content-Security-Policy": POLICY},
                    "allow_remote_access": False,
                    "compress_response": True,
                    "ws_ping_timeout": 30_000,
                },
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
                "multi_kernel_manager_class": Kernels,
                "kernel_spec_manager_class": PageKernels,
                "page_config_hook": bundle_address,
                "extension_denylist": NEEDLESS,
            },
            "MappingKernelManager": {"cull_idle_timeout": AWAY_S, "cull_interval": CULL_S},
            "Kernels": {"most": settings.max_visitors},
            "KernelManager": {"transport_encryption": "auto"},
        }
    )


PAGE_WORDS = ("loading", "lost", "reload", "full", "full.advice", "full.again")


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
