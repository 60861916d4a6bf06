import io
import json
import re
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Event

import openpyxl
import polars as pl
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

import dashlib as dl
from dashlib import cli, followups, texts, todo, workbooks
from dashlib.errors import NotFound, UsageError
from dashlib.runs import find_run
from dashlib.schema import AuditEvent, ResultFollowup, ValidationRun
from dashlib.ticks import read_ticks
from dashlib.todo import Asked, Scope
from dashlib.validation import validate_file
from tests.exports import HEADER, export, line

pytestmark = pytest.mark.database
RUN_DATE = date(2025, 3, 31)
NAM, NAME, DOCTOR = "TEST80010112", "EXEMPLE", "9100001"
OTHER = "TEST80010213 - EXEMPLE, AUTRE"
MONEY = '#,##0.00"\u00a0$";"−"#,##0.00"\u00a0$"'
# A visit, one for the age of 80, a date to come with a visit on the same invoice, a fee for a day on which nobody was
# seen, a line that cannot be read, and a visit that is paid.
FIRST = line(facture="900000001", date="2025-01-10")
SECOND = line(facture="900000002", code="15815", date="2025-03-11", ramq="00000000012")
TO_COME = line(facture="900000003", code="08857", date="2026-03-04", fin="09:40", patient=OTHER)
BESIDE = line(facture="900000003", date="2025-03-06", patient=OTHER)
FEE = line(facture="900000004", code="19928", date="2025-03-05", debut="08:00", prel="32,40", patient=OTHER)
UNREAD = line(facture="900000005", date="2025-02-30")
PAID = line(facture="900000006", date="2025-03-12", paye="49,15")
LINES = (FIRST, SECOND, TO_COME, BESIDE, FEE, UNREAD, PAID)


@pytest.fixture
def validated(wb, tmp_path):
    def validate(*lines, name="factures.csv", **options):
        path = tmp_path / name
        path.write_text(export(*lines), "utf-8")
        return find_run(wb, validate_file(wb, path, run_date=RUN_DATE, **options))

    return validate


@pytest.fixture
def run(validated):
    return validated(*LINES)


@pytest.fixture
def book(run, tmp_path):
    """The clerks' workbook as it was handed out."""
    run.export(tmp_path / "commis.xlsx", audience="clerks")
    return tmp_path / "commis.xlsx"


@pytest.fixture
def say(book):
    """Writes into rows of the workbook: {invoice: (done, note)}, saved at a moment."""

    def said(words, *, sheet="À faire", saved="2025-04-02T12:00:00", into=None):
        filled = openpyxl.load_workbook(book)
        page = filled[sheet]
        names = [cell.value for cell in page[1]]
        for row in page.iter_rows(min_row=2):
            done, note = words.get(row[names.index("Facture")].value, (None, None))
            if done is not None:
                row[names.index("Fait")].value, row[names.index("Note")].value = done, note
        path = book.with_name(into or "rendu.xlsx")
        filled.save(path)
        stamped(path, saved)
        return path

    return said


def stamped(path, saved):
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    core = parts["docProps/core.xml"].decode()
    parts["docProps/core.xml"] = re.sub(r"(<dcterms:modified[^>]*>)[^<]*", rf"\g<1>{saved}Z", core).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in parts.items():
            file.writestr(name, data)


def rows_of(sheet):
    head, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


def kept(wb):
    with wb.database.connect() as connection:
        query = sa.select(ResultFollowup.done, ResultFollowup.note).order_by(ResultFollowup.note)
        return [tuple(row) for row in connection.execute(query)]


def take(wb, path):
    return followups.take(wb, read_ticks(path))


def test_the_clerks_workbook_has_a_sheet_for_each_use_and_one_for_each_doctor(book, wb):
    doctor = wb.pseudonyms.doctors(pl.Series([DOCTOR])).item()
    names = openpyxl.load_workbook(book).sheetnames
    assert names == ["Sommaire", "À faire", doctor, "(médecin absent)", "Constats", "Définitions"]


def test_what_to_do_stands_in_real_types_with_the_key_hidden(book, run):
    sheet = openpyxl.load_workbook(book)["À faire"]
    names = [cell.value for cell in sheet[1]]
    assert names == [
        *("Médecin", "Date", "Facture", "ID RAMQ", "Code", "Quoi faire", "Enjeu", "Montant", "Jours restants"),
        *("Fait", "Note", "Gravité", "Constat", "Clé"),
    ]
    [row] = [row for row in sheet.iter_rows(min_row=2) if row[2].value == "900000002" and row[11].value == "Erreur"]
    shown = [(str(cell.value), cell.data_type, cell.number_format) for cell in row[1:5]]
    assert shown == [
        ("2025-03-11 00:00:00", "d", "yyyy-mm-dd"),
        ("900000002", "s", "@"),
        ("00000000012", "s", "@"),
        ("15815", "s", "@"),
    ]
    assert [(row[n].value, row[n].number_format) for n in (6, 7, 8, 9)] == [
        ("à risque", "@"),
        (49.15, MONEY),
        (70, "#,##0"),
        ("☐", "@"),
    ]
    assert row[12].value.startswith(f"{run.number}:")
    assert sheet.column_dimensions["N"].hidden
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", f"A1:N{sheet.max_row}")


def test_boxes_are_chosen_from_a_list_and_notes_are_short(book):
    sheet = openpyxl.load_workbook(book)["À faire"]
    rules = {rule.type: (str(rule.sqref), rule.formula1) for rule in sheet.data_validations.dataValidation}
    last = sheet.max_row
    assert rules == {"list": (f"J2:J{last}", '"☐,☑"'), "textLength": (f"K2:K{last}", "500")}


def test_the_fewest_days_left_come_first_then_the_most_money_then_what_has_no_limit(wb, run):
    rows, _ = todo.actions(wb, run.id)
    errors = rows.filter(severity="error").select("invoice", "days_left", "amount", "stake").rows()
    assert errors == [
        ("900000004", 64, Decimal("32.40"), "at_risk"),
        ("900000002", 70, Decimal("49.15"), "at_risk"),
        ("900000003", 428, Decimal("49.15"), "at_risk"),
        (None, None, None, "check"),
    ]
    left = rows["days_left"].drop_nulls().to_list()
    assert left == sorted(left)


def test_days_count_from_the_runs_own_day_and_go_on_with_the_calendar(wb, run, monkeypatch):
    made = run.figures["created_at"].astimezone(texts.TORONTO).date()
    monkeypatch.setattr(todo, "today", lambda: date.fromordinal(made.toordinal() + 65))
    rows, [shown] = todo.actions(wb, run.id)
    assert shown.as_of == date(2025, 6, 4)
    assert rows.filter(severity="error", invoice="900000002")["days_left"].item() == 5
    assert rows.filter(severity="error", invoice="900000004")["days_left"].item() == -1
    assert rows["invoice"].to_list().index("900000002") < rows["invoice"].to_list().index("900000004")
    soon, _ = todo.actions(wb, run.id, asked=Asked(severity="error", due=15))
    assert soon["invoice"].to_list() == ["900000002"]


def test_no_identity_is_in_any_workbook_or_list(run, tmp_path):
    names = {"clerks": "c.xlsx", "manager": "m.xlsx", "doctor": "d.xlsx", None: "l.xlsx"}
    for audience, name in names.items():
        run.export(tmp_path / name, audience=audience)
        book = openpyxl.load_workbook(tmp_path / name)
        told = str([list(sheet.iter_rows(values_only=True)) for sheet in book])
        assert "MÉD-" in told
        for secret in (NAM, NAME, "AUTRE", DOCTOR, "Exemple"):
            assert secret not in told, (audience, secret)


def test_all_workbooks_speak_english(run, tmp_path):
    for audience in ("clerks", "manager", "doctor"):
        run.export(tmp_path / f"{audience}.xlsx", audience=audience, lang="en")
    assert openpyxl.load_workbook(tmp_path / "clerks.xlsx").sheetnames[:2] == ["Summary", "To do"]
    assert openpyxl.load_workbook(tmp_path / "manager.xlsx").sheetnames[1:] == [
        "Rules",
        "Doctors",
        "Places",
        "Definitions",
    ]
    sheet = openpyxl.load_workbook(tmp_path / "clerks.xlsx")["To do"]
    assert sheet["H2"].number_format == '"$"#,##0.00;"−$"#,##0.00'
    assert "À faire" not in str(
        [list(page.iter_rows(values_only=True)) for page in openpyxl.load_workbook(tmp_path / "clerks.xlsx")]
    )


def test_the_sums_of_the_managers_are_those_of_the_run(run, tmp_path):
    run.export(tmp_path / "m.xlsx", audience="manager")
    doctors = rows_of(openpyxl.load_workbook(tmp_path / "m.xlsx")["Médecins"])
    assert sum(Decimal(str(row["À risque"])) for row in doctors) == run.figures["at_risk"]


def test_a_list_goes_to_four_formats_with_the_same_rows(run, tmp_path):
    for name in ("a.csv", "a.xlsx", "a.parquet", "a.jsonl"):
        assert run.export(tmp_path / name) == run.count_results()
    assert pl.read_parquet(tmp_path / "a.parquet")["result"].to_list() == run.results["result"].to_list()
    first = json.loads((tmp_path / "a.jsonl").read_text("utf-8").splitlines()[0])
    assert list(first) == list(todo.FILE_COLUMNS)


def test_a_list_can_be_of_a_rule_a_severity_and_a_doctor(run, tmp_path, wb):
    doctor = wb.pseudonyms.doctors(pl.Series([DOCTOR])).item()
    run.export(tmp_path / "a.parquet", severity="error", doctor=doctor)
    assert pl.read_parquet(tmp_path / "a.parquet").select("severity", "doctor").unique().rows() == [("error", doctor)]
    [(rule, found), *_] = run.results["rule_id"].value_counts(sort=True).rows()
    assert run.export(tmp_path / "b.parquet", rule=rule.lower()) == found
    with pytest.raises(NotFound, match="DL-RULE-405"):
        run.export(tmp_path / "c.parquet", rule="NONE_SUCH")


def test_a_scope_takes_each_doctors_day_from_its_newest_run(wb, validated):
    validated(*LINES)
    validated(FIRST, line(facture="900000002", code="15804", date="2025-03-11"), name="corrected.csv")
    rows, runs = todo.actions(wb, Scope(date(2025, 3, 1), date(2025, 3, 31)))
    assert [each.number for each in runs] == [2, 1]
    assert rows.filter(severity="error")["invoice"].to_list() == ["900000004"]
    out = io.BytesIO()
    assert workbooks.clerks(wb, Scope(date(2025, 3, 1), date(2025, 3, 31)), out, "en") == rows.height
    assert "Services of March" in openpyxl.load_workbook(out)["Summary"]["A2"].value


def test_an_empty_scope_is_a_workbook_that_says_so(wb):
    out = io.BytesIO()
    assert workbooks.clerks(wb, Scope(date(2020, 1, 1), date(2020, 1, 2)), out) == 0
    assert openpyxl.load_workbook(out)["Sommaire"]["B4"].value == 0


def test_a_run_of_somebody_else_or_one_that_failed_is_not_handed_out(wb, run, tmp_path):
    stranger = replace(wb, viewer=replace(wb.viewer, id="db|stranger"))
    for name, options in {"a.csv": {}, "a.xlsx": {"audience": "clerks"}}.items():
        with pytest.raises(NotFound, match="DL-RUN-404"):
            find_run(stranger, run.number).export(tmp_path / name, **options)
    with pytest.raises(NotFound, match="DL-RUN-404"):
        find_run(stranger, run.number).export_lines(tmp_path / "a.csv")
    with wb.database.connect() as connection:
        connection.execute(sa.update(ValidationRun).values(status="failed"))
        connection.commit()
    with pytest.raises(NotFound, match="DL-RUN-406"):
        find_run(wb, run.number).export(tmp_path / "a.csv")
    assert not (tmp_path / "a.csv").exists()


def test_a_file_that_is_there_is_replaced_only_when_asked(run, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(UsageError, match="DL-OUT-002"):
        run.export(path)
    assert path.read_text() == "mine"
    run.export(path, force=True)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfresult;")


def test_each_export_is_written_down_without_the_files_name(run, wb, tmp_path):
    run.export(tmp_path / "secret.csv")
    run.export_lines(tmp_path / "lines.csv")
    with wb.database.connect() as connection:
        events = connection.scalars(sa.select(AuditEvent.details).where(AuditEvent.event == "run.exported")).all()
    assert events == [
        {"form": "csv", "audience": None, "rows": run.count_results(), "identities": False},
        {"form": "sendable", "audience": None, "rows": 2, "identities": True},
    ]


def test_what_clerks_say_is_seen_in_results_and_in_the_next_workbook(wb, run, say, tmp_path):
    taken = take(wb, say({"900000002": ("☑", "corrigé")}))
    assert (taken.taken, taken.refused, taken.replaced) == (taken.taken, 0, 0)
    said = run.results.filter(pl.col("done")).select("invoice", "note").unique().rows()
    assert said == [("900000002", "corrigé")]
    run.export(tmp_path / "encore.xlsx", audience="clerks")
    rows = rows_of(openpyxl.load_workbook(tmp_path / "encore.xlsx")["À faire"])
    assert {row["Note"] for row in rows if row["Fait"] == "☑"} == {"corrigé"}
    assert take(wb, tmp_path / "encore.xlsx").taken == 0


def test_it_is_seen_in_the_next_run_of_the_same_owner_too(wb, say, validated):
    take(wb, say({"900000002": ("☑", "corrigé")}))
    again = validated(*LINES, force=True)
    assert again.results.filter(pl.col("done"))["invoice"].unique().to_list() == ["900000002"]


def test_the_same_file_read_again_changes_nothing(wb, say):
    path = say({"900000002": ("☑", "corrigé"), "900000004": (None, None)})
    first = take(wb, path)
    before = kept(wb)
    second = take(wb, path)
    assert (second.taken, second.unchanged) == (0, first.taken)
    assert kept(wb) == before


def test_of_two_workbooks_the_one_saved_later_counts_whichever_is_read_first(wb, say):
    early = say({"900000004": ("☐", "à voir")}, saved="2025-04-02T12:00:00", into="a.xlsx")
    late = say({"900000004": ("☑", "fait")}, saved="2025-04-02T13:00:00", into="b.xlsx")
    rows = take(wb, late).taken
    assert rows > 0
    older = take(wb, early)
    assert (older.taken, older.older) == (0, rows)
    assert set(kept(wb)) == {(True, "fait")}


def test_a_later_word_replaces_an_earlier_one_and_says_so(wb, say):
    early = say({"900000004": ("☐", "à voir")}, saved="2025-04-02T12:00:00", into="a.xlsx")
    late = say({"900000004": ("☑", "fait")}, saved="2025-04-02T13:00:00", into="b.xlsx")
    rows = take(wb, early).taken
    newer = take(wb, late)
    assert (newer.taken, newer.replaced) == (rows, rows)
    assert set(kept(wb)) == {(True, "fait")}


def test_rows_that_nobody_touched_take_nothing_back(wb, say):
    take(wb, say({"900000004": ("☑", "fait")}, into="a.xlsx"))
    take(wb, say({"900000002": ("☑", "autre")}, saved="2025-04-03T12:00:00", into="b.xlsx"))
    assert set(kept(wb)) == {(True, "fait"), (True, "autre")}


def test_a_tick_can_be_taken_back(wb, run, say, tmp_path):
    take(wb, say({"900000004": ("☑", "fait")}))
    run.export(tmp_path / "commis.xlsx", audience="clerks", force=True)
    take(wb, say({"900000004": ("☐", None)}, saved="2025-04-04T12:00:00"))
    assert set(kept(wb)) == {(False, None)}


def test_a_tick_in_a_doctors_sheet_counts_like_one_in_the_list(wb, say):
    doctor = wb.pseudonyms.doctors(pl.Series([DOCTOR])).item()
    taken = take(wb, say({"900000002": ("☑", "ici")}, sheet=doctor))
    assert taken.taken > 0
    assert set(kept(wb)) == {(True, "ici")}


def test_two_sheets_that_contradict_each_other_are_refused(wb, say, book):
    doctor = wb.pseudonyms.doctors(pl.Series([DOCTOR])).item()
    first = say({"900000002": ("☑", "ici")}, sheet=doctor)
    first.replace(book)
    taken = take(wb, say({"900000002": ("☑", "là")}))
    assert (taken.taken, kept(wb)) == (0, [])
    assert taken.opposed == taken.refused > 0


def test_of_two_workbooks_taken_at_once_the_newer_word_stays(wb, say, monkeypatch):
    older = say({"900000004": ("☑", "avant")}, saved="2025-04-02T12:00:00", into="a.xlsx")
    newer = say({"900000004": ("☑", "après")}, saved="2025-04-04T12:00:00", into="b.xlsx")
    keep, reached, released = followups._keep, Event(), Event()

    def slow(*given):
        monkeypatch.setattr(followups, "_keep", keep)
        reached.set()
        assert released.wait(30)
        keep(*given)

    monkeypatch.setattr(followups, "_keep", slow)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(take, wb, older)
        assert reached.wait(30)
        second = threads.submit(take, wb, newer)
        time.sleep(0.5)
        released.set()
        assert first.result().taken == second.result().replaced > 0
    assert set(kept(wb)) == {(True, "après")}


def test_a_health_insurance_number_in_a_note_is_masked_and_counted(wb, say):
    taken = take(wb, say({"900000004": ("☑", f"appelé {NAM}")}))
    assert taken.masked == taken.taken > 0
    assert set(kept(wb)) == {(True, "appelé [HEALTH-CARD-REDACTED]")}
    assert take(wb, say({"900000004": ("☑", f"appelé {NAM}")})).taken == 0


def test_rows_of_somebody_elses_run_are_refused_and_unknown_ones_too(wb, say, run):
    path = say({"900000004": ("☑", "fait")})
    rows = read_ticks(path).rows.filter("done").height
    with wb.database.connect() as connection:
        connection.execute(sa.text("SELECT enter('db|stranger', 's@database')"))
        connection.execute(sa.update(ValidationRun).values(user_id="db|stranger"))
        connection.commit()
    taken = take(wb, path)
    assert (taken.taken, taken.foreign, taken.unknown) == (0, rows, 0)
    with wb.database.connect() as connection:
        connection.execute(sa.delete(ValidationRun))
        connection.commit()
    taken = take(wb, path)
    assert (taken.taken, taken.foreign, taken.unknown) == (0, 0, rows)
    assert kept(wb) == []


def test_a_note_is_shown_to_the_runs_owner_only(wb, run, say):
    take(wb, say({"900000004": ("☑", "entre nous")}))
    stranger = replace(wb, viewer=replace(wb.viewer, id="db|stranger"))
    assert find_run(stranger, run.number).results["note"].drop_nulls().len() == 0


def test_a_workbook_saved_in_the_future_is_of_now(wb, say):
    path = say({"900000004": ("☑", "demain")}, saved="2099-01-01T00:00:00")
    followups.take(wb, read_ticks(path), now=datetime(2025, 4, 2, tzinfo=UTC))
    with wb.database.connect() as connection:
        assert set(connection.scalars(sa.select(ResultFollowup.said_at))) == {datetime(2025, 4, 2, tzinfo=UTC)}


def test_lines_without_open_error_can_be_sent_and_the_others_are_held(run, tmp_path):
    found = run.export_lines(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text("utf-8") == export(FIRST, PAID)
    assert (found.sendable.to_list(), found.in_error.to_list(), found.waiting.to_list()) == ([1, 7], [2, 3, 5, 6], [4])
    assert found.paid == 1
    run.export_lines(tmp_path / "b.csv", held=True)
    assert (tmp_path / "b.csv").read_text("utf-8") == export(SECOND, TO_COME, BESIDE, FEE, UNREAD)
    assert (tmp_path / "b.csv").stat().st_mode & 0o777 == 0o600


def test_what_can_be_sent_is_an_export_without_errors(wb, run, tmp_path):
    run.export_lines(tmp_path / "a.csv")
    again = find_run(wb, validate_file(wb, tmp_path / "a.csv", run_date=RUN_DATE))
    assert (again.figures["record_count"], again.figures["error_count"], again.figures["rejected_count"]) == (2, 0, 0)


def test_an_error_that_was_set_aside_holds_nothing_back(run, tmp_path):
    named = run.results.filter(severity="error", invoice="900000004")["result"].to_list()
    run.ack(*named, reason="accepte")
    run.export_lines(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text("utf-8") == export(FIRST, FEE, PAID)


@pytest.mark.parametrize(
    ("encoding", "ending"), [("cp1252", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\n"), ("utf-8", "\r\n")]
)
def test_the_lines_keep_the_files_encoding_and_line_ends(wb, tmp_path, encoding, ending):
    source = tmp_path / "x.csv"
    source.write_bytes(export(FIRST, SECOND, PAID).replace("\n", ending).encode(encoding))
    run = find_run(wb, validate_file(wb, source, run_date=RUN_DATE))
    run.export_lines(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == export(FIRST, PAID).replace("\n", ending).encode(encoding)


def test_fields_with_line_breaks_blank_lines_totals_and_a_missing_end_are_minded(wb, tmp_path):
    broken = line(facture="900000007", date="2025-03-13", doctor='"9100001-00001 | Exemple,\nÈve - Omnipraticien"')
    total = "Total;;;;;;;;;;;;;;98,30;0,00;;;;;;;"
    source = tmp_path / "x.csv"
    source.write_text("\n".join(("", HEADER, SECOND, FIRST, "", broken, HEADER, total, PAID)), "utf-8")
    run = find_run(wb, validate_file(wb, source, run_date=RUN_DATE))
    run.export_lines(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text("utf-8") == "\n".join(("", HEADER, FIRST, broken, PAID))


def test_a_file_that_is_gone_or_was_changed_is_not_taken(run, tmp_path):
    source = tmp_path / "factures.csv"
    source.rename(tmp_path / "moved.csv")
    with pytest.raises(NotFound, match="DL-SEND-001"):
        run.export_lines(tmp_path / "a.csv")
    run.export_lines(tmp_path / "a.csv", source=tmp_path / "moved.csv")
    source.write_text(export(FIRST))
    with pytest.raises(NotFound, match="DL-SEND-001"):
        run.export_lines(tmp_path / "b.csv")
    assert not (tmp_path / "b.csv").exists()


@pytest.fixture
def command(wb, monkeypatch, tmp_path):
    monkeypatch.setattr(cli.desk, "open_workbench", lambda _: wb)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli.main, [str(a) for a in arguments], catch_exceptions=False)


def test_the_command_writes_each_form_and_says_how_much(run, command, tmp_path):
    done = command("export", "last", "--for", "clerks", "--out", "c.xlsx")
    assert (done.exit_code, "dashlib import-followup c.xlsx" in done.stderr) == (0, True)
    assert command("export", "last", "--out", "l.csv", "--severity", "error").exit_code == 0
    assert (tmp_path / "l.csv").read_text("utf-8-sig").count("\n") == 5
    done = command("export", "last", "--sendable", "--out", "s.csv")
    for words in ("2 lignes peuvent être envoyées", "dont 1 déjà payée", "4 lignes ont une erreur", "1 ligne attend"):
        assert words in done.stderr
    assert "5 lignes sont retenues" in command("export", "last", "--held", "--out", "h.csv").stderr
    assert NAM not in done.output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--out", "a.doc"), "DL-OUT-003"),
        (("--out", "a.csv", "--for", "clerks"), "DL-OUT-004"),
        (("--out", "a.csv", "--sendable", "--held"), "DL-OUT-005"),
        (("--out", "a.csv", "--sendable", "--due", "3"), "DL-OUT-005"),
        (("--out", "a.csv", "--source", "b.csv"), "DL-OUT-005"),
        (("--out", "no/such/a.csv"), "DL-OUT-001"),
    ],
)
def test_what_the_command_cannot_do_is_said(run, command, arguments, code):
    done = command("export", "last", *arguments)
    assert done.exit_code == 2
    assert f"{code}\u00a0:" in done.stderr


def test_the_command_takes_a_workbook_back_and_says_what_it_took(run, command, say):
    path = say({"900000004": ("☑", f"voir {NAM}"), "900000002": ("peut-être", None)})
    done = command("import-followup", path)
    assert done.exit_code == 7
    assert "NAM, qui a été masqué" in done.stdout
    assert "« Fait » n'est ni ☐ ni ☑" in done.stdout
    assert NAM not in done.output
    assert json.loads(command("import-followup", "--json", path).stdout)["taken"] == 0


def test_python_does_the_same(run, say, wb):
    assert dl.import_followup(say({"900000004": ("☑", "fait")}), wb=wb).taken > 0
