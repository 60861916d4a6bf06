import json
import re
from datetime import date
from zipfile import ZipFile

import pytest
import sqlalchemy as sa
from pypdf import PdfReader

from dashlib import acknowledgements, notebook, periodicals, resources, texts
from dashlib.demo import write_demo
from dashlib.errors import NotFound, UsageError
from dashlib.runs import find_run
from dashlib.schema import BillingRecord
from dashlib.validation import validate_file
from tests.notebooks.test_rule_workshop import wb as wb

pytestmark = [pytest.mark.notebooks, pytest.mark.database, pytest.mark.slow]

WEEK = date(2025, 6, 23), date(2025, 6, 29)
JUNE = date(2025, 6, 1), date(2025, 6, 30)
JULY_2 = date(2025, 7, 2)
TITLES = ["Évolution", "Règles", "Médecins et lieux", "Patients par jour", "À faire", "Différence", "Annexe"]
FIGURES = """
    WITH held AS (
      SELECT * FROM (
        SELECT b.*, rank() OVER (
          PARTITION BY coalesce(b.doctor, ''), b.date_de_service ORDER BY r.number DESC) AS nth
        FROM billing_records b JOIN validation_runs r ON r.id = b.validation_run_id AND r.status = 'completed'
      ) AS ranked
      WHERE nth = 1 AND date_de_service BETWEEN :since AND :until
        AND (:place = '' OR lieu_de_pratique = :place)
    ), wrong AS (
      SELECT r.validation_run_id, r.row_number, max(r.at_risk) AS at_risk, max(r.to_repay) AS to_repay
      FROM validation_results r
      LEFT JOIN result_acknowledgements a
        ON a.fingerprint = r.fingerprint AND a.line_mark = r.line_mark AND a.revoked_at IS NULL
      WHERE r.severity = 'error' AND a.id IS NULL GROUP BY 1, 2
    ), found AS (
      SELECT r.gain FROM validation_results r JOIN held USING (validation_run_id, row_number) WHERE r.gain > 0
    )
    SELECT count(*) AS lines, count(w.row_number) AS in_error, coalesce(sum(w.at_risk), 0) AS at_risk,
      coalesce(sum(w.to_repay), 0) AS to_repay, (SELECT coalesce(sum(gain), 0) FROM found) AS gain,
      count(DISTINCT (held.doctor, facture)) AS invoices,
      count(DISTINCT (held.doctor, facture)) FILTER (WHERE w.row_number IS NOT NULL) AS dirty
    FROM held LEFT JOIN wrong w USING (validation_run_id, row_number)"""
BUSIEST = """
    SELECT lieu_de_pratique FROM billing_records
    WHERE date_de_service BETWEEN :since AND :until GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"""


@pytest.fixture
def clinic(wb, tmp_path):
    """A clinic's months, validated twice, with one error of the week set aside the second time."""
    write_demo(tmp_path / "clinic.csv", rows=6_000, seed=11, errors=0.05, run_date=JULY_2)
    for force in (False, True):
        validated = validate_file(wb, tmp_path / "clinic.csv", run_date=JULY_2, force=force)
    results = find_run(wb, validated).results
    error = results.filter(results["severity"] == "error", results["date_service"].is_between(*WEEK))["result"][0]
    number = int(error.rpartition(":")[2])
    acknowledgements.acknowledge(wb, validated, [number], reason="accepte", note="secret", until=None)
    return wb


def plain(text):
    return re.sub(r"[\s\u00a0\u202f]+", " ", text)


def words(html):
    return plain(re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.S))


def counted(wb, since, until, place=""):
    with wb.database.connect() as connection:
        found = connection.execute(sa.text(FIGURES), {"since": since, "until": until, "place": place})
        return found.mappings().one()


def tiles_of(counts, lang="fr"):
    clean, wrong = 1 - counts["dirty"] / counts["invoices"], counts["in_error"] / counts["lines"]
    shares = [texts.percent(share, lang) for share in (clean, wrong)]
    return [plain(said) for said in (*shares, *(texts.money(counts[n], lang) for n in ("at_risk", "to_repay", "gain")))]


def tiles_in(html):
    return [plain(value) for value in re.findall(r'<div class="v[^"]*">([^<]*)</div>', html)][:5]


def alternatives(element):
    element = element.get_object()
    if isinstance(element, list):
        return [words for child in element for words in alternatives(child)]
    if not isinstance(element, dict):
        return []
    own = [element.get("/Alt")] if element.get("/S") == "/Figure" else []
    return own + (alternatives(element["/K"]) if "/K" in element else [])


def people(wb):
    with wb.database.connect() as connection:
        who = (BillingRecord.doctor, BillingRecord.patient, BillingRecord.doctor_name, BillingRecord.patient_name)
        return {cell for row in connection.execute(sa.select(*who)) for cell in row if cell}


def test_a_week_is_written_as_page_as_paper_and_as_workbook_without_an_identity(clinic, tmp_path):
    written = periodicals.write(clinic, "weekly", *WEEK, out=tmp_path / "out")
    page, paper, book = written.paths
    assert [path.name for path in written.paths] == [
        f"hebdomadaire-2025-06-23.{form}" for form in ("html", "pdf", "xlsx")
    ]
    assert (written.failed_sections, written.reasons) == ((), ())
    html, counts = page.read_text("utf-8"), counted(clinic, *WEEK)
    assert counts["in_error"] > 0
    assert tiles_in(html) == tiles_of(counts)
    assert re.findall(r"<h2>([^<]*)</h2>", html) == TITLES
    assert "Sections produites : 8 sur 8" in words(html)
    assert "1 constat écarté aujourd’hui (accepté 1)." in words(html)
    assert "tels que l’exécution 1 les avait jugés" in words(html)
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//|@import|url\([\"']?https?:|<script|var\(--", html)

    pages = PdfReader(paper).pages
    printed = [plain(page.extract_text()) for page in pages]
    foot = f"de {len(pages)} · exécution 2 · contient des renseignements confidentiels"
    assert [f"Page {number} {foot}" in said for number, said in enumerate(printed, start=1)] == [True] * len(pages)
    assert all(tile in printed[0] for tile in tiles_of(counts))
    assert all(any(title in said for said in printed) for title in TITLES)
    assert sum("Jours Médecin Date Facture Code Quoi faire Montant" in said for said in printed) >= 2
    assert [float(side) for side in pages[0].mediabox[2:]] == [612, 792]
    root = PdfReader(paper).trailer["/Root"]
    assert (root["/Lang"], root["/MarkInfo"]["/Marked"]) == ("fr", True)
    assert "pdfuaid:part" in root["/Metadata"].get_data().decode()
    told = alternatives(root["/StructTreeRoot"])
    assert len(told) == 11
    assert all(told)

    assert [oct(path.stat().st_mode & 0o777) for path in written.paths] == ["0o600"] * 3
    with ZipFile(book) as parts:
        sheets = " ".join(parts.read(name).decode() for name in parts.namelist() if name.endswith(".xml"))
    assert all(f'name="{name}"' in sheets for name in ("Sommaire", "À faire", "Constats", "Définitions"))
    executed = page.with_suffix(".ipynb").read_text("utf-8")
    identities = people(clinic)
    assert len(identities) > 1000
    sinks = [html, executed, " ".join(printed), sheets, written.subject + written.body]
    assert [sorted(who for who in identities if who in each)[:1] for each in sinks] == [[]] * 5
    assert "secret" not in html + executed + sheets
    assert clinic.viewer.id not in executed
    assert all(tile in plain(written.body) for tile in tiles_of(counts))


def test_a_month_at_one_place_in_english_says_which_section_it_lacks_and_why_not(clinic, database, tmp_path):
    with clinic.database.connect() as connection:
        days = dict(zip(("since", "until"), JUNE, strict=True))
        place = connection.scalar(sa.text(BUSIEST), days)
    with database.owner() as owner:
        owner.execute(sa.text("ALTER TABLE run_rules RENAME TO elsewhere"))
    whole = periodicals.write(clinic, "monthly", *JUNE, out=tmp_path / "out", lang="en", place=place, formats=("html",))
    html = whole.paths[0].read_text("utf-8")
    assert whole.paths[0].name == f"monthly-2025-06-01-{place}.html"
    assert whole.failed_sections == ("changes", "annex")
    assert whole.missing("en") == "Difference, Annex"
    assert "This section could not be made" in words(html)
    assert "Sections made: 6 of 8" in words(html)
    assert f"Place {place}" in words(html)
    assert tiles_in(html) == tiles_of(counted(clinic, *JUNE, place), "en")
    assert "psycopg" not in html


def test_a_week_without_lines_is_not_reported(clinic, tmp_path):
    with pytest.raises(NotFound, match="DL-REP-404"):
        periodicals.write(clinic, "weekly", date(2019, 1, 7), date(2019, 1, 13), out=tmp_path)


@pytest.mark.parametrize("kind", ["weekly", "monthly"])
def test_a_parameter_that_a_report_does_not_have_is_refused_by_name(kind, tmp_path):
    report = resources.folder("notebooks") / f"report_{kind}.ipynb"
    with pytest.raises(UsageError, match=r"^DL-NB-001.*n’a pas de paramètre role"):
        notebook.run_notebook(report, tmp_path / "out.html", {"since": "last", "role": "admin"})
    assert json.loads(report.read_text("utf-8"))["metadata"]["title"]
