"""One measurement of `tests.bench`, in a process of its own: prints its seconds and its peak memory as JSON."""

import io
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from unittest import mock

import polars as pl
import sqlalchemy as sa

from dashlib import demo, engine, reference, runs, storage, validation
from dashlib.exports import read_export, split_storable
from dashlib.records import prepare
from dashlib.rules import Rule, shipped_rules
from dashlib.rules.base import Reference
from dashlib.workbench import Workbench, open_workbench

RUN_DATE = date(2025, 7, 2)
# The rules that the catalogue begins with, of six types: what the whole rulebook is compared with.
FIRST_RULES = (
    *("OFFICE_FEE_19928", "OFFICE_FEE_19929", "OFFICE_FEE_LOCATION", "OFFICE_FEE_TARIFF", "OFFICE_FEE_MISSED"),
    *("OFFICE_FEE_UPGRADE", "ANNUAL_PERIODIC_VISIT", "ANNUAL_INTAKE_VISIT", "INTAKE_VISIT_LIFETIME"),
    *("PERIODIC_NOT_WITH_INTAKE_YEAR", "PERIODIC_NOT_AFTER_FULL_EXAM", "FULL_EXAM_NOT_AFTER_PERIODIC"),
)


def main(variant: str, export: Path, rows: int) -> None:
    figures = VARIANTS[variant](export, rows)
    figures["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures))


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def prepared(export: Path, rows: int) -> dict[str, float]:
    """Makes the export and the database that the other variants use."""
    open_workbench()
    return {"s": seconds(lambda: demo.write_demo(export, rows=rows, seed=7, errors=0.03, run_date=RUN_DATE))}


def end_to_end(export: Path, rows: int) -> dict[str, float]:
    wb = open_workbench()
    return {"s": _validated(wb, export)}


def floor(export: Path, rows: int) -> dict[str, float]:
    wb = open_workbench()
    with mock.patch.object(reference, "rules_in_force", return_value=[]):
        return {"s": _validated(wb, export)}


def _validated(wb: Workbench, export: Path) -> float:
    taken = seconds(lambda: validation.validate_file(wb, export, run_date=RUN_DATE, force=True))
    run = runs.find_run(wb, "last")
    with wb.database.connect() as connection:  # so that no round pays for those before
        connection.execute(sa.select(sa.func.drop_run_tables(run.id)))
        connection.commit()
    return taken


def bare_copy(export: Path, rows: int) -> dict[str, float]:
    wb = open_workbench()
    records, _ = split_storable(read_export(export))
    text = io.BytesIO()
    prepare(records).select(**storage.RECORDS).write_csv(text, include_header=False)
    columns = ", ".join(storage.RECORDS)
    with wb.database.owner() as connection:
        connection.execute(sa.text("CREATE TABLE bare (LIKE billing_records)"))
        connection.execute(sa.text("ALTER TABLE bare ALTER id DROP NOT NULL, ALTER validation_run_id DROP NOT NULL"))

        def copied() -> None:
            with storage.driver(connection).cursor().copy(f"COPY bare ({columns}) FROM STDIN (FORMAT csv)") as copy:
                copy.write(text.getbuffer())

        taken = seconds(copied)
        connection.execute(sa.text("DROP TABLE bare"))
    return {"s": taken}


def engine_alone(export: Path, rows: int) -> dict[str, float]:
    """All rules, the twelve first, and one of each type, in turn: wall time of all, and CPU of each; medians of three.

    `file_cpu_over_first` is the ratio of judging a file: with what reading and preparing take in both.
    """
    began = time.process_time()
    lines = _lines_of(export)
    before = time.process_time() - began
    rules, tables = _judged_by()
    first = [rule for rule in rules if rule.name in FIRST_RULES]
    engine.find_results(lines.head(1000), rules, tables)
    variants = (rules, first, one_rule_per_type())
    taken = [[_spent(lambda some=some: engine.find_results(lines, some, tables)) for some in variants] for _ in "123"]
    return {
        "s": statistics.median(each[0][0] for each in taken),
        "cpu_s": statistics.median(each[0][1] for each in taken),
        "file_cpu_over_first": statistics.median((before + each[0][1]) / (before + each[1][1]) for each in taken),
        "cpu_over_first": statistics.median(each[0][1] / each[1][1] for each in taken),
        "cpu_over_one_rule_per_type": statistics.median(each[0][1] / each[2][1] for each in taken),
        "rules": sum(rule.enabled for rule in rules),
    }


def one_rule_per_type() -> list[Rule]:
    """Of each type the first rule of the catalogue that is enabled."""
    enabled = [rule for rule in shipped_rules() if rule.enabled]
    return list({rule.condition.type: rule for rule in reversed(enabled)}.values())


def growth(export: Path, rows: int) -> dict[str, float]:
    """All rules once on a file of its own size."""
    demo.write_demo(export, rows=rows, seed=7, errors=0.03, run_date=RUN_DATE)
    (rules, tables), lines = _judged_by(), _lines_of(export)
    export.unlink()
    engine.find_results(lines.head(1000), rules, tables)
    return {"s": min(_spent(lambda: engine.find_results(lines, rules, tables))[0] for _ in range(2))}


def slowest(export: Path, rows: int) -> dict[str, float]:
    """Seconds that each rule takes by itself, the ten slowest."""
    (rules, tables), lines = _judged_by(), _lines_of(export)
    alone = {r.name: min(_spent(lambda r=r: engine.find_results(lines, [r], tables))[0] for _ in "12") for r in rules}
    return dict(sorted(alone.items(), key=lambda each: -each[1])[:10])


def _judged_by() -> tuple[list[Rule], Reference]:
    wb = open_workbench()
    return list(reference.rules_in_force(wb)), reference.load(wb, RUN_DATE)


def _lines_of(export: Path) -> pl.DataFrame:
    records, _ = split_storable(read_export(export))
    return prepare(records)


def _spent(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    cpu = time.process_time()
    return seconds(work), time.process_time() - cpu


VARIANTS: dict[str, Callable[[Path, int], dict[str, float]]] = {
    "prepare": prepared,
    "end_to_end": end_to_end,
    "floor": floor,
    "bare_copy": bare_copy,
    "engine": engine_alone,
    "growth": growth,
    "slowest": slowest,
}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
