"""The script that draws charts in a browser: bundled once on this machine, fetched from nowhere else."""

import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path


def script_name() -> str:
    """The script that draws charts is of one version of altair."""
    return f"charts-altair-{version('altair')}.js"


def chart_script(folder: Path) -> Path:
    """Where the script is kept in `folder`; it is made where it is not there yet (1 s, 105 MiB)."""
    kept = folder / script_name()
    return kept if kept.exists() else offline_charts(folder)


def offline_charts(folder: Path) -> Path:
    """Makes charts of a notebook draw without the network, each with the script of `chart_script` in it."""
    import altair as alt

    chart, kept = alt.JupyterChart, folder / script_name()
    if not chart._is_offline and kept.exists():
        chart._esm, chart._is_offline = kept.read_text("utf-8"), True
    if chart._is_offline:
        return kept
    chart.enable_offline()
    # A folder that cannot be written costs each kernel its second, and nothing else.
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = kept.with_suffix(f".{os.getpid()}.new")
        new.write_text(str(chart._esm), "utf-8")
        new.replace(kept)
    return kept
