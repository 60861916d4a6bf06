from contextlib import suppress
from datetime import date

import pytest
import sqlalchemy as sa

from dashlib.errors import ExportRefused
from dashlib.runs import list_runs
from dashlib.validation import validate_file
from tests.hostile import FILES, hostile_file
from tests.integration.test_hostile_files import READ, REFUSED, VALUES
from tests.tables import cells

pytestmark = [pytest.mark.database, pytest.mark.slow]


def test_each_hostile_file_ends_as_a_failed_run_with_its_code_or_is_kept_without_its_bad_lines(wb, tmp_path):
    for name in FILES:
        path = tmp_path / name
        path.write_bytes(hostile_file(name))
        with suppress(ExportRefused):
            validate_file(wb, path, run_date=date(2025, 9, 1), force=True)
    runs = list_runs(wb, last=100)
    ended = {
        str(run.figures["file"]): (run.status, run.figures["error_code"], run.figures["rejected_count"]) for run in runs
    }
    refused = {drawn["file"]: ("failed", drawn["code"], 0) for drawn in cells(REFUSED)}
    kept = {drawn["file"]: ("completed", None, int(bool(drawn["rejected"]))) for drawn in cells(READ)}
    assert ended == refused | kept
    told = str([(run.figures["error_message"], run.logs.write_json()) for run in runs])
    assert not any(value in told for value in VALUES)
    with wb.database.connect() as connection:
        tables = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ '^billing_records_[0-9a-f]{32}$'"
        assert connection.scalar(sa.text(tables)) == len(kept)
        assert connection.scalar(sa.text("SELECT count(*) FROM run_leases")) == 0
