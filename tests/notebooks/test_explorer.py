import json
from datetime import date

import pytest
import sqlalchemy as sa

from dashlib import notebook, resources
from dashlib.schema import BillingRecord
from dashlib.validation import validate_file
from tests.exports import export
from tests.integration.test_explorer import FIRST, SECOND
from tests.notebooks.test_rule_workshop import wb as wb

pytestmark = [pytest.mark.notebooks, pytest.mark.database]
EXPLORER = resources.folder("notebooks") / "explorer.ipynb"


@pytest.fixture
def made(wb, tmp_path):
    for number, lines in enumerate((FIRST, SECOND)):
        path = tmp_path / f"{number}.csv"
        path.write_text(export(*lines), "utf-8")
        validate_file(wb, path, run_date=date(2025, 7, 2))
    return notebook.run_notebook(EXPLORER, tmp_path / "out.html", {"compare": "last~1"}).read_text("utf-8")


def test_the_explorer_runs_in_a_kernel_and_keeps_no_identity(wb, made):
    assert "application/vnd.jupyter.widget-view+json" in made
    outputs = [output for cell in json.loads(made)["cells"] for output in cell.get("outputs", [])]
    assert {output["output_type"] for output in outputs} <= {"display_data", "execute_result"}
    assert "Persistant" in made
    with wb.database.connect() as connection:
        lines = connection.execute(sa.select(BillingRecord.doctor, BillingRecord.patient, BillingRecord.patient_name))
        people = {cell for row in lines for cell in row}
    assert not [identity for identity in people if identity in made]
