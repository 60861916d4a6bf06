"""A run with lines, put into a database the way a load does it."""

from uuid import uuid4

import sqlalchemy as sa


def run(connection, user="local|a", status="processing"):
    """A run of `user`, who is entered if need be, with its file and its lease."""
    connection.execute(sa.text("SELECT enter(:id, :id || '@localhost')"), {"id": user})
    ids = {"run": uuid4(), "file": uuid4(), "user": user, "status": status}
    for statement in (
        """INSERT INTO files (id, user_id, filename, original_filename, size, path)
           VALUES (:file, :user, 'f', 'f', 1, 'f')""",
        "INSERT INTO validation_runs (id, file_id, user_id, status) VALUES (:run, :file, :user, :status)",
        "INSERT INTO run_leases (validation_run_id, holder) VALUES (:run, 'test')",
        "INSERT INTO validation_logs (validation_run_id, level, source, message) VALUES (:run, 'info', 'test', '')",
    ):
        connection.execute(sa.text(statement), ids)
    return ids["run"]


def fill(connection, run_id, lines=3):
    """Starts a load and gives each of its tables this many lines: a patient every two, an error every three."""
    connection.execute(sa.text("SELECT start_load(:run)"), {"run": run_id})
    for statement in (
        """INSERT INTO billing_records_{run} (row_number, date_de_service, code, doctor, patient)
           SELECT n, '2025-03-10', '15804', '1999001', 'TEST' || lpad((n / 2)::text, 8, '0')
           FROM generate_series(1, {lines}) AS n""",
        """INSERT INTO validation_results_{run} (rule_id, severity, message, row_number)
           SELECT 'RULE', 'error', 'context', n FROM generate_series(1, {lines}, 3) AS n""",
        """INSERT INTO rejected_records_{run} (line_number, error_code)
           SELECT n, 'DL-DATE-001' FROM generate_series(1, {lines}) AS n""",
    ):
        connection.execute(sa.text(statement.format(run=run_id.hex, lines=lines)))


def load(connection, run_id, lines=3):
    """A whole load, up to the commit."""
    fill(connection, run_id, lines)
    connection.execute(sa.text("SELECT finish_load(:run)"), {"run": run_id})
    connection.execute(sa.text("SELECT attach_load(:run)"), {"run": run_id})
    connection.execute(sa.text("UPDATE validation_runs SET status = 'completed' WHERE id = :run"), {"run": run_id})
