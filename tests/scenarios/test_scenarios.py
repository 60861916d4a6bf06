import pytest

from tests.scenarios import DATA, may_fail, scenarios
from tests.scenarios.__main__ import check, main

ALL = [(file.stem, scenario) for file in sorted(DATA.glob("*.json")) for scenario in scenarios(file)]
GATES = [pair for pair in ALL if not may_fail(pair[1])]


@pytest.mark.parametrize(("subject", "scenario"), GATES, ids=[scenario["id"] for _, scenario in GATES])
def test_a_scenario_gives_what_is_expected(subject, scenario):
    outcome = check(subject, scenario)
    assert (outcome.status, outcome.came) != ("failed", outcome.came), scenario["title"]


def test_reading_refuses_the_one_contested_amount_that_can_be_read_in_two_ways():
    failed = [
        scenario["id"]
        for subject, scenario in ALL
        if subject == "csv_parsing" and check(subject, scenario).status == "failed"
    ]
    assert failed == ["CS-045"]


def test_a_failing_scenario_fails_the_run(tmp_path, capsys):
    file = tmp_path / "csv_parsing.json"
    file.write_text(
        '[{"id": "X", "title": "t", "given": {"bytes_base64": ""}, "expect": {"records": [{}], "row_errors": []}}]'
    )
    assert main(str(tmp_path)) == 1
    assert "csv_parsing 0/1" in capsys.readouterr().out


def test_a_contested_scenario_that_fails_is_only_reported(tmp_path, capsys):
    file = tmp_path / "csv_parsing.json"
    file.write_text(
        '[{"id": "X", "title": "t", "contested": true, "given": {"bytes_base64": ""},'
        ' "expect": {"records": [{}], "row_errors": []}}]'
    )
    assert main(str(tmp_path)) == 0
    assert "reported only" in capsys.readouterr().out


def test_a_subject_without_a_checker_is_not_yet(tmp_path, capsys):
    (tmp_path / "elsewhere.json").write_text('[{"id": "X"}]')
    assert main(str(tmp_path)) == 0
    assert capsys.readouterr().out == "elsewhere 0/1, 1 not yet\n"
