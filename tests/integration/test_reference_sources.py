import json
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
import sqlalchemy as sa

from dashlib import reference
from dashlib.catalogue import export_rows, status
from dashlib.entering import Entry, remove_row, set_row
from dashlib.errors import RuleError
from dashlib.importing import import_reference, plan_import
from tests.pages import MANUAL

pytestmark = pytest.mark.database

COUNTS = ("added", "changed", "closed", "removed", "unchanged", "passed")
PAGE = "Manuel des médecins omnipraticiens — Rémunération à l'acte"
TABLE = "Table extraite du manuel"
BROCHURE = "Table extraite du manuel (brochure)"
STARTER = "Liste de départ de dashlib"
LIST = "Liste importée"
BY_HAND = "Saisie"

SCRAPED = """billing_code,place,tariff_value,description,source_file,top_level,level1_group,leaf,anchor_id
15819,cabinet,90,Titre,manuel.html,B - X,,Titre,1
15819,all,33.35,Titre,manuel.html,B - X,,Titre,2
91001,all,12.5,Titre,manuel.html,B - X,,Titre,3
91001,all,12.5,Titre,manuel.html,B - X,,Autre titre,4
08875,all,5.09,Titre,Brochure no 1.pdf,B - X,,Titre,5
00005,all,49.15,Titre,manuel.html,B - X,,Titre,6
91002,partout,1.00,Titre,manuel.html,B - X,,Titre,7
"""
CONTEXTS = "context;description\nX1;Un\nX2;Deux\n"


@pytest.fixture
def file(tmp_path):
    def written(text, name="list.csv"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return written


def counts(plan):
    return [plan.as_dict()[name] for name in COUNTS]


def in_force(wb, table):
    return status(wb).filter(table=table)["rows"].item()


def amounts(wb, code):
    columns = ("place", "tariff_value", "valid_from", "valid_to", "trusted", "source")
    return export_rows(wb, "codes").filter(code=code).select(columns).rows()


def days(wb, code):
    return [row[1:4] for row in amounts(wb, code)]


def doubled(wb):
    """Keys of codes with an amount that are there twice."""
    question = """SELECT code, place, role, kind, valid_from FROM codes WHERE active AND tariff_value IS NOT NULL
        GROUP BY 1, 2, 3, 4, 5 HAVING count(*) > 1"""
    with wb.database.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(question))]


def test_a_short_list_of_contexts_leaves_the_starter_and_what_was_set_by_hand(wb, file):
    set_row(wb, "contexts", "MIEN", {"description": "Le mien"})
    before = in_force(wb, "contexts")
    assert counts(import_reference(wb, "contexts", file(CONTEXTS))) == [2, 0, 0, 0, 0, 0]
    assert in_force(wb, "contexts") == before + 2
    assert counts(import_reference(wb, "contexts", file("context;description\nX2;Deux\n"))) == [0, 0, 0, 1, 1, 0]
    assert in_force(wb, "contexts") == before + 1
    assert {"MIEN", "G160", "X2"} <= set(export_rows(wb, "contexts")["context"])


def test_a_context_of_the_starter_that_a_list_puts_right_stays_when_the_list_no_longer_has_it(wb, file):
    assert counts(import_reference(wb, "contexts", file("context;description\nAR;Autre\n"))) == [0, 1, 0, 0, 0, 0]
    assert counts(import_reference(wb, "contexts", file("context;description\nX1;Un\n"))) == [1, 0, 0, 0, 0, 0]
    assert "AR" in set(export_rows(wb, "contexts")["context"])


def test_what_was_set_by_hand_is_not_overwritten_by_a_list_and_that_is_told(wb, file):
    set_row(wb, "establishments", "54321", {"name": "Clinique A", "gmf": "true"})
    plan = import_reference(wb, "establishments", file("code;name\n54321;CLINIQUE A\n54322;CLINIQUE B\n"))
    assert counts(plan) == [1, 0, 0, 0, 0, 1]
    assert plan.passed.select("line", "code", "reason").rows() == [(2, "54321", "yours")]
    assert reference.load(wb, date(2025, 6, 30)).flagged(frozenset({"gmf"})) == ["54321"]
    assert counts(plan_import(wb, "establishments", file("code;name\n54322;CLINIQUE B\n"))) == [0, 0, 0, 0, 1, 0]


def test_a_list_that_replaces_the_table_says_what_goes_and_who_brought_it(wb, file):
    set_row(wb, "contexts", "MIEN", {"description": "Le mien"})
    set_row(wb, "contexts", "X1", {"description": "À la main"})
    import_reference(wb, "contexts", file("context;description\nX3;Trois\n"))
    starter = in_force(wb, "contexts") - 3
    plan = import_reference(wb, "contexts", file(CONTEXTS), replace=True)
    assert counts(plan) == [1, 1, 0, starter + 2, 0, 0]
    assert plan.as_dict()["removed_by_source"] == {STARTER: starter, BY_HAND: 1, LIST: 1}
    assert export_rows(wb, "contexts").select("context", "description").rows() == [("X1", "Un"), ("X2", "Deux")]
    assert counts(plan_import(wb, "contexts", file("context;description\nX2;Deux\n"))) == [0, 0, 0, 1, 1, 0]


def test_a_list_of_holidays_removes_only_days_that_a_list_brought(wb, file):
    both = file("date,name\n2025-11-11,Souvenir\n2025-11-12,Pont\n2025-12-25,Noël\n")
    assert counts(import_reference(wb, "holidays", both)) == [2, 0, 0, 0, 1, 0]
    set_row(wb, "holidays", "2025-02-03", {"name": "À nous"})
    one = file("date,name\n2025-11-11,Souvenir\n")
    assert counts(plan_import(wb, "holidays", one)) == [0, 0, 0, 1, 1, 0]
    plan = plan_import(wb, "holidays", one, replace=True)
    assert plan.as_dict()["removed_by_source"] == {STARTER: 13, LIST: 1, BY_HAND: 1}
    assert set(plan.removed["date"].dt.year()) == {2025}


def test_a_list_of_codes_leaves_the_manual_and_what_was_set_by_hand(wb, file):
    import_reference(wb, "manual", file(MANUAL))
    set_row(wb, "codes", "17238", {"description": "Entente", "tariff_value": "29.90"})
    before = in_force(wb, "codes")
    only_one = file("")
    export_rows(wb, "codes").filter(code="15801").write_csv(only_one)
    assert counts(import_reference(wb, "codes", only_one)) == [0, 0, 0, 0, 2, 0]
    assert in_force(wb, "codes") == before


def test_the_scraped_table_adds_nothing_to_a_code_that_the_manual_has(wb, file):
    import_reference(wb, "manual", file(MANUAL))
    before = amounts(wb, "15819")
    plan = import_reference(wb, "codes", file(SCRAPED))
    assert amounts(wb, "15819") == before
    assert plan.passed.select("line", "reason").rows() == [
        (2, "manual"),
        (3, "manual"),
        (5, "repeated"),
        (6, "better"),
    ]
    told = plan.as_dict()
    assert (told["read"], told["rows"], told["passed"], told["refused"]) == (7, 2, 4, 1)
    assert doubled(wb) == []
    assert counts(import_reference(wb, "codes", file(SCRAPED))) == [0, 0, 0, 0, 2, 4]


def test_the_order_of_the_manual_and_the_scraped_table_does_not_matter(wb, file):
    import_reference(wb, "codes", file(SCRAPED))
    import_reference(wb, "manual", file(MANUAL))
    assert {row[5] for row in amounts(wb, "15819")} == {PAGE}
    assert [row[5] for row in amounts(wb, "91001")] == [TABLE]
    assert doubled(wb) == []
    assert counts(import_reference(wb, "codes", file(SCRAPED))) == [0, 0, 0, 0, 2, 4]


def test_what_the_manual_doubts_is_not_trusted_by_way_of_the_scraped_table(wb, file):
    import_reference(wb, "manual", file(MANUAL.replace("90,00", "7.02")))
    import_reference(wb, "codes", file(SCRAPED))
    trusted = [row[4] for row in amounts(wb, "15819") if row[0] == "Cabinet"]
    assert trusted == [False]


def test_a_manual_row_takes_the_place_of_brochure_rows_too(wb, file):
    brochure = SCRAPED.replace("15819,cabinet,90,Titre,manuel.html", "15819,cabinet,90,Titre,Brochure no 1.pdf")
    import_reference(wb, "codes", file(brochure))
    assert BROCHURE in {row[5] for row in amounts(wb, "15819")}
    import_reference(wb, "manual", file(MANUAL))
    assert {row[5] for row in amounts(wb, "15819")} == {PAGE}


def test_of_contradictory_amounts_of_a_brochure_one_is_there_and_it_is_not_trusted(wb, file):
    row = "91003,all,{},Titre,Brochure no 1.pdf,B - X,,Titre,1\n"
    plan = import_reference(wb, "codes", file(SCRAPED.split("\n")[0] + "\n" + row.format("5.09") + row.format("6.10")))
    assert plan.passed.select("line", "reason").rows() == [(3, "contradictory")]
    assert [(row[1], row[4]) for row in amounts(wb, "91003")] == [(Decimal("5.09"), False)]


def test_a_code_of_the_scraped_table_keeps_the_titles_that_the_starter_knows(wb, file):
    known = export_rows(wb, "codes").filter(code="00005").select("description", "leaf").rows()
    import_reference(wb, "codes", file(SCRAPED))
    found = export_rows(wb, "codes").filter(code="00005")
    assert found.select("description", "leaf").rows() == known
    assert found.select("tariff_value", "source").rows() == [(Decimal("49.15"), TABLE)]
    assert counts(import_reference(wb, "codes", file(SCRAPED))) == [0, 0, 0, 0, 4, 2]


def test_a_list_does_not_double_what_the_manual_has_but_adds_older_amounts(wb, file):
    import_reference(wb, "manual", file(MANUAL))
    text = """code;description;place;tariff_value;valid_from;valid_to
15819;Visite;Cabinet;88,00;2024-01-01;2024-12-31
15819;Visite;Cabinet;93,00;2025-01-01;
"""
    plan = import_reference(wb, "codes", file(text))
    assert plan.passed.select("line", "reason").rows() == [(3, "manual")]
    assert days(wb, "15819")[1:2] == [(Decimal("88.00"), date(2024, 1, 1), date(2024, 12, 31))]
    assert doubled(wb) == []


def test_the_manual_takes_the_place_of_a_list_that_has_the_same(wb, file):
    import_reference(wb, "codes", file("code;description;place;tariff_value\n15819;Visite;Cabinet;93,00\n"))
    plan = import_reference(wb, "manual", file(MANUAL))
    assert plan.as_dict()["removed_by_source"][LIST] == 1
    assert doubled(wb) == []


def test_an_older_amount_set_by_hand_does_not_hold_up_the_manual(wb, file):
    import_reference(wb, "manual", file(MANUAL))
    import_reference(wb, "manual", file(MANUAL.replace("90,00", "91,50")), effective=date(2025, 1, 1))
    set_row(wb, "codes", "15819", {"place": "Cabinet", "tariff_value": "80", "valid_from": "2026-01-01"})
    set_row(wb, "codes", "15819", {"place": "Cabinet", "tariff_value": "92", "valid_from": "2026-07-01"})
    plan = plan_import(wb, "manual", file(MANUAL.replace("90,00", "93,00")))
    assert [row["reason"] for row in plan.passed.to_dicts()] == ["yours"]
    assert counts(plan) == [0, 0, 0, 0, 5, 1]
    remove_row(wb, "codes", "15819", {"place": "Cabinet", "valid_from": "2026-07-01"})
    assert counts(plan_import(wb, "manual", file(MANUAL.replace("90,00", "93,00")))) == [1, 0, 0, 0, 5, 0]


def test_a_row_of_the_starter_is_put_right_by_its_export_and_its_siblings_stay(wb, file):
    starter = export_rows(wb, "codes")
    several = starter.filter(starter["code"].is_duplicated())
    only_one = file("")
    several.head(1).with_columns(leaf=pl.lit("Autre")).write_csv(only_one)
    assert counts(plan_import(wb, "codes", only_one)) == [0, 1, 0, 0, 0, 0]


def test_an_export_of_lesser_sources_adds_nothing_to_codes_that_the_manual_has(wb, file):
    exported = file("", "export.csv")
    export_rows(wb, "codes").filter(code="15819").write_csv(exported)
    import_reference(wb, "manual", file(MANUAL))
    plan = import_reference(wb, "codes", exported)
    assert plan.passed["reason"].unique().to_list() == ["better"]
    assert {row[5] for row in amounts(wb, "15819")} == {PAGE}


def test_a_file_of_codes_that_replaces_the_table_is_all_there_is(wb, file):
    import_reference(wb, "manual", file(MANUAL))
    set_row(wb, "codes", "17238", {"description": "Entente", "tariff_value": "29.90"})
    plan = import_reference(wb, "codes", file("code;description;tariff_value\n17238;Z;30\n"), replace=True)
    assert set(plan.as_dict()["removed_by_source"]) == {PAGE, STARTER}
    assert [row[1] for row in export_rows(wb, "codes").select("code", "tariff_value").rows()] == [Decimal("30.00")]


def test_the_dry_run_names_sources_and_rows_passed_over(run, file):
    run("reference", "import", "manual", file(MANUAL))
    said = run("reference", "import", "codes", file(SCRAPED), "--dry-run").stdout
    assert "laissées de côté" in said
    assert "2  le manuel a déjà ce code : lignes 2, 3 (15819)" in said
    whole = run("reference", "import", "codes", file(SCRAPED), "--dry-run", "--replace").stdout
    assert f"      5  {PAGE}" in whole
    told = json.loads(run("reference", "import", "codes", file(SCRAPED), "--dry-run", "--replace", "--json").stdout)
    assert told["replace"] is True
    assert told["removed_by_source"][PAGE] == 5
    rules = run("reference", "import", "rules", file("[]"), "--replace")
    assert (rules.exit_code, "DL-REF-058" in rules.stderr) == (2, True)


def test_setting_a_field_changes_the_row_or_adds_it(wb):
    assert set_row(wb, "codes", "17238", {"description": "Entente", "tariff_value": "29,90"}) == Entry("added")
    assert set_row(wb, "codes", "17238", {"tariff_value": "30.10"}) == Entry("changed")
    assert days(wb, "17238") == [(Decimal("30.10"), None, None)]
    assert set_row(wb, "establishments", "888", {"name": "Hôpital", "gmf": "true"}) == Entry("added")
    assert set_row(wb, "establishments", "888", {"city": "Québec"}) == Entry("changed")
    assert export_rows(wb, "establishments").row(0) == ("00888", "Hôpital", "Québec", None, '{"gmf": true}')
    assert set_row(wb, "holidays", "2025-11-11", {"name": "Souvenir", "applies_to": "888"}) == Entry("added")


def test_a_new_amount_from_a_day_closes_the_one_before(wb):
    set_row(wb, "codes", "17238", {"description": "Entente", "tariff_value": "29.90"})
    set_row(wb, "codes", "17238", {"tariff_value": "30.10", "valid_from": "2026-04-01"})
    assert days(wb, "17238") == [
        (Decimal("29.90"), None, date(2026, 3, 31)),
        (Decimal("30.10"), date(2026, 4, 1), None),
    ]


def test_an_amount_from_an_earlier_day_ends_the_day_before_the_next_one(wb):
    set_row(wb, "codes", "17238", {"description": "Entente", "tariff_value": "29.90", "valid_from": "2025-04-01"})
    made = set_row(wb, "codes", "17238", {"tariff_value": "28.00", "valid_from": "2024-04-01"})
    assert made == Entry("changed", None, date(2025, 3, 31))
    between = set_row(wb, "codes", "17238", {"tariff_value": "28.50", "valid_from": "2024-10-01"})
    assert between == Entry("changed", date(2024, 9, 30), date(2025, 3, 31))
    assert days(wb, "17238") == [
        (Decimal("28.00"), date(2024, 4, 1), date(2024, 9, 30)),
        (Decimal("28.50"), date(2024, 10, 1), date(2025, 3, 31)),
        (Decimal("29.90"), date(2025, 4, 1), None),
    ]


def test_an_amount_that_has_ended_is_corrected_by_the_day_on_which_it_began(wb):
    set_row(wb, "codes", "17238", {"description": "Entente", "tariff_value": "28", "valid_from": "2024-04-01"})
    set_row(wb, "codes", "17238", {"tariff_value": "29.90", "valid_from": "2025-04-01"})
    assert set_row(wb, "codes", "17238", {"tariff_value": "28.10", "valid_from": "2024-04-01"}) == Entry("changed")
    assert days(wb, "17238")[0] == (Decimal("28.10"), date(2024, 4, 1), date(2025, 3, 31))
    assert remove_row(wb, "codes", "17238", {"valid_from": "2024-04-01"}) == 1
    assert days(wb, "17238") == [(Decimal("29.90"), date(2025, 4, 1), None)]


@pytest.mark.parametrize(
    "fields",
    [
        {"valid_from": "-"},
        {"tariff_value": "28.50", "valid_from": "2024-10-01", "valid_to": "2024-12-31"},
        {"tariff_value": "28.50", "valid_from": "2024-01-01", "valid_to": "2024-06-30"},
        {"valid_from": "2023-01-01"},
    ],
)
def test_an_edit_after_which_two_amounts_or_none_would_hold_is_refused_and_changes_nothing(wb, fields):
    set_row(wb, "codes", "17238", {"description": "Entente", "tariff_value": "28", "valid_from": "2024-04-01"})
    set_row(wb, "codes", "17238", {"tariff_value": "29.90", "valid_from": "2025-04-01"})
    before = days(wb, "17238")
    with pytest.raises(RuleError, match=r"DL-REF-057.*2024-04-01.*2025-03-31"):
        set_row(wb, "codes", "17238", fields)
    assert days(wb, "17238") == before


def test_the_command_says_which_amount_ends_when(run):
    run("reference", "set", "codes", "17238", "description=Entente", "tariff_value=29,90", "valid_from=2025-04-01")
    later = run("reference", "set", "codes", "17238", "tariff_value=30,10", "valid_from=2026-04-01").stdout
    assert "Le montant d'avant finit le 2026-03-31" in later
    earlier = run("reference", "set", "codes", "17238", "tariff_value=28", "valid_from=2024-04-01").stdout
    assert "Ce montant finit le 2025-03-31" in earlier


def test_who_writes_without_saying_who_he_is_does_it_by_hand(wb, file):
    with wb.database.connect() as connection:
        connection.execute(sa.text("INSERT INTO contexts (context, description) VALUES ('PSQL', 'x')"))
    import_reference(wb, "contexts", file(CONTEXTS))
    assert "PSQL" in set(export_rows(wb, "contexts")["context"])
