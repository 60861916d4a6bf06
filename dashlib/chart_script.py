"""The script that draws charts in a browser: bundled once on this machine, fetched from nowhere else."""

import os
from contextlib import suppress
from pathlib import Path

import altair as alt


def script_name() -> str:
    """The script that draws charts is of one version of altair."""
    return f"charts-altair-{alt.__version__}.js"


def offline_charts(folder: Path) -> Path:
    """Makes charts draw without the network; the script for it is made once and kept in `folder` (1 s, 105 MiB)."""
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
