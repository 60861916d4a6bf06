"""Opens JupyterLab on one's own copies of the notebooks: for this machine only, and with no request outside.

What notebooks show is for their reader's eyes, so the copies lie with the other data, in a closed folder, and not in a
checkout, from where they could be sent away.
"""

import hashlib
import json
import os
import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from dashlib import resources, texts
from dashlib.errors import UsageError
from dashlib.notebook import environment
from dashlib.serve import HOST, POLICY, is_free, jupyter_path
from dashlib.settings import Settings

FIRST = "start.ipynb"
KNOWN = ".dashlib.json"  # beside the copies: what each said when it was made
LOCALES = {"fr": "fr_FR", "en": "default"}

# What JupyterLab has that asks somebody outside, or shows our dashboards in a look that is not theirs.
WITHOUT = (
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/extensionmanager-extension:plugin",
    "@voila-dashboards/jupyterlab-preview",
)


def open_lab(
    settings: Settings, *, folder: Path | None = None, port: int = 8888, browser: bool = True, lang: str = "fr"
) -> None:
    """Serves JupyterLab until it is interrupted, with a kernel of this environment that knows these settings.

    It ends the process.

    Args:
        folder: opened as it is, instead of one's own copies of the notebooks.

    Raises:
        UsageError: DL-LAB-001, something else listens on `port`; DL-LAB-002, the copies cannot be written.
    """
    from jupyterlab.labapp import LabApp

    if not is_free(port):
        raise UsageError("DL-LAB-001", port=port, other=port + 1)
    opened = folder or own_notebooks(settings.home)
    newer = [] if folder else refresh(opened, resources.folder("notebooks"))
    token, first = secrets.token_hex(24), f"/lab/tree/{FIRST}" if (opened / FIRST).exists() else "/lab"
    place = settings.home / "jupyter"
    _arrange(place, lang)
    os.environ.update(environment(settings), JUPYTER_PATH=jupyter_path(), JUPYTER_CONFIG_DIR=str(place))
    told = [
        texts.text("lab.folder", lang, folder=str(opened)),
        *([texts.text("lab.newer", lang, names=", ".join(newer))] if newer else []),
        texts.text("lab.ready", lang, address=f"http://{HOST}:{port}{first}?token={token}"),
        texts.text("serve.stop", lang),
    ]
    wanted = _wanted(opened, place, port=port, token=token, first=first, browser=browser)
    server = LabApp.initialize_server([f"--{name}={value}" for name, value in wanted.items()])
    sys.stderr.write("\n".join(told) + "\n")
    server.start()
    # All is stopped and closed here. But a thread that JupyterLab read files with can be left over, and Python would
    # wait for it without end.
    sys.stderr.flush()
    os._exit(0)


def own_notebooks(home: Path) -> Path:
    """Where one's own copies of the notebooks lie."""
    return home / "notebooks"


def refresh(own: Path, shipped: Path) -> list[str]:
    """Copies the shipped notebooks into one's own folder, but over none that somebody has changed.

    A newer version of one that was changed is put beside it. Running a notebook changes nothing of what it says.

    Returns:
        The names of those put beside.

    Raises:
        UsageError: DL-LAB-002, the folder cannot be written.
    """
    try:
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = _known(own / KNOWN)
        beside = [name for name in (_bring(file, own, known) for file in sorted(shipped.glob("*.ipynb"))) if name]
        (own / KNOWN).write_text(json.dumps(known, indent=1), "utf-8")
    except OSError:
        raise UsageError("DL-LAB-002", folder=str(own)) from None
    return beside


def _bring(shipped: Path, own: Path, known: dict[str, str]) -> str | None:
    copy, said, before = own / shipped.name, _said(shipped), known.get(shipped.name)
    known[shipped.name] = said
    if copy.exists() and _said(copy) != before:
        if said in (before, _said(copy)):
            return None
        copy = own / f"{shipped.stem} (dashlib).ipynb"
    elif copy.exists() and said == before:
        return None
    shutil.copyfile(shipped, copy)
    copy.chmod(0o600)
    return copy.name if copy.name != shipped.name else None


def _known(file: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        return dict(json.loads(file.read_text("utf-8")))
    return {}


def _said(notebook: Path) -> str:
    """A digest of what a notebook says, whatever it has shown; of one that cannot be read, of its bytes."""
    written = notebook.read_bytes()
    with suppress(ValueError, KeyError, TypeError):
        cells = json.loads(written)["cells"]
        written = json.dumps([[cell["cell_type"], "".join(cell["source"])] for cell in cells]).encode()
    return hashlib.sha256(written).hexdigest()


def _arrange(place: Path, lang: str) -> None:
    """JupyterLab's own settings for dashlib: its language, no news, and what is left out."""
    chosen = {
        "lab/user-settings/@jupyterlab/translation-extension/plugin.jupyterlab-settings": {"locale": LOCALES[lang]},
        "lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
            "checkForUpdates": False,
            "fetchNews": "false",
        },
        "labconfig/page_config.json": {"disabledExtensions": dict.fromkeys(WITHOUT, True)},
    }
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, value in chosen.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(json.dumps(value), "utf-8")
    except OSError:
        raise UsageError("DL-LAB-002", folder=str(place)) from None


def _wanted(folder: Path, place: Path, *, port: int, token: str, first: str, browser: bool) -> dict[str, object]:
    """JupyterLab's settings that nobody's own files can change: they stand as if on its command line."""
    return {
        "ServerApp.ip": HOST,
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.allow_remote_access": False,
        "ServerApp.allow_root": True,
        "ServerApp.answer_yes": True,
        "ServerApp.open_browser": browser,
        "ServerApp.root_dir": folder,
        "ServerApp.log_level": "ERROR",
        "LabApp.log_level": "ERROR",
        "ServerApp.tornado_settings": {"headers": {"Content-Security-Policy": POLICY}},
        "ServerApp.jpserver_extensions": {"voila.server_extension": False},
        "IdentityProvider.token": token,
        "PasswordIdentityProvider.hashed_password": "",
        "KernelManager.transport_encryption": "auto",
        "LabApp.default_url": first,
        "LabApp.user_settings_dir": place / "lab" / "user-settings",
        "LabApp.workspaces_dir": place / "lab" / "workspaces",
        "LabApp.extension_manager": "readonly",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.news_url": "None",
    }
