import builtins
import re
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from dashlib import charts, paper, periodicals
from dashlib.errors import DatabaseUnavailable, PdfUnavailable
from dashlib.reports import SECTIONS, PeriodReport, tables
from dashlib.reports.sections import section
from tests.tables import cells

MONEY = ("at_risk", "to_repay", "gain")


def plain(html):
    return re.sub(r"[\s\u00a0\u202f]+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


class Two:
    lang = "en"

    def __init__(self):
        self.failed = []

    @property
    @section
    def trend(self):
        return "<p>made</p>"

    @property
    @section
    def rules(self):
        raise ValueError("Tremblay, Marie TREM12345678")

    @property
    @section
    def annex(self):
        raise DatabaseUnavailable("DL-DB-001", address="here")


def test_a_section_that_fails_says_so_in_its_place_and_quotes_nothing():
    report = Two()
    data, told = report.rules._repr_mimebundle_()
    assert "This section could not be made" in data["text/html"]
    assert "<h2>Rules</h2>" in data["text/html"]
    assert "Tremblay" not in str(data) + str(told)
    assert (told["dashlib"]["section"], told["dashlib"]["failed"]) == ("rules", "ValueError")
    assert told["dashlib"]["reference"] in data["text/html"]
    assert report.failed == ["rules"]


def test_a_section_that_is_made_tells_its_name_and_no_failure():
    report = Two()
    data, told = report.trend._repr_mimebundle_()
    assert (data["text/html"], told) == ("<p>made</p>", {"dashlib": {"section": "trend"}})
    assert report.failed == []


def test_a_database_that_does_not_answer_stops_the_whole_report():
    with pytest.raises(DatabaseUnavailable):
        _ = Two().annex


def test_a_report_of_a_period_has_the_eight_sections_of_the_paper():
    assert SECTIONS == ("cover", "trend", "rules", "doctors", "patients", "to_do", "changes", "annex")
    assert all(isinstance(getattr(PeriodReport, name), property) for name in SECTIONS)


@pytest.mark.parametrize(
    ("runs", "lang", "foot"),
    [
        ([418], "fr", '"Page " counter(page) " de " counter(pages) " · exécution 418 · contient des renseignements'),
        ([418, 417], "en", '"Page " counter(page) " of " counter(pages) " · runs 418, 417 · contains confidential'),
    ],
)
def test_the_foot_of_each_page_counts_pages_and_names_the_runs(runs, lang, foot):
    assert foot in paper.css(runs, lang)


def test_paper_has_the_light_colours_written_out():
    assert charts.coloured('<i style="color:var(--error)">✕</i>') == '<i style="color:#8A1A1D">✕</i>'
    assert "var(" not in charts.coloured(paper.css([1], "fr"))


def test_a_system_without_pango_says_what_to_install(tmp_path, monkeypatch):
    real = builtins.__import__

    def without_pango(name, *rest):
        if name.startswith("weasyprint"):
            raise OSError("cannot load library 'libgobject-2.0-0'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_pango)
    with pytest.raises(PdfUnavailable, match=r"^DL-PDF-001.*apt install libpango.*brew install pango") as refused:
        paper.write_pdf("<p>…</p>", tmp_path / "report.pdf")
    assert refused.value.exit_code == 7
    assert list(tmp_path.iterdir()) == []


DOCTORS = """
    doctor | lines | lines_in_error | lines_in_info | at_risk | to_repay | gain
    MÉD-A  | 200   | 4              | 9             | 900.00  | 0.00     | 31.00
    MÉD-B  | 100   | 5              | 2             | 120.50  | 7.25     | 18.00
    MÉD-C  | 3     | 0              | 0             | 0.00    | 0.00     | 0.00
    MÉD-D  | 50    | 0              | 0             | 0.00    | 0.00     | 0.00
"""


def test_what_rests_on_fewer_than_five_lines_is_hidden():
    counts = ("lines", "lines_in_error", "lines_in_info")
    rows = [row | {n: int(row[n]) for n in counts} | {n: Decimal(row[n]) for n in MONEY} for row in cells(DOCTORS)]
    said = plain(tables.parts(pl.DataFrame(rows), "doctor", "fr"))
    assert "MÉD-A 200 &lt; 5 — — — 31,00 $" in said
    assert "MÉD-B 100 5 5,0 % 120,50 $ 7,25 $ —" in said
    assert "MÉD-C &lt; 5 0 — — — —" in said
    assert "MÉD-D 50 0 0,0 % 0,00 $ 0,00 $ 0,00 $" in said
    assert said.index("MÉD-B") < said.index("MÉD-A") < said.index("MÉD-C") < said.index("MÉD-D")


TO_DO = """
    invoice   | days_left | amount | done
    900000001 | 40        | 10.00  |
    900000002 | 12        | 1.00   |
    900000003 | -3        | 99.00  |
    900000004 | 3         | 1.00   | false
    900000005 |           | 50.00  |
    900000006 | 15        | 90.00  | true
"""


def test_what_cannot_wait_comes_first_then_most_money_and_what_is_late_or_done_last_or_not_at_all():
    rows = [
        row
        | {
            "days_left": int(row["days_left"]) if row["days_left"] else None,
            "amount": Decimal(row["amount"]),
            "done": {"true": True, "false": False}.get(row["done"]),
        }
        for row in cells(TO_DO)
    ]
    ordered = tables.by_urgency(pl.DataFrame(rows))["invoice"].str.tail(1).to_list()
    assert ordered == ["4", "2", "5", "1", "3"]


def rules(*changes):
    return pl.DataFrame(
        {
            "rule_id": ["R1", "R2", "R3"],
            "label": ["One", "Two", None],
            "severity": ["error", "warning", "error"],
            "before": [2, 9, 4],
            "results": [12, 4, None],
            "change": changes,
        },
        schema_overrides={"change": pl.Int64},
    )


UNUSUAL = {"date_de_service": [date(2025, 6, 12)], "rate": [0.061], "low": [0.008], "high": [0.032]}


def test_three_sentences_say_what_rose_what_fell_and_which_day_was_unusual():
    said = plain(tables.movements(rules(10, -5, -4), pl.DataFrame(UNUSUAL), "en"))
    assert "Up: One, from 2 to 12 results." in said
    assert "Down: Two, from 9 to 4 results." in said
    assert "Unusual: on June 12, 2025, 6.1% of lines in error; usually from 0.8% to 3.2%." in said


def test_without_a_period_before_nothing_is_said_to_rise_or_fall():
    said = plain(tables.movements(rules(None, None, None), pl.DataFrame(UNUSUAL).clear(), "en"))
    assert said.count("there is no earlier period to compare with") == 2
    assert "no day of the period is outside its usual range" in said


@pytest.mark.parametrize(("change", "said"), [(None, "—"), (0, "▬"), (3, "▲\u00a03"), (-1204, "▼\u00a01\u202f204")])
def test_a_change_is_a_shape_and_a_number(change, said):
    assert tables.signed(change, "fr") == said


@pytest.mark.parametrize("failure", [PdfUnavailable("DL-PDF-001"), ValueError("Tremblay, Marie")])
def test_a_format_that_fails_is_missing_and_the_others_stay(tmp_path, caplog, failure):
    paths, reasons = {form: tmp_path / f"r.{form}" for form in ("html", "pdf")}, []

    def fail():
        raise failure

    periodicals._attempt("pdf", fail, paths, reasons)
    assert list(paths) == ["html"]
    assert reasons == ([failure] if isinstance(failure, PdfUnavailable) else [])
    assert "Tremblay" not in caplog.text
    assert "report without pdf" in caplog.text
