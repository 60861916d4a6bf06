"""How fast, as ratios within one run: `python -m tests.bench`, or `make bench`.

Variants are measured in turn, each in a process of its own against one embedded database; the figures are medians, and
the ratios are taken round by round, so that a noisy machine does not matter.

    end_to_end   `validate`: read, judge beside the load, keep all in one commit
    floor        the same reading and loading on one connection, without rules: parse, ids, COPY, keys, indexes, roll-ups
    bare_copy    COPY of the same rows, ready as text, into a table without keys
    engine       the rules alone, on lines already prepared; its CPU against that of the rulebook's first twelve rules,
                 and against one rule of each type: what more rules cost once each type has one

After them, how the engine grows with the lines (each size in a process of its own), and the ten slowest rules.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from tests import bench_browser, bench_dashboards

VARIANTS = ("end_to_end", "floor", "bare_copy", "engine")
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000)
SLOWEST_ON = 300_000


@click.command()
@click.option("--rows", default=1_000_000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--no-growth", is_flag=True, help="Leave out the table of sizes and the slowest rules.")
@click.option("--out", default=Path("build/bench.json"), show_default=True, type=click.Path(path_type=Path))
def main(rows: int, rounds: int, no_growth: bool, out: Path) -> None:
    """Measure all variants in turn and print the table."""
    with tempfile.TemporaryDirectory(prefix="dashlib-bench-", dir="/var/tmp") as home:
        Path(home).chmod(0o711)  # PostgreSQL's own user looks in, where root runs this
        export = Path(home) / "export.csv"
        measure("prepare", export, home, rows)
        taken = [{variant: measure(variant, export, home, rows) for variant in VARIANTS} for _ in range(rounds)]
        sizes = () if no_growth else SIZES
        growth = {size: measure("growth", export.with_name(f"{size}.csv"), home, size) for size in sizes}
        slow = {} if no_growth else slowest(export, home)
        subprocess.run([sys.executable, "-m", "dashlib", "db", "stop"], env=_environment(home), check=False)
        asked, seen = ({}, {}) if no_growth else looked_at(Path(home) / "d")
    figures = summed_up(taken, rows)
    show(figures, growth, slow)
    bench_dashboards.show(asked)
    bench_browser.show(seen)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps(figures | {"growth": growth, "slowest": slow, "dashboards": asked, "pages": seen}, indent=2) + "\n"
    )


def looked_at(home: Path) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """The dashboards of a large clinic: what their questions take in the database, and their pages in a browser."""
    began = time.perf_counter()
    with bench_dashboards.filled(home) as wb:
        seeded = time.perf_counter() - began
        return bench_dashboards.measured(wb), bench_browser.measured(home, seeded)


def show(figures: dict[str, float], growth: dict[int, dict[str, float]], slow: dict[str, float]) -> None:
    for name, value in figures.items():
        print(f"{name:<34} {value:>12}")
    if growth:
        print(f"\n{'lines':>12} {'seconds':>9} {'lines/s':>12} {'peak MiB':>9}")
    for size, of in growth.items():
        print(f"{size:>12,} {of['s']:>9.2f} {size / of['s']:>12,.0f} {of['peak_mib']:>9,.0f}")
    if slow:
        print(f"\nslowest rules by themselves, on {SLOWEST_ON:,} lines")
    for name, taken in slow.items():
        print(f"{name:<40} {taken:>7.3f} s")


def slowest(export: Path, home: str) -> dict[str, float]:
    part = export.with_name("part.csv")
    measure("prepare", part, home, SLOWEST_ON)
    return {name: s for name, s in measure("slowest", part, home, SLOWEST_ON).items() if name != "peak_mib"}


def measure(variant: str, export: Path, home: str, rows: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench_one", variant, str(export), str(rows)]
    done = subprocess.run(command, env=_environment(home), check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _environment(home: str) -> dict[str, str]:
    return {**os.environ, "DASHLIB_HOME": home, "DATABASE_URL": ""}


def summed_up(taken: list[dict[str, dict[str, float]]], rows: int) -> dict[str, float]:
    """Medians of the rounds, under flat keys; times in seconds, memory in MiB."""

    def median(variant: str, figure: str) -> float:
        return statistics.median(each[variant][figure] for each in taken)

    def ratio(above: str, below: str) -> float:
        return round(statistics.median(each[above]["s"] / each[below]["s"] for each in taken), 3)

    millions = rows / 1_000_000
    return {
        "rows": rows,
        "rounds": len(taken),
        **{f"{variant}_s": round(median(variant, "s"), 2) for variant in VARIANTS},
        "end_to_end_over_floor": ratio("end_to_end", "floor"),
        "floor_over_bare_copy": ratio("floor", "bare_copy"),
        "engine_s_per_million": round(median("engine", "s") / millions, 2),
        "engine_cpu_s_per_million": round(median("engine", "cpu_s") / millions, 2),
        "engine_cpu_over_first_12_rules": round(median("engine", "cpu_over_first"), 2),
        "engine_cpu_over_one_rule_per_type": round(median("engine", "cpu_over_one_rule_per_type"), 2),
        "file_cpu_over_first_12_rules": round(median("engine", "file_cpu_over_first"), 2),
        "engine_rules": int(median("engine", "rules")),
        "end_to_end_lines_per_s": round(rows / median("end_to_end", "s")),
        "peak_rss_mib_per_million": round(median("end_to_end", "peak_mib") / millions),
        "engine_peak_rss_mib": round(median("engine", "peak_mib")),
    }


if __name__ == "__main__":
    main()
