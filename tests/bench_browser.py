"""How soon the dashboards stand in a real browser; from `make bench`, or by itself.

A large clinic's roll-ups (`bench_dashboards.fill`), served as `dashlib dashboards` serves them, looked at with Chromium.
Each page is opened ROUNDS times, each time with a kernel that is warm; the first visit, for which the browser fetches
the scripts, is told apart. Figures are medians.

    tiles    the six figures stand, as plain HTML
    charts   all charts are drawn, and can be clicked
    change   from a choice in the bar to the count of the lines that it leaves, all charts drawn anew
    kernel   what the visitor's kernel costs this machine after his first page: PSS, memory shared with other kernels
             counted once; and RSS, which counts it for each
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from dashlib.serve import address
from tests.bench_dashboards import RECORDS, RESULTS, filled
from tests.serving import browser, dashboards, serving

ROUNDS = 5
AIMS = {"tiles_s": 1.0, "charts_s": 2.5, "change_s": 0.4, "kernel_pss_mib": 150.0}
CHARTS = {"error_rates": 3, "common_rules": 2, "patient_days": 3}
PLAIN = ("explorer", "validate_file")
PATIENCE_MS = 120_000
QUIET = 4  # looks at all kernels, a second or so each, in which none works


def measured(home: Path, seed_s: float) -> dict[str, Any]:
    """Serves what was seeded in so many seconds, and looks at each page."""
    with serving(home, dashboards) as port, browser() as chromium:
        loads = [round(os.getloadavg()[0], 1)]
        pages = {name: _looked_at(chromium, port, name) for name in (*CHARTS, *PLAIN)}
        loads.append(round(os.getloadavg()[0], 1))
    return {"seed_s": round(seed_s, 1), "load": loads, "pages": pages}


def _looked_at(chromium: Any, port: int, name: str) -> dict[str, float]:
    """Medians of a page; its first visit with an empty browser."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, timezone_id="America/Toronto")
    rounds = [_visited(context, port, name) for _ in range(ROUNDS + 1)]
    context.close()
    first, taken = rounds[0], rounds[1:]
    medians = {figure: round(statistics.median(each[figure] for each in taken), 3) for figure in first}
    return medians | {f"first_{figure}": round(first[figure], 3) for figure in ("tiles_s", "charts_s")}


def _visited(context: Any, port: int, name: str) -> dict[str, float]:
    _wait_for_a_warm_kernel()
    page = context.new_page()
    began = time.perf_counter()
    page.goto(address(port, f"{name}.ipynb"), wait_until="commit", timeout=PATIENCE_MS)
    taken = {}
    if name in CHARTS:
        page.wait_for_selector(".d-tile:not(.d-grey)", timeout=PATIENCE_MS)
        taken["tiles_s"] = time.perf_counter() - began
        _wait_for_charts(page, CHARTS[name])
    else:
        page.wait_for_selector(".d-still h1, .d-live h1", timeout=PATIENCE_MS)
        taken["tiles_s"] = time.perf_counter() - began
        page.wait_for_selector(".d-live h1", timeout=PATIENCE_MS)
    taken["charts_s"] = time.perf_counter() - began
    taken |= _memory(page)
    if name in CHARTS:
        taken["change_s"] = statistics.median(_changed(page) for _ in range(2))
    page.close()
    return taken


def _wait_for_charts(page: Any, count: int) -> None:
    page.wait_for_function(
        "count => document.querySelectorAll('.d-live .vega-embed svg.marks').length >= count",
        arg=count,
        timeout=PATIENCE_MS,
    )


def _changed(page: Any) -> float:
    """Seconds from the choice of another severity to the last thing that the page draws anew, as the page sees them."""
    page.evaluate(
        """() => {
            window.seen = {};
            document.addEventListener('change', () => { seen.began ??= performance.now(); }, { capture: true });
            new MutationObserver(() => { seen.last = performance.now(); })
                .observe(document.querySelector('.d-live'), { subtree: true, childList: true });
        }"""
    )
    severity = page.get_by_role("combobox", name="Gravité", exact=True)
    severity.select_option(index=0 if severity.evaluate("select => select.selectedIndex") else 1)
    page.wait_for_function("() => seen.last > seen.began && performance.now() - seen.last > 1000", timeout=PATIENCE_MS)
    return float(page.evaluate("(seen.last - seen.began) / 1000"))


def _kernels() -> Iterator[psutil.Process]:
    ours = {child.pid for child in psutil.Process().children(recursive=True)}
    for one in psutil.process_iter(["pid", "cmdline"]):
        if one.pid in ours and "dashlib.page_kernel" in (one.info["cmdline"] or ()):
            yield one


def _wait_for_a_warm_kernel() -> None:
    """Until no kernel has worked for a while: one is warm for each page, and those of closed pages are idle."""
    busy: list[float] = []
    quiet, ends = 0, time.monotonic() + 60
    while quiet < QUIET and time.monotonic() < ends:
        with suppress(psutil.NoSuchProcess):  # it ended while it was looked at
            busy = [kernel.cpu_percent(0.2) for kernel in _kernels()]
        quiet = quiet + 1 if busy and max(busy) < 20 else 0


def _memory(page: Any) -> dict[str, float]:
    """MiB of the kernel that this page talks to."""
    kernel = page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId")
    [process] = [one for one in _kernels() if any(kernel in part for part in one.info["cmdline"])]
    held = process.memory_full_info()
    return {"kernel_pss_mib": held.pss / 2**20, "kernel_rss_mib": held.rss / 2**20}


def show(figures: dict[str, Any]) -> None:
    """A line for each page, beside what is aimed at."""
    if not figures:
        return
    print(
        f"\ndashboards in Chromium on {RECORDS:,} records and {RESULTS:,} results, seeded in {figures['seed_s']} s; "
        f"medians of {ROUNDS}, load {figures['load'][0]} to {figures['load'][1]}"
    )
    columns: dict[str, Callable[[float], str]] = {
        "tiles_s": "{:.2f} s".format,
        "charts_s": "{:.2f} s".format,
        "change_s": "{:.2f} s".format,
        "kernel_pss_mib": "{:.0f} MiB".format,
        "kernel_rss_mib": "{:.0f} MiB".format,
        "first_tiles_s": "{:.2f} s".format,
        "first_charts_s": "{:.2f} s".format,
    }
    print(f"{'':<16}" + "".join(f"{name.rsplit('_', 1)[0]:>14}" for name in columns))
    for page, taken in figures["pages"].items():
        cells = [_cell(taken.get(name), shown, AIMS.get(name)) for name, shown in columns.items()]
        print(f"{page:<16}" + "".join(f"{cell:>14}" for cell in cells))
    print(f"{'aim':<16}" + "".join(f"{columns[name](AIMS[name]) if name in AIMS else '':>14}" for name in columns))


def _cell(value: float | None, shown: Callable[[float], str], aim: float | None) -> str:
    if value is None:
        return "-"
    return shown(value) + (" <" if aim is not None and value > aim else "")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="dashlib-bench-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's own user looks in, where root runs this
        started = time.perf_counter()
        with filled(Path(folder)):
            show(measured(Path(folder), time.perf_counter() - started))
