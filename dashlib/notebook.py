"""Runs a parameterised notebook through papermill and writes what it shows as one HTML file that asks for nothing.

Parameters stand in the executed notebook in clear, so they are ids, numbers and options, never an identity; the
executed notebook and the report are for their owner's eyes (mode 0600). What runs notebooks takes a second to import:
it is imported where it is used.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from dashlib import resources, texts
from dashlib.errors import Fact, NotebookFailed, UsageError
from dashlib.paper import FONT, embedded
from dashlib.settings import Settings
from dashlib.workbench import Workbench

REPORT = "validation_report.ipynb"
SAFE = re.compile(r"[A-Za-z0-9_~.-]{1,64}")
TEMPLATES = Path(__file__).parent / "assets" / "jupyter" / "nbconvert" / "templates"
STYLES = Path(__file__).parent / "assets" / "jupyter" / "voila" / "templates" / "dashlib" / "static"
CELL_TIMEOUT_S = 600


def report(wb: Workbench, run_id: str, *, lang: str, out: Path) -> Path:
    """Writes the report of a run to `out`, as HTML in one file.

    Raises:
        NotebookFailed: DL-NB-002, it stopped, and what it had made is beside `out`; DL-NB-003, `out` cannot be written.
    """
    notebook = resources.folder("notebooks") / REPORT
    with surroundings(wb.settings):
        executed = run_notebook(notebook, out, {"run_id": str(run_id), "language": lang})
    write_private(out, page_of(executed, lang=lang, title=texts.text("report.title", lang), css=_css()))
    return out


def run_notebook(notebook: Path, out: Path, parameters: Mapping[str, Fact]) -> Path:
    """Executes a notebook into `out` with the ending .ipynb.

    Raises:
        UsageError: DL-NB-001, a parameter that it does not have (papermill would only log it); DL-NB-004, a value that
            is not an id, a number or an option.
        NotebookFailed: DL-NB-002, DL-NB-003.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    _check(notebook, parameters)
    executed = out.with_suffix(".ipynb")
    # Made before papermill writes into it, so that it is never readable by others, not for a moment.
    write_private(executed, "")
    try:
        papermill.execute_notebook(
            str(notebook),
            str(executed),
            parameters=dict(parameters),
            kernel_name="python3",
            cwd=str(notebook.parent),
            progress_bar=False,
            execution_timeout=CELL_TIMEOUT_S,
            # What passes between here and the kernel is figures of a clinic: not in clear on a shared machine.
            config=Config({"KernelManager": {"transport_encryption": "auto"}}),
        )
    except PapermillExecutionError as stopped:
        # Its message quotes the cell and the error's own words, which could hold a value.
        facts = {"notebook": notebook.name, "cell": stopped.cell_index, "kind": stopped.ename}
        raise NotebookFailed("DL-NB-002", **facts, kept=str(executed)) from None
    return executed


def _check(notebook: Path, parameters: Mapping[str, Fact]) -> None:
    import papermill

    known = papermill.inspect_notebook(str(notebook))
    if unknown := sorted(set(parameters) - set(known)):
        names = {"names": ", ".join(unknown), "known": ", ".join(sorted(known))}
        raise UsageError("DL-NB-001", notebook=notebook.name, **names)
    if unsafe := sorted(name for name, value in parameters.items() if not SAFE.fullmatch(str(value))):
        raise UsageError("DL-NB-004", names=", ".join(unsafe))


def page_of(executed: Path, *, lang: str, title: str, css: str) -> str:
    """What an executed notebook shows, as one page: without its code, its parameters and its words to programmers."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    hidden = {"parameters", "injected-parameters", "about"}
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="dashlib",
        extra_template_basedirs=[str(TEMPLATES)],
        config=Config({"TagRemovePreprocessor": {"enabled": True, "remove_cell_tags": hidden}}),
        **dict.fromkeys(("exclude_input", "exclude_input_prompt", "exclude_output_prompt"), True),
    )
    page = {"lang": lang, "title": title, "css": css}
    body, _ = exporter.from_notebook_node(_read(executed), resources={"dashlib": page})
    return str(body)


def told_by(executed: Path) -> list[dict[str, Any]]:
    """What the outputs of an executed notebook tell programs beside what they show, in their order."""
    outputs = [output for cell in _read(executed).cells for output in cell.get("outputs", [])]
    return [output.metadata["dashlib"] for output in outputs if "dashlib" in output.get("metadata", {})]


def _read(executed: Path) -> Any:
    import nbformat

    return nbformat.read(executed, as_version=4)  # type: ignore[no-untyped-call]


def _css() -> str:
    """The look of our pages, with the font in it."""
    css = "".join((STYLES / name).read_text("utf-8") for name in ("theme.css", "dashlib.css"))
    return css.replace(f'"{FONT.name}"', f'"{embedded(FONT)}"')


def write_private(path: Path, text: str) -> None:
    """Replaces the file as a whole, readable by its owner only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as new:
            new.write(text)
        os.replace(new.name, path)
    except OSError:
        raise NotebookFailed("DL-NB-003", folder=str(path.parent)) from None


@contextmanager
def surroundings(settings: Settings) -> Iterator[None]:
    """Kernels started inside open the same database: they inherit what these settings say as variables."""
    ours = environment(settings)
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def environment(settings: Settings) -> dict[str, str]:
    """The variables that say what `settings` says."""
    named = {_variable(name): getattr(settings, name) for name in type(settings).model_fields}
    plain = {n: v.get_secret_value() if isinstance(v, SecretStr) else v for n, v in named.items() if v is not None}
    return {name: str(value) for name, value in plain.items()}


def _variable(field: str) -> str:
    return field.upper() if field in ("database_url", "redis_url") else f"DASHLIB_{field.upper()}"
