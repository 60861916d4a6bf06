import json
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
import sqlalchemy as sa

from dashlib import catalogue, importing, reference
from dashlib.catalogue import export_rows, search, status
from dashlib.entering import remove_row, set_row
from dashlib.errors import AccessDenied, NotFound, RuleError, UsageError
from dashlib.importing import import_reference, plan_import
from dashlib.rules.base import CodeGroups
from dashlib.schema import AuditEvent, Code
from dashlib.workbench import Viewer
from tests.pages import MANUAL

pytestmark = pytest.mark.database

COUNTS = ("added", "changed", "closed", "removed", "unchanged")


@pytest.fixture
def file(tmp_path):
    def written(text, name="page.html"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return written


@pytest.fixture
def imported(wb, file):
    """A workbench whose codes come from a page of the manual."""
    import_reference(wb, "manual", file(MANUAL))
    return wb


def counts(plan):
    return [plan.as_dict()[name] for name in COUNTS]


def state(wb, table="codes"):
    return status(wb).filter(table=table).select("rows", "source", "trusted", "version").row(0)


def tariffs(wb, code):
    columns = ("place", "tariff_value", "valid_from", "valid_to")
    return export_rows(wb, "codes").filter(code=code).select(columns).rows()


def test_a_dry_run_shows_what_would_change_and_writes_nothing(wb, file):
    before = state(wb)
    plan = plan_import(wb, "manual", file(MANUAL))
    assert counts(plan) == [6, 0, 0, 3, 0]
    assert set(plan.removed["source"]) == {"Liste de départ de dashlib"}
    assert state(wb) == before


def test_the_manual_replaces_the_starter_rows_of_its_codes_and_keeps_the_others(imported):
    rows, source, trusted, _ = state(imported)
    assert (rows, source, trusted) == (518, "Manuel des médecins omnipraticiens — Rémunération à l'acte", True)
    codes = export_rows(imported, "codes")
    assert set(codes.filter(code="15819")["source"]) == {source}
    assert set(codes.filter(code="08875")["source"]) == {"Liste de départ de dashlib"}


def test_what_is_removed_stays_as_inactive(imported):
    with imported.database.connect() as connection:
        query = sa.select(sa.func.count()).where(Code.code == "15819", Code.active.is_(False))
        assert connection.scalar(query) == 1


def test_rules_follow_the_imported_titles(imported):
    codes = reference.load(imported, date(2025, 6, 30)).codes
    assert sorted(CodeGroups(leaf=("Visite périodique",)).resolve(codes)) == ["15819", "15820", "15839", "15840"]


def test_the_same_file_again_changes_nothing(imported, file):
    before = state(imported)
    assert counts(import_reference(imported, "manual", file(MANUAL))) == [0, 0, 0, 0, 6]
    assert state(imported) == before


def test_a_new_tariff_replaces_the_old_one_where_no_day_is_known(imported, file):
    plan = import_reference(imported, "manual", file(MANUAL.replace("90,00", "91,50")))
    assert counts(plan) == [0, 1, 0, 0, 5]
    assert ("Cabinet", Decimal("91.50"), None, None) in tariffs(imported, "15819")


def test_a_tariff_that_changes_on_a_known_day_leaves_the_old_one_to_older_services(imported, file):
    new = file(MANUAL.replace("90,00", "91,50"))
    assert counts(import_reference(imported, "manual", new, effective=date(2026, 4, 1))) == [1, 0, 1, 0, 5]
    assert tariffs(imported, "15819") == [
        ("Cabinet", Decimal("90.00"), None, date(2026, 3, 31)),
        ("Cabinet", Decimal("91.50"), date(2026, 4, 1), None),
        ("Établissement", Decimal("70.00"), None, None),
    ]
    assert counts(import_reference(imported, "manual", new)) == [0, 0, 0, 0, 6]


def test_a_code_that_the_manual_no_longer_has_is_removed_or_ends_the_day_before(imported, file):
    less = file(MANUAL.replace("15820", "15819").replace("95,00|75,00", ""))
    shorter = file(MANUAL.replace("<p><strong>15820</strong></p>", ""))
    assert plan_import(imported, "manual", shorter).removed["code"].to_list() == ["15820", "15820"]
    ended = plan_import(imported, "manual", shorter, effective=date(2026, 4, 1))
    assert (ended.removed.height, sorted(ended.closed["code"])) == (0, ["15820", "15820"])
    assert less.exists()


def test_a_tariff_that_began_on_or_after_the_known_day_is_removed_for_it_cannot_end_before(wb, file):
    later = "code;description;tariff_value;valid_from\n91001;A;5;2026-01-01\n91002;B;5;2026-01-01\n"
    import_reference(wb, "codes", file(later))
    plan = import_reference(wb, "codes", file("code;description;tariff_value\n91001;A;6\n"), effective=date(2025, 6, 1))
    assert counts(plan) == [0, 1, 0, 1, 0]


def test_an_import_that_fails_in_the_middle_leaves_nothing(wb, file, monkeypatch):
    before = state(wb), export_rows(wb, "codes")
    monkeypatch.setattr(importing, "note_change", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        import_reference(wb, "manual", file(MANUAL))
    assert state(wb) == before[0]
    assert export_rows(wb, "codes").equals(before[1])


def test_an_import_leaves_its_event_with_counts_and_no_name_of_a_file(imported):
    with imported.database.connect() as connection:
        query = sa.select(AuditEvent.kind, AuditEvent.target_id, AuditEvent.details)
        kind, target, details = connection.execute(query.where(AuditEvent.event == "reference.imported")).one()
    assert (kind, target, details["added"], details["removed"]) == ("reference", "codes", 6, 3)
    assert "page.html" not in json.dumps(details)


@pytest.mark.parametrize("table", ["codes", "contexts", "holidays"])
def test_what_is_exported_imports_again_without_a_change(imported, tmp_path, table):
    path = tmp_path / "table.csv"
    rows = export_rows(imported, table)
    rows.write_csv(path, include_bom=True)
    assert counts(import_reference(imported, table, path)) == [0, 0, 0, 0, rows.height]


def test_closed_tariffs_survive_the_round_trip(imported, file, tmp_path):
    import_reference(imported, "manual", file(MANUAL.replace("90,00", "91,50")), effective=date(2026, 4, 1))
    path = tmp_path / "codes.csv"
    export_rows(imported, "codes").write_csv(path)
    assert plan_import(imported, "codes", path).is_empty


def test_a_short_list_of_codes_adds_to_what_there_is(imported, file):
    path = file("code;description;tariff_value\n17238;Entente particulière;29,90\n", "codes.csv")
    assert counts(import_reference(imported, "codes", path)) == [1, 0, 0, 0, 0]
    assert state(imported)[2] is True


def test_a_code_entered_by_hand_is_kept_by_later_imports(imported, file):
    set_row(imported, "codes", "15819", {"place": "cabinet", "tariff_value": "99,00"})
    plan = import_reference(imported, "manual", file(MANUAL))
    assert plan.is_empty
    assert plan.passed.select("code", "place", "reason").rows() == [("15819", "Cabinet", "yours")]


def test_a_list_of_establishments_replaces_the_one_before_and_brings_back_what_was_removed(wb, file):
    both = "code,name,gmf\n54321,Clinique A,true\n54322,Clinique B,false\n"
    assert counts(import_reference(wb, "establishments", file(both, "e.csv"))) == [2, 0, 0, 0, 0]
    assert reference.load(wb, date(2025, 6, 30)).flagged(frozenset({"gmf"})) == ["54321"]
    only_b = "code,name,gmf\n54322,Clinique B,true\n"
    assert counts(import_reference(wb, "establishments", file(only_b, "e.csv"))) == [0, 1, 0, 1, 0]
    assert counts(import_reference(wb, "establishments", file(both, "e.csv"))) == [1, 1, 0, 0, 0]
    assert state(wb, "establishments")[0] == 2


def test_a_list_of_holidays_speaks_for_its_years_and_places_only(wb, file):
    before = state(wb, "holidays")[0]
    path = file("date,name,applies_to\n2025-11-11,Souvenir,54321\n", "h.csv")
    assert counts(import_reference(wb, "holidays", path)) == [1, 0, 0, 0, 0]
    assert state(wb, "holidays")[0] == before + 1
    moved = file("date,name,applies_to\n2025-11-12,Souvenir,54321\n", "h.csv")
    assert counts(import_reference(wb, "holidays", moved)) == [1, 0, 0, 1, 0]


def test_a_day_from_which_is_for_files_that_tell_none(wb, file):
    path = file("date,name\n2025-11-11,Souvenir\n", "h.csv")
    with pytest.raises(UsageError, match="DL-REF-050"):
        plan_import(wb, "holidays", path, effective=date(2026, 1, 1))


def test_a_viewer_may_not_change_the_reference(wb, file):
    viewer = catalogue.Workbench(**{**vars(wb), "viewer": Viewer("local|a", "a@localhost", "viewer")})
    for attempt in (
        lambda: import_reference(viewer, "manual", file(MANUAL)),
        lambda: set_row(viewer, "contexts", "AR", {"description": "x"}),
        lambda: remove_row(viewer, "contexts", "AR"),
    ):
        with pytest.raises(AccessDenied, match="DL-REF-051"):
            attempt()


@pytest.mark.parametrize("words", ["visite periodique", "Visites périodiques", "VISITE PÉRIODIQUE vulnérable"])
def test_search_finds_words_in_any_form_with_or_without_accents(imported, words):
    assert set(search(imported, words)["code"]) >= {"15819", "15820"}


def test_search_finds_a_number_without_its_zeros(imported):
    assert set(search(imported, "8857")["code"]) == {"08857"}


def test_search_asks_the_index(imported):
    with imported.database.connect() as connection:
        connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        asked = []
        sa.event.listen(connection.engine, "before_cursor_execute", lambda *a: asked.append(a[2:4]))
        search(imported, "visite periodique")
        statement, values = asked[0]
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars().all()
    assert any("idx_codes_description_gin" in line for line in plan)


def test_an_edit_that_cannot_be_is_refused(imported):
    for fields, code in (
        ({"tariff_value": "1.00"}, "DL-REF-053"),
        ({"place": "cabinet", "tariff_value": "beaucoup"}, "DL-REF-052"),
        ({"place": "sur la lune"}, "DL-REF-052"),
        ({"place": "domicile", "description": "-"}, "DL-REF-052"),
    ):
        with pytest.raises(RuleError, match=code):
            set_row(imported, "codes", "15819", fields)
    with pytest.raises(RuleError, match="DL-REF-055"):
        set_row(imported, "establishments", "888", {"city": "Québec"})


def test_a_row_removed_is_out_of_force_and_can_come_back(wb):
    assert remove_row(wb, "contexts", "#g160") == 1
    assert "G160" not in set(export_rows(wb, "contexts")["context"])
    with pytest.raises(NotFound, match="DL-REF-054"):
        remove_row(wb, "contexts", "G160")
    assert set_row(wb, "contexts", "G160", {"description": "Sans rendez-vous"}).outcome == "added"
    assert remove_row(wb, "holidays", "2025-12-25") == 1


def test_every_edit_gives_the_table_a_new_version(wb):
    versions = {state(wb)[3]}
    for amount in ("1.00", "2.00", "1.00"):
        set_row(wb, "codes", "17238", {"description": "Entente", "tariff_value": amount})
        versions.add(state(wb)[3])
    assert len(versions) == 4


def test_the_command_says_what_was_imported(run, file):
    done = run("reference", "import", "manual", file(MANUAL))
    assert done.exit_code == 0
    assert "4 lignes codées lues" not in done.stdout
    assert "3 lignes codées lues" in done.stdout
    told = json.loads(run("--lang", "en", "reference", "import", "manual", file(MANUAL), "--dry-run", "--json").stdout)
    assert (told["unchanged"], told["dry_run"]) == (6, True)


def test_a_dry_run_names_the_rows_that_would_come_and_go(run, file):
    said = run("reference", "import", "manual", file(MANUAL), "--dry-run").stdout
    assert "ajoutées : 6" in said
    assert "retirées (inactives) : 3" in said
    assert "15819" in said
    told = json.loads(run("reference", "import", "manual", file(MANUAL), "--dry-run", "--json").stdout)
    assert sorted({row["code"] for row in told["removed_rows"]}) <= sorted({row["code"] for row in told["added_rows"]})
    assert len(told["added_rows"]) == 6


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("import", "manual", "absent.html"), 8),
        (("import", "manual", "page.html"), 4),
        (("import", "codes", "page.html"), 4),
        (("import", "rules", "page.html"), 4),
        (("import", "lune", "page.html"), 2),
        (("set", "codes", "08857", "tariff_value"), 2),
        (("set", "codes", "08857", "tariff_value=1"), 4),
        (("remove", "codes", "99999"), 8),
        (("search", "introuvable"), 0),
        (("status",), 0),
        (("status", "--json"), 0),
        (("export", "codes", "--out", "nulle/part.csv"), 2),
    ],
)
def test_commands_return_the_code_of_their_fault(run, file, arguments, code):
    file(MANUAL[:300])
    assert run("reference", *arguments).exit_code == code


def test_status_tells_rows_codes_source_and_trust(run):
    lines = [json.loads(line) for line in run("reference", "status", "--json").stdout.splitlines()]
    [codes] = [line for line in lines if line["table"] == "codes"]
    assert (codes["rows"], codes["codes"], codes["source"], codes["trusted"]) == (515, 511, "starter", False)


def test_what_the_command_exports_it_imports(run):
    for table in ("codes", "contexts", "holidays"):
        assert run("reference", "export", table, "--out", "t").exit_code == 0
        told = json.loads(run("reference", "import", table, "t", "--dry-run", "--json").stdout)
        assert (told["added"], told["changed"]) == (0, 0)


def test_frames_of_a_plan_hold_the_tables_columns(wb, file):
    plan = plan_import(wb, "manual", file(MANUAL))
    assert plan.added.schema == pl.Schema(catalogue.TABLES["codes"].columns)


def test_a_tariff_cannot_end_before_it_begins(wb):
    set_row(wb, "codes", "17238", {"description": "Entente", "valid_from": "2026-04-01"})
    with pytest.raises(RuleError, match=r"DL-REF-052.*valid_to"):
        set_row(wb, "codes", "17238", {"valid_to": "2026-03-31"})


def test_the_journal_names_no_field_that_somebody_made_up(imported):
    set_row(imported, "contexts", "AR", {"description": "Garde", "TEST00000000": "1"})
    with imported.database.connect() as connection:
        details = connection.scalars(sa.select(AuditEvent.details).order_by(AuditEvent.id)).all()
    assert details[-1]["fields"] == ["custom_fields", "description"]
