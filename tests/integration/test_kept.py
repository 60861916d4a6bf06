from datetime import date

import pytest

from dashlib import engine, kept, reference
from dashlib.exports import read_export, split_storable
from dashlib.records import SCHEMA, prepare
from dashlib.runs import find_run
from dashlib.validation import validate_file
from tests.exports import export, line

pytestmark = pytest.mark.database
RUN_DATE = date(2025, 6, 30)
AWKWARD = export(
    line(facture="1", debut="8:05", fin="24:00", contexte="#G160, AR", patient="TEST80010112 - EXEMPLE, A"),
    line(facture="2", debut="huit heures", fin="25:00", doctor="Dr. Sans Permis", patient="TESTxxxx0112 - B"),
    line(facture="3", debut="00:00", doctor=" 9100002 ", patient="- SANS CARTE"),
    line(facture="", debut="", fin="", doctor="", patient="", contexte="", ramq="", lieu=""),
    line(facture="5", lieu="123", code="19", doctor="9100001-00099 | Autre, Groupe - Chirurgie", paye="49,15"),
    line(facture="6", lieu="Chez nous, ici", debut="09:30", fin="09:20", paye="-49,15", patient="  TEST80010112  "),
    line(facture="7", code="15815", prel="", paye="", patient="TEST80013112 - IMPOSSIBLE"),
    line(facture="8", code="15815", patient="TEST80010112", date="2026-01-02"),
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "factures.csv"
    path.write_text(AWKWARD, "utf-8")
    return path


def test_lines_read_back_say_to_the_rules_what_the_export_said(wb, path):
    run = find_run(wb, validate_file(wb, path, run_date=RUN_DATE))
    records, _ = split_storable(read_export(path))
    exported, back = prepare(records), prepare(kept.kept_lines(wb, run.id))
    assert back.columns == exported.columns
    written_otherwise = ("line_number", "doctor_name", "patient_name", "debut")
    assert back.drop(written_otherwise).equals(exported.drop(written_otherwise))
    assert back["debut"].to_list() == ["08:05", "huit heures", "00:00", None, "09:00", "09:30", "09:00", "09:00"]


def test_a_run_judged_again_from_its_kept_lines_gives_its_own_results(wb, path):
    run = find_run(wb, validate_file(wb, path, run_date=RUN_DATE))
    rules, ref = reference.rules_in_force(wb), reference.load(wb, RUN_DATE)
    again = engine.find_results(prepare(kept.kept_lines(wb, run.id)), rules, ref)
    found = ["rule_id", "row_number", "severity", "amount", "related"]
    said = run.results.sort("row_number", "rule_id").select(found)
    assert again.results.sort("row_number", "rule_id").select(found).rows() == said.rows()
    assert again.results.height > 8
    assert "DQ_TIME_FORMAT" in again.results["rule_id"].to_list()


def test_what_stood_in_the_place_of_a_time_is_not_shown_with_the_records(wb, path):
    run = find_run(wb, validate_file(wb, path, run_date=RUN_DATE))
    assert "huit heures" not in run.records.write_json()


def test_a_record_that_ends_at_midnight_can_be_shown(wb, path):
    assert find_run(wb, validate_file(wb, path, run_date=RUN_DATE)).records["fin"][0] == "24:00"


def test_only_the_lines_that_are_asked_for_come_back(wb, path):
    run = find_run(wb, validate_file(wb, path, run_date=RUN_DATE))
    assert kept.kept_lines(wb, run.id, rows=[5, 2])["row_number"].to_list() == [2, 5]


def test_a_run_whose_lines_were_cleared_has_none_left(wb, path):
    run = find_run(wb, validate_file(wb, path, run_date=RUN_DATE))
    assert kept.has_kept_lines(wb, run.id)
    with wb.database.connect() as connection:
        connection.exec_driver_sql(f"SELECT drop_run_tables('{run.id}', ARRAY['billing_records'])")
        connection.commit()
    assert not kept.has_kept_lines(wb, run.id)
    assert kept.kept_lines(wb, run.id).schema == SCHEMA
    assert kept.kept_lines(wb, run.id).is_empty()
