"""Runs and their roll-ups, put into a database as drawn: what dashboards and reports are tested on."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from dashlib.schema import File, RollupDay, RollupDoctorDay, RollupRule, RuleEntry, ValidationRun
from tests.tables import cells

TEXT = {"doctor", "lieu_de_pratique", "rule_id", "severity", "category"}
MONEY = {"at_risk", "to_repay", "gain", "amount"}


def run(connection: sa.Connection, user_id: str, *, status: str = "completed", **columns: Any) -> UUID:
    """A run without lines, newer than those before it."""
    file_id, run_id = uuid4(), uuid4()
    names = {"filename": f"{file_id}.csv", "original_filename": "export.csv", "path": f"/nowhere/{file_id}.csv"}
    connection.execute(sa.insert(File).values(id=file_id, user_id=user_id, size=1, **names))
    finished = {"completed_at": datetime.now(UTC)} if status == "completed" else {}
    row = {"id": run_id, "file_id": file_id, "user_id": user_id, "status": status, **finished, **columns}
    connection.execute(sa.insert(ValidationRun).values(row))
    return run_id


def figures(connection: sa.Connection, run_id: UUID, **columns: Any) -> None:
    """Gives a run the figures that it would have counted itself."""
    connection.execute(sa.update(ValidationRun).where(ValidationRun.id == run_id).values(**columns))


def days(connection: sa.Connection, run_id: UUID, drawn: str) -> None:
    _insert(connection, RollupDay, run_id, cells(drawn))
    count(connection, run_id)


def doctor_days(connection: sa.Connection, run_id: UUID, drawn: str) -> None:
    for row in cells(drawn):
        day = date.fromisoformat(row["date_de_service"])
        at = (RollupDoctorDay.doctor == row["doctor"], RollupDoctorDay.date_de_service == day)
        connection.execute(sa.delete(RollupDoctorDay).where(RollupDoctorDay.validation_run_id == run_id, *at))
    _insert(connection, RollupDoctorDay, run_id, cells(drawn))
    count(connection, run_id)


def rules(connection: sa.Connection, run_id: UUID, drawn: str) -> None:
    _insert(connection, RollupRule, run_id, cells(drawn))
    count(connection, run_id)


def count(connection: sa.Connection, run_id: UUID) -> None:
    """What the database does when a run completes: here its rows come after that."""
    status = sa.select(ValidationRun.status).where(ValidationRun.id == run_id)
    if connection.scalar(status) == "completed":
        connection.execute(sa.select(sa.func.put_in_force(run_id)))


def labels(connection: sa.Connection, **french: str) -> None:
    """Rules in force with a French label, in place of those that have the same name."""
    for name, label in french.items():
        connection.execute(sa.delete(RuleEntry).where(RuleEntry.name == name))
        row = {
            "name": name,
            "category": "test",
            "condition": {"type": "data_quality", "check": "date_missing"},
            "label": {"fr": label},
        }
        connection.execute(sa.insert(RuleEntry).values(row))


def clinic(connection: sa.Connection, user_id: str) -> None:
    """Three doctors at two places, 22 May to 30 June 2025: a run of the first thirty days, a run of the last twenty.

    In the second all of doctor B's lines are mended, so the ten common days differ.
    """
    labels(connection, **LABELS)
    first, last = date(2025, 5, 22), date(2025, 6, 30)
    _clinic_days(connection, run(connection, user_id), first, last - timedelta(days=10), mended=False)
    _clinic_days(connection, run(connection, user_id), last - timedelta(days=19), last, mended=True)


LABELS = {
    "OFFICE_FEE_19929": "Frais de bureau 19929 : 12 inscrits ou 20 sans rendez-vous par jour",
    "ANNUAL_15815": "Visite périodique : une par année civile",
    "TIME_MISSING": "Heure de début manquante",
    "GMF_8875": "Forfait GMF 8875 jamais facturé",
}
PLACES = {"MÉD-0A11AA1111": "54321", "MÉD-0B22BB2222": "54321", "MÉD-0C33CC3333": "55102"}
MONEY_OF = {"OFFICE_FEE_19929": "at_risk", "ANNUAL_15815": "at_risk", "GMF_8875": "gain"}
STAKES = {"OFFICE_FEE_19929": "64.80", "ANNUAL_15815": "38.50", "TIME_MISSING": "12.25", "GMF_8875": "9.35"}


def _clinic_days(connection: sa.Connection, run_id: UUID, first: date, last: date, *, mended: bool) -> None:
    for n in range((last - first).days + 1):
        day = first + timedelta(days=n)
        if day.weekday() < 5:
            for place, doctor in enumerate(PLACES):
                _clinic_day(connection, run_id, day, doctor, place, mended=mended and doctor == "MÉD-0B22BB2222")
    count(connection, run_id)


def _clinic_day(connection: sa.Connection, run_id: UUID, day: date, doctor: str, nth: int, *, mended: bool) -> None:
    wave = (day.toordinal() * 7 + nth * 3) % 5
    errors = 0 if mended else (wave + nth) // 2
    found = {"OFFICE_FEE_19929": errors // 2, "ANNUAL_15815": errors - errors // 2, "TIME_MISSING": wave // 3}
    found["GMF_8875"] = int(wave == 4)
    lines, patients = 60 + 6 * wave, 20 + 2 * wave + nth
    at = {"date_de_service": day, "doctor": doctor}
    place = {"lieu_de_pratique": PLACES[doctor]}
    risk = sum((Decimal(STAKES[rule]) * found[rule] for rule in ("OFFICE_FEE_19929", "ANNUAL_15815")), Decimal())
    counts = {"lines": lines, "lines_in_error": errors, "lines_in_warning": found["TIME_MISSING"]}
    counts |= {"lines_in_info": found["GMF_8875"], "worst_warning": found["TIME_MISSING"]}
    counts |= {"worst_info": found["GMF_8875"]}
    invoices = {"invoices": 30, "clean_invoices": 30 - errors}
    money = {"at_risk": risk, "to_repay": Decimal("12.00") * (wave == 3), "gain": Decimal("9.35") * found["GMF_8875"]}
    seen = {"patients": patients, "registered": patients - 8, "walk_in": 8}
    _insert(connection, RollupDay, run_id, [at | place | counts | invoices | money | seen])
    _insert(connection, RollupDoctorDay, run_id, [at | seen])
    grave = {"TIME_MISSING": "warning", "GMF_8875": "info"}
    rows = [
        {"rule_id": rule, "severity": grave.get(rule, "error"), "results": n, "lines": n}
        | {"amount": Decimal(STAKES[rule]) * n, "invoices": n}
        | ({MONEY_OF[rule]: Decimal(STAKES[rule]) * n} if rule in MONEY_OF else {})
        for rule, n in found.items()
        if n
    ]
    _insert(connection, RollupRule, run_id, [at | place | row for row in rows])


def _insert(connection: sa.Connection, table: type[Any], run_id: UUID, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        connection.execute(
            sa.insert(table).values(validation_run_id=run_id, **{n: _typed(n, v) for n, v in row.items()})
        )


def _typed(name: str, cell: Any) -> Any:
    if not isinstance(cell, str) or name in TEXT:
        return cell
    if name in MONEY:
        return Decimal(cell)
    return date.fromisoformat(cell) if name == "date_de_service" else int(cell)
