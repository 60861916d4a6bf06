import re
from datetime import date
from decimal import Decimal
from html import unescape

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from dashlib import demo, explorer, texts
from dashlib.cards import holds_card
from dashlib.explorer import Explorer, Nothing, acts, sifting, views
from dashlib.runs import find_run
from dashlib.schema import BillingRecord, ResultAcknowledgement, SavedView, User
from dashlib.validation import validate_file
from tests.exports import export, line

pytestmark = pytest.mark.database
RUN_DATE = date(2025, 7, 2)
EVE, GUY = "9100001-00001 | Exemple, Ève - Omnipraticien", "9100002-00001 | Exemple, Guy - Omnipraticien"
ANA, BEN = "TEST80010112 - EXEMPLE, ANA", "TEST80010213 - EXEMPLE, BEN"
# An annual visit three times, of which one is paid, and an office fee for a day on which nobody was seen.
FIRST = (
    line(facture="900000001", code="15815", date="2025-06-02", debut="09:00", fin="09:30", patient=ANA, doctor=EVE),
    line(facture="900000002", code="15815", date="2025-06-09", debut="09:00", fin="09:30", patient=ANA, doctor=EVE),
    line(facture="900000003", code="15815", date="2025-06-16", paye="49,15", patient=ANA, doctor=EVE),
    line(facture="900000004", code="19928", date="2025-06-17", debut="08:00", prel="32,40", patient=BEN, doctor=GUY),
)
SECOND = (*FIRST[:2], FIRST[3])


@pytest.fixture(scope="session")
def demo_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "demo.csv"
    demo.write_demo(path, rows=4000, seed=7, errors=0.05, run_date=RUN_DATE)
    return path


@pytest.fixture
def clinic(wb, demo_file):
    validate_file(wb, demo_file, run_date=RUN_DATE)
    return Explorer(wb=wb)


@pytest.fixture
def validated(wb, tmp_path):
    def validate(*lines):
        path = tmp_path / "factures.csv"
        path.write_text(export(*lines), "utf-8")
        return find_run(wb, validate_file(wb, path, run_date=RUN_DATE))

    return validate


@pytest.fixture
def desk(wb, validated):
    validated(*FIRST)
    return Explorer(wb=wb)


def plain(html):
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))).replace("\u202f", " ").replace("\xa0", " ")


def results_of(desk):
    """All results as anybody has them, with what the explorer adds worked out here once more."""
    every = find_run(desk._wb, desk.query.run).results
    return every.with_columns(
        number=pl.col("result").str.extract(r":(\d+)$").cast(pl.Int64),
        left=90 - (pl.lit(desk._ledger.limit.as_of) - pl.col("date_service")).dt.total_days(),
        stake=pl.max_horizontal("at_risk", "to_repay", "gain"),
    )


def money(rows, name):
    return rows.group_by("row_number").agg(pl.col(name).max())[name].sum() or Decimal(0)


def ran(code):
    names: dict = {}
    exec(code, names)
    return names["results"]


@pytest.fixture
def _as_users_do(wb, monkeypatch):
    monkeypatch.setattr("dashlib.face.open_workbench", lambda: wb)


QUESTIONS = {
    "everything": [],
    "errors": [("facet", "severity=error")],
    "errors and warnings of a place": [
        ("facet", "severity=error"),
        ("facet", "severity=warning"),
        ("facet", "lieu_de_pratique={lieu_de_pratique}"),
    ],
    "a doctor": [("facet", "doctor={doctor}")],
    "a rule, by date": [("facet", "rule_id={rule_id}"), ("sort", "date_service")],
    "a code": [("facet", "code={code}")],
    "what is late or urgent, the least time first": [
        ("facet", "days=late"),
        ("facet", "days=15"),
        ("sort", "days_left"),
    ],
    "what has time, or none": [("facet", "days=30"), ("facet", "days=90"), ("facet", "days=none")],
    "what is open, most at stake first": [("facet", "status=open"), ("sort", "stake")],
    "an invoice": [("invoice", "{invoice}")],
    "by doctor, from the end": [("sort", "doctor"), ("sort", "doctor")],
}


@pytest.mark.usefixtures("_as_users_do")
@pytest.mark.parametrize("asked", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_the_code_that_is_copied_gives_the_same_rows_in_the_same_order(clinic, asked):
    one = clinic.frame.row(3, named=True)
    for act, arg in asked:
        clinic.act(act, arg.format(**one))
    shown = clinic.frame
    assert shown.height > 0
    assert_frame_equal(ran(clinic.code), shown.select(ran(clinic.code).columns))


@pytest.mark.usefixtures("_as_users_do")
@pytest.mark.parametrize(
    "word", ["1581", "periodique", "OFFICE", "{invoice}", "{id_ramq}", "{doctor}", "{patient}", "nobody"]
)
def test_the_code_of_a_searched_word_gives_the_same_rows(clinic, word):
    one = clinic.frame.drop_nulls("patient").row(3, named=True)
    clinic.act("search", values={"word": word.format(**one)})
    shown = clinic.frame
    assert (shown.height > 0) == (word != "nobody")
    assert_frame_equal(ran(clinic.code), shown.select(ran(clinic.code).columns))


def test_facets_count_results_and_money_under_the_other_filters_and_keep_what_has_none(clinic):
    every = results_of(clinic)
    rule = every.filter(severity="error")["rule_id"].mode()[0]
    clinic.act("facet", "severity=error")
    clinic.act("facet", f"rule_id={rule}")
    found = clinic._sifter.facets(clinic.query)
    of_rule, errors = every.filter(rule_id=rule), every.filter(severity="error")
    assert dict(found["severity"].select("value", "results").rows()) == {
        name: of_rule.filter(severity=name).height for name in every["severity"].unique()
    }
    counted = {name: errors.filter(rule_id=name) for name in every["rule_id"].unique()}
    assert dict(found["rule_id"].select("value", "results").rows()) == {n: r.height for n, r in counted.items()}
    assert dict(found["rule_id"].select("value", "money").rows()) == {
        n: money(r, "at_risk") for n, r in counted.items()
    }
    assert found["rule_id"].filter("chosen")["value"].to_list() == [rule]
    both = errors.filter(rule_id=rule)
    assert dict(found["lieu_de_pratique"].filter(pl.col("results") > 0).select("value", "results").rows()) == dict(
        both.group_by(pl.col("lieu_de_pratique").fill_null("")).len().rows()
    )
    assert 'class="dx-value gone"' in clinic.widget.facets


def test_pages_tabs_and_sums_are_those_of_the_results(clinic):
    every = results_of(clinic).sort(
        pl.col("severity").replace_strict({"error": 0, "warning": 1, "info": 2}), "stake", "number",
        descending=[False, True, False],
    )  # fmt: skip
    assert clinic.frame["result"].to_list() == every["result"].to_list()
    clinic.act("page", "2")
    on_page = re.findall(r'data-act="select" data-arg="([^"]+)"', clinic.widget.table)
    assert on_page == every["result"].to_list()[50:100]
    counted = clinic._totals
    assert (counted.results, counted.lines) == (every.height, every["row_number"].n_unique())
    assert counted.at_risk == money(every, "at_risk")
    assert counted.to_repay == money(every, "to_repay")
    assert counted.gain == every["gain"].sum()
    by_rule = sifting.by_rule(clinic._selection)
    assert by_rule["results"].sum() == every.height
    invoices = sifting.by_invoice(clinic._selection)
    of_first = every.filter(invoice=invoices["invoice"][0])
    assert invoices.row(0, named=True)["results"] == of_first.height
    assert invoices.height == every["invoice"].drop_nulls().n_unique()


@pytest.mark.usefixtures("_as_users_do")
def test_two_runs_beside_each_other_show_what_run_diff_says(wb, validated):
    before, after = validated(*FIRST), validated(*SECOND)
    desk = Explorer(after.number, compare=before.number, wb=wb)
    found = after.diff(before)
    expected = {name: set(getattr(found, name)["result"]) for name in ("new", "fixed", "persisting", "rule_changed")}
    assert sum(map(len, expected.values())) == desk.frame.height
    for state, names in expected.items():
        assert set(desk.frame.filter(state=state)["result"]) == names
    assert expected["fixed"]
    assert "Réglé" in plain(desk.widget.facets)
    assert "État" in re.findall(r"<th[^>]*>([^<]*)</th>", desk.widget.table)
    assert '<td><span class="dx-state fixed"><i aria-hidden="true">✓</i>Réglé</span></td>' in desk.widget.table
    desk.act("facet", "state=fixed")
    assert set(ran(desk.code)["result"]) == expected["fixed"]
    desk.act("compare", values={"value": ""})
    assert desk.query.state == ()
    assert set(desk.frame["result"]) == set(after.results["result"])


def test_a_rule_whose_version_judged_otherwise_is_told_apart(wb, validated):
    before, after = validated(*FIRST), validated(*SECOND)
    with wb.database.connect() as connection:
        connection.execute(
            sa.text("DELETE FROM run_rules WHERE validation_run_id = :run AND rule_id LIKE 'ANNUAL%'"),
            {"run": before.id},
        )
    desk = Explorer(after.number, compare=before.number, wb=wb)
    assert set(desk.frame.filter(state="rule_changed")["result"]) == set(after.diff(before).rule_changed["result"])


def pressed(html):
    """What can be clicked in a piece of HTML, as its script hands it on."""
    pieces = re.findall(r'<(?:button|tr)[^>]*? data-act="([^"]+)"(?: data-arg="([^"]*)")?([^>]*)>', html)
    return [(act, unescape(arg)) for act, arg, rest in pieces if "disabled" not in rest]


WORD = r"(?<!\w)[^\W\d_]{3,}(?!\w)"
# What the Manuel is cited with, the acronym of a health card, and what code sorts with.
SAME_OR_CITED = {"onglet", "NAM", "sort"}
REGIONS = ("bar", "facets", "table", "detail", "over", "said")


def state_of(desk):
    return [getattr(desk.widget, name) for name in REGIONS]


def test_every_button_on_the_page_does_something_that_can_be_seen(wb, desk, monkeypatch):
    sent = []
    monkeypatch.setattr(type(desk.widget), "send", lambda self, content, buffers=None: sent.append(content))
    desk.act("next")
    desk.act("edit", f"{first_row(desk)}:code", {"value": "15804"})
    desk.act("saving")
    desk.act("search", values={"word": "15815"})
    tried = set()
    for act, arg in {p for name in REGIONS for p in pressed(getattr(desk.widget, name))}:
        other = Explorer(wb=wb)
        other.act("next")
        other.act("edit", f"{first_row(other)}:code", {"value": "15804"})
        other.act("search", values={"word": "15815"})
        before = state_of(other)
        sent.clear()
        other.widget._handle_custom_msg({"act": act, "arg": arg, "values": {}}, [])
        beyond = [each for each in sent if each.get("do") in ("download", "copy")]
        unchanged = state_of(other) == before and not beyond
        if not (unchanged and (act, arg) in (("tab", "results"), ("previous", ""), ("select", other._selected))):
            assert not unchanged, (act, arg)
        tried.add(act)
    assert tried >= {
        "facet",
        "tab",
        "sort",
        "select",
        "next",
        "asking",
        "copy",
        "code",
        "export",
        "judge",
        "undo",
        "sheet",
    }
    assert tried >= {"clear", "saving", "help", "search"}
    assert tried <= acts.ACTS.keys()


def first_row(desk):
    return re.search(r'data-act="edit" data-arg="(\d+):code"', desk.widget.detail)[1]


def test_whatever_the_page_asks_for_is_known(desk):
    desk.act("next")
    desk.act("asking")
    desk.act("saving")
    page = "".join(state_of(desk))
    assert set(re.findall(r'data-act="(\w+)"', page)) <= acts.ACTS.keys()


def test_a_result_is_told_with_what_to_do_its_arithmetic_its_day_and_its_history(desk):
    desk.act("facet", "rule_id=ANNUAL_INTAKE_VISIT")
    desk.act("next")
    shown = plain(desk.widget.detail)
    assert "À faire" in shown
    assert "compté" in shown
    assert "maximum" in shown
    assert "Journée de PAT-" in shown
    assert "3 jours facturés en 2025" in shown
    assert "n° 1 · 2025-07-02 · constaté" in shown
    assert 'class="bar touched' in desk.widget.detail


def test_setting_a_result_aside_and_reopening_it(desk):
    desk.act("next")
    name = desk._selected
    desk.act("asking")
    assert "Motif" in plain(desk.widget.detail)
    desk.act("ack", name, {"reason": "accepte", "note": "vu", "until": "", "scope": "this"})
    assert plain(desk.widget.said).strip() == "1 constat écarté."
    assert "Écarté : " in plain(desk.widget.detail)
    assert find_run(desk._wb, 1).results.filter(result=name)["acknowledged"].item() == "accepte"
    assert dict(desk._sifter.facet(desk.query, "status").select("value", "results").rows())["acknowledged"] == 1
    desk.act("unack", name)
    assert plain(desk.widget.said).strip() == "1 constat rouvert."
    assert find_run(desk._wb, 1).results["acknowledged"].null_count() == desk.frame.height


def test_setting_aside_can_be_of_all_of_the_same_rule_and_doctor(desk):
    desk.act("search", values={"word": "15815"})
    desk.act("sort", "rule_id")
    desk.act("next")
    row = desk.frame.filter(result=desk._selected).row(0, named=True)
    alike = find_run(desk._wb, 1).results.filter(rule_id=row["rule_id"], doctor=row["doctor"])
    desk.act("ack", desk._selected, {"reason": "accepte", "until": "", "scope": "alike"})
    aside = find_run(desk._wb, 1).results.filter(pl.col("acknowledged").is_not_null())
    assert set(aside["result"]) == set(alike["result"])


def test_ticked_results_are_summed_and_set_aside_together(clinic):
    chosen = clinic.frame.head(3)
    for name in chosen["result"]:
        clinic.act("tick", name)
    foot = plain(re.search(r"<footer.*?</footer>", clinic.widget.table)[0])
    at_risk, gain = (plain(texts.money(sum_, "fr")) for sum_ in (money(chosen, "at_risk"), chosen["gain"].sum()))
    assert f"3 sélectionnés · à risque {at_risk} · gain possible {gain}" in foot
    clinic.act("asking_ticked")
    assert "Écarter 3 constats" in plain(clinic.widget.over)
    clinic.act("ack_ticked", values={"reason": "accepte", "note": "vu", "until": ""})
    aside = find_run(clinic._wb, 1).results.filter(pl.col("acknowledged").is_not_null())
    assert set(aside["result"]) == set(chosen["result"])
    assert (clinic.widget.over, "sélectionné" in clinic.widget.table) == ("", False)


def test_a_page_is_ticked_at_once_and_what_a_filter_takes_away_is_ticked_no_longer(clinic):
    clinic.act("tick_page")
    assert "50 sélectionnés" in plain(clinic.widget.table)
    assert clinic.widget.table.count(" checked") == 51
    rule = clinic.frame["rule_id"][0]
    left = clinic.frame.head(50).filter(rule_id=rule).height
    clinic.act("facet", f"rule_id={rule}")
    assert f"{left} sélectionné" in plain(clinic.widget.table)
    clinic.act("untick")
    assert "sélectionné" not in clinic.widget.table


@pytest.mark.usefixtures("_as_users_do")
def test_what_only_the_earlier_run_had_cannot_be_ticked(wb, validated):
    before, after = validated(*FIRST), validated(*SECOND)
    desk = Explorer(after.number, compare=before.number, wb=wb)
    [gone, *_] = desk.frame.filter(state="fixed")["result"]
    desk.act("tick", gone)
    assert "sélectionné" not in desk.widget.table
    assert f'data-act="tick" data-arg="{gone}"' not in desk.widget.table


def test_the_last_day_of_what_is_set_aside_is_shown_changed_and_taken_away(desk):
    desk.act("next")
    name = desk._selected
    desk.act("ack", name, {"reason": "autre", "note": "vu", "until": "2999-12-31"})
    assert "jusqu’au 2999-12-31" in plain(desk.widget.detail)
    desk.act("asking")
    assert 'name="until" value="2999-12-31"' in desk.widget.detail
    assert '<option value="autre" selected>' in desk.widget.detail
    desk.act("ack", name, {"reason": "autre", "note": "vu", "until": ""})
    assert "jusqu’à ce que la ligne change" in plain(desk.widget.detail)
    desk.act("asking")
    assert 'name="until" value=""' in desk.widget.detail


def test_a_note_that_was_kept_with_a_card_is_shown_without_it(desk, wb):
    desk.act("next")
    desk.act("ack", desk._selected, {"reason": "autre", "note": "vu", "until": ""})
    with wb.database.owner() as connection:
        connection.execute(sa.update(ResultAcknowledgement).values(note="vu avec TEST80010112"))
    desk.act("asking")
    assert "vu avec" in desk.widget.detail
    assert not holds_card(desk.widget.detail)


def test_what_cannot_be_set_aside_is_said_in_place(desk):
    desk.act("next")
    desk.act("ack", desk._selected, {"reason": "accepte", "until": "2020-01-01"})
    assert "DL-ACK-002" in desk.widget.said


def test_corrections_are_tried_out_listed_and_written_as_a_sheet_that_whatif_reads(desk, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(type(desk.widget), "download", lambda self, *file: given.append(file))
    desk.act("facet", "rule_id=ANNUAL_INTAKE_VISIT")
    desk.act("next")
    row = int(first_row(desk))
    stored = find_run(desk._wb, 1).records
    desk.act("edit", f"{row}:code", {"value": "15804"})
    assert f"Ligne {row}, Code : 15804" in plain(desk.widget.detail)
    desk.act("judge")
    found = find_run(desk._wb, 1).whatif({row: {"code": "15804"}})
    assert f"réglé{'s' if found.lost.height > 1 else ''} {found.lost.height}" in plain(desk.widget.detail)
    assert found.lost.height > 0
    desk.act("sheet")
    [(name, _, data)] = given
    path = tmp_path / name
    path.write_bytes(data)
    again = find_run(desk._wb, 1).whatif(path)
    assert again.delta == found.delta
    assert_frame_equal(again.lost, found.lost)
    assert_frame_equal(find_run(desk._wb, 1).records, stored)
    desk.act("undo")
    assert "Ligne" not in plain(re.search(r'<ul class="dx-edits".*?</ul>|$', desk.widget.detail)[0])


def test_a_cell_that_is_put_back_is_no_correction(desk):
    desk.act("next")
    row = first_row(desk)
    desk.act("edit", f"{row}:debut", {"value": "10:00"})
    desk.act("edit", f"{row}:debut", {"value": re.search(rf'id="dx-{row}-debut" value="([^"]*)"', afresh(desk))[1]})
    assert desk._trial.edits == {}


def afresh(desk):
    other = Explorer(wb=desk._wb)
    other.act("select", desk._selected)
    return other.widget.detail


def test_a_correction_that_cannot_be_read_is_refused_without_being_quoted(desk):
    desk.act("next")
    desk.act("edit", f"{first_row(desk)}:debut", {"value": "TEST80010112"})
    desk.act("judge")
    assert "TEST80010112" not in "".join(state_of(desk))


def test_the_selection_is_handed_out_as_csv_and_as_a_workbook(desk, monkeypatch):
    given = []
    monkeypatch.setattr(type(desk.widget), "download", lambda self, *file: given.append(file))
    desk.act("facet", "severity=error")
    desk.act("export", "csv")
    desk.act("export", "xlsx")
    (csv, _, text), (workbook, _, data) = given
    assert (csv, workbook) == ("constats-1.csv", "constats-1.xlsx")
    assert text.decode("utf-8-sig").count("\n") == desk.frame.height + 1
    assert data[:2] == b"PK"
    assert "constats exportés" in plain(desk.widget.said)


def test_filters_that_leave_nothing_are_named_and_can_be_taken_away(desk):
    doctor = desk.frame.filter(code="19928")["doctor"][0]
    desk.act("facet", f"doctor={doctor}")
    desk.act("facet", "code=15815")
    assert "Aucun constat pour ces filtres" in plain(desk.widget.table)
    assert "C’est le filtre « Médecin »" in plain(desk.widget.table)
    desk.act("clear")
    assert "Aucun constat" not in plain(desk.widget.table)


def test_a_run_without_results_is_good_news(wb, validated):
    run = validated(*FIRST)
    with wb.database.connect() as connection:
        connection.execute(sa.select(sa.func.drop_run_tables(run.id, ["validation_results"])))
    assert "Aucun constat dans cette exécution" in plain(Explorer(wb=wb).widget.table)


def test_results_whose_lines_were_cleared_say_so(wb, desk):
    with wb.database.connect() as connection:
        connection.execute(sa.select(sa.func.drop_run_tables(desk._ledger.run.id, ["billing_records"])))
    desk.act("next")
    assert "Les lignes de cette exécution ont été effacées" in plain(desk.widget.detail)
    assert "Journée de" not in plain(desk.widget.detail)
    assert desk.widget.said == ""


def test_before_the_first_run_it_says_what_to_do(wb):
    found = explorer.explore(wb=wb)
    assert isinstance(found, Nothing)
    assert "dashlib validate" in plain(found._repr_html_())


def test_a_failure_says_a_reference_and_no_value(desk, monkeypatch, caplog):
    def broken(*_, **__):
        raise ValueError("TEST80010112")

    monkeypatch.setattr("dashlib.explorer.desk.explain", broken)
    desk.act("next")
    assert "n’a pas pu être produite" in plain(desk.widget.said)
    assert "TEST80010112" not in "".join(state_of(desk)) + caplog.text


def test_neither_the_widget_nor_the_notebook_holds_an_identity(wb, desk):
    desk.act("next")
    desk.act("asking")
    desk.act("code")
    held = str(desk.widget.get_state()) + str(desk._repr_mimebundle_()) + str(desk.frame.to_dicts())
    with wb.database.connect() as connection:
        people = connection.execute(
            sa.select(
                BillingRecord.doctor, BillingRecord.patient, BillingRecord.patient_name, BillingRecord.doctor_name
            )
        ).all()
    for identity in {cell for row in people for cell in row if cell}:
        assert identity not in held
    assert not holds_card(desk.widget.table + desk.widget.detail)


def test_a_health_insurance_number_is_no_search(desk):
    desk.act("search", values={"word": "TEST80010112"})
    assert "DL-VIEW-003" in desk.widget.said
    assert "TEST80010112" not in "".join(state_of(desk))
    assert desk.query.word == ""


def test_walking_goes_over_the_end_of_a_page(clinic):
    clinic.act("select", clinic.frame["result"][49])
    clinic.act("next")
    assert clinic._selected == clinic.frame["result"][50]
    assert clinic.query.page == 2
    clinic.act("previous")
    assert clinic.query.page == 1


def test_it_speaks_english(wb, desk):
    english = Explorer(wb=wb, lang="en")
    english.act("next")
    assert "What to do" in plain(english.widget.detail)
    assert "identities masked" in plain(english.widget.bar).lower()
    assert not re.search(r"\d,\d\d [$]|Médecin", plain("".join(state_of(english))))


def test_no_french_word_is_left_on_the_english_page(wb, validated):
    before, after = validated(*FIRST), validated(*SECOND)
    desk = Explorer(after.number, compare=before.number, wb=wb, lang="en")
    shown = []
    for name, arg in (
        *(("next", ""), ("ack", "accepte"), ("asking", ""), ("tab", "rules"), ("tab", "invoices"), ("tab", "results")),
        *(("tick_page", ""), ("asking_ticked", ""), ("code", ""), ("help", ""), ("saving", ""), ("search", "zzz")),
    ):
        if name == "ack":
            desk.act(name, desk._selected, {"reason": arg, "until": "2999-12-31"})
        else:
            desk.act(name, arg, {"word": arg})
        shown += [plain(part) for part in state_of(desk)]
        shown += re.findall(r'(?:aria-label|title|placeholder)="([^"]*)"', "".join(state_of(desk)))
    english = {word for said in texts.words("en").values() for word in re.findall(WORD, said)}
    french = {word for said in texts.words("fr").values() for word in re.findall(WORD, said)} - english
    found = {word for word in re.findall(WORD, unescape(" ".join(shown))) if word in french}
    assert found <= SAME_OR_CITED


def test_a_view_is_kept_opened_on_another_run_and_deleted(wb, validated):
    first = validated(*FIRST)
    desk = Explorer(wb=wb)
    desk.act("facet", "severity=error")
    desk.act("search", values={"word": "15815"})
    desk.act("saving")
    desk.act("save_view", values={"name": "Visites en erreur"})
    assert plain(desk.widget.said).strip() == "Vue « Visites en erreur » enregistrée."
    validated(*SECOND)
    other = Explorer(wb=wb)
    [view] = views.list_views(wb)
    other.act("open_view", values={"value": view})
    assert (other.query.run, other.query.severity, other.query.word) == (first.number + 1, ("error",), "15815")
    other.act("delete_view", view)
    assert views.list_views(wb) == {}
    assert "Visites en erreur" not in other.widget.bar


def test_a_view_holds_pseudonyms_and_nothing_that_could_be_a_name(wb, desk):
    doctor = desk.frame["doctor"][0]
    desk.act("facet", f"doctor={doctor}")
    desk.act("save_view", values={"name": "Un médecin TEST80010112"})
    with wb.database.connect() as connection:
        [(name, kept)] = connection.execute(sa.select(SavedView.name, SavedView.query)).all()
    assert not holds_card(name)
    assert kept["doctor"] == [doctor]
    assert doctor.startswith("MÉD-")
    desk.act("search", values={"word": "Exemple"})
    desk.act("save_view", values={"name": "Un nom"})
    assert "DL-VIEW-002" in desk.widget.said
    desk.act("search", values={"word": ""})
    desk.act("save_view", values={"name": " "})
    assert "DL-VIEW-001" in desk.widget.said


def test_a_view_by_the_same_name_takes_its_place_and_another_persons_is_not_there(wb, desk):
    desk.act("save_view", values={"name": "Vue"})
    desk.act("facet", "severity=error")
    desk.act("save_view", values={"name": "Vue"})
    [view] = views.list_views(wb)
    assert views.open_view(wb, view, desk.query.cleared()).severity == ("error",)
    with wb.database.owner() as connection:
        connection.execute(sa.insert(User).values(id="local|other", email="other@localhost"))
        connection.execute(sa.insert(SavedView).values(user_id="local|other", name="Sienne", query={}))
        hers = connection.scalar(sa.select(SavedView.id).where(SavedView.name == "Sienne"))
    assert list(views.list_views(wb)) == [view]
    desk.act("open_view", values={"value": str(hers)})
    assert "DL-VIEW-404" in desk.widget.said
    desk.act("delete_view", str(hers))
    assert "DL-VIEW-404" in desk.widget.said
