import base64
import csv
import html
import json
import logging
import re
import zipfile
from datetime import date
from io import BytesIO
from urllib.parse import unquote

import ipywidgets
import polars as pl
import pytest
import sqlalchemy as sa

from dashlib import demo, explorer, metrics, notebook, pages
from dashlib.embedded import APP
from dashlib.metrics import Scope
from dashlib.pages.visit import Visit
from dashlib.runs import find_run
from dashlib.validation import validate_file
from dashlib.valkey import Valkey
from dashlib.workbench import open_workbench
from tests.conftest import own_database
from tests.exports import line

pytestmark = pytest.mark.database

RUN_DATE = date(2025, 7, 2)
CARD = "QZXA80010112"
NAMED = "QZXBEC, WYLHELMINE"
FILE = f"{CARD} - {NAMED}.csv"
# Identities where none belongs: in the place, the sector, the contexts, the diagnosis, the code, beside a broken date.
STRAY = (
    line(date="2025-06-25", lieu=NAMED, patient=f"{CARD} - {NAMED}"),
    line(date="2025-06-25", contexte=CARD, debut=NAMED, patient=f"{CARD} - {NAMED}"),
    line(date="2025-06-25", code=CARD, patient=f"{CARD} - {NAMED}"),
    line(date=CARD, patient=f"{CARD} - {NAMED}"),
    line(date="2025-06-26", facture=CARD, ramq=NAMED, doctor=f"Dr {NAMED}", patient=NAMED),
    line(date="2025-06-26", doctor="", patient=""),
)
KEPT_FROM_OTHERS = r"^(billing_records|rejected_records|validation_results|files)"


class Canaries:
    """Everybody in an export, by number and by name, found in a text however it is written."""

    def __init__(self, lines):
        cells = pl.DataFrame(list(csv.reader(lines, delimiter=";")), orient="row")
        doctors, patients = cells["column_16"], cells["column_21"]
        nams = patients.str.extract(r"^([A-Z]{4}[0-9xX*]{8})")
        names = [patients.str.extract(r" - (.+)$"), doctors.str.extract(r"\| (.+?) - ")]
        self.words = [*pl.concat([nams, *names]).drop_nulls().unique(), NAMED]
        self.licences = re.compile(
            "|".join(rf"(?<!\d){n}(?!\d)" for n in doctors.str.extract(r"^(\d{7})").drop_nulls().unique())
        )

    def in_(self, *sinks):
        texts = [text for sink in sinks for text in read(sink)]
        named = pl.Series(texts, dtype=pl.String).str.extract_many(self.words, ascii_case_insensitive=True)
        return sorted({*named.explode().drop_nulls(), *(n for text in texts for n in self.licences.findall(text))})


def read(sink):
    if isinstance(sink, bytes) and sink.startswith(b"PK"):
        book = zipfile.ZipFile(BytesIO(sink))
        return [text for name in book.namelist() for text in read(book.read(name))]
    text = sink.decode("utf-8", "replace") if isinstance(sink, bytes) else str(sink)
    plain = re.sub(r"\\u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), text)
    hidden = [base64.b64decode(content).decode("utf-8-sig") for content in re.findall(r"csv;base64,([\w+/=]+)", plain)]
    return [plain, html.unescape(unquote(plain)), *hidden]


def states():
    """The state of every widget that there is, as it goes to a browser: charts, tables, words, options."""
    every = ipywidgets.widgets.widget._instances.values()
    return json.dumps([widget.get_state() for widget in every], default=str, ensure_ascii=False)


@pytest.fixture(scope="module")
def made(postgres, tmp_path_factory):
    yield from own_database(postgres, tmp_path_factory.mktemp("home"), template="dashlib")


@pytest.fixture(scope="module")
def clinic(made, postgres):
    """The database by way of its own address, as kernels come to it."""
    valkey = Valkey(postgres.home)
    valkey.ensure()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DATABASE_URL", made.cluster.conninfo(APP, made.name))
        patched.setenv("REDIS_URL", f"unix://{valkey.socket}")
        patched.setenv("DASHLIB_PHI_KEY", "a key for tests only")
        patched.setenv("DASHLIB_HOME", str(made.settings.home))
        opened = open_workbench()
        yield opened
        opened.database.close()


@pytest.fixture(scope="module")
def validated(clinic, tmp_path_factory):
    export = tmp_path_factory.mktemp("export") / FILE
    demo.write_demo(export, rows=1500, seed=11, errors=0.1, run_date=RUN_DATE)
    with export.open("a", encoding="utf-8") as file:
        file.write("".join(f"{stray}\n" for stray in STRAY))
    canaries = Canaries(export.read_text("utf-8").splitlines()[1:])
    heard = []
    listener = logging.Handler()
    listener.emit = lambda record: heard.append(listener.format(record))
    logging.getLogger().addHandler(listener)
    run = find_run(clinic, validate_file(clinic, export, run_date=RUN_DATE))
    logging.getLogger().removeHandler(listener)
    assert canaries.in_(export.read_bytes())[:1]
    assert len(canaries.words) > 500
    return run, canaries, heard


@pytest.mark.parametrize(
    ("opener", "lang", "filters"),
    [
        (pages.error_rates, "fr", {"period": "all"}),
        (pages.common_rules, "en", {"rule": "ANNUAL_PERIODIC_VISIT"}),
        (pages.patient_days, "fr", {"doctor": "1"}),
    ],
)
def test_no_page_and_no_widget_chart_or_workbook_of_it_names_anybody(clinic, validated, opener, lang, filters):
    _, canaries, _ = validated
    held = metrics.holdings(clinic)
    asked = filters | ({"doctor": held.doctors[1]} if "doctor" in filters else {})
    page = opener(Visit(lang, asked), clinic)
    assert page.bar.filters.asked == asked
    assert page.widget
    assert canaries.in_(page.outline, states(), page._workbook()[1], repr(page.facts)) == []
    ipywidgets.Widget.close_all()


def test_no_sheet_of_a_rule_names_anybody(clinic, validated):
    _, canaries, _ = validated
    held = metrics.holdings(clinic)
    sheets = [metrics.rule_sheet(clinic, rule, Scope(held.first, held.last)) for rule in held.rules]
    assert sum(sheet.examples.height for sheet in sheets) > 150
    assert canaries.in_(*(sheet.examples.rows() for sheet in sheets)) == []


def test_the_explorer_names_nobody_whatever_is_opened(clinic, validated):
    _, canaries, _ = validated
    desk = explorer.Explorer(wb=clinic)
    for act in [("facet", "severity=error"), *[("next", "")] * 12]:
        desk.act(*act)
        assert canaries.in_(json.dumps(desk.widget.get_state(), default=str, ensure_ascii=False)) == []


def test_frames_of_a_run_and_its_log_name_nobody(validated):
    run, canaries, heard = validated
    frames = (run.results, run.results_in("en"), run.summary, run.records, run.rejected, run.logs)
    assert canaries.in_(*(frame.rows() for frame in frames)) == []
    assert canaries.in_(run, repr(run), *heard) == []


@pytest.mark.parametrize(
    ("name", "audience"),
    [
        *((f"a.{kind}", None) for kind in ("csv", "xlsx", "jsonl", "parquet")),
        *((f"{audience}.xlsx", audience) for audience in ("clerks", "manager", "doctor")),
    ],
)
def test_no_file_that_is_handed_out_names_anybody(validated, tmp_path, name, audience):
    run, canaries, _ = validated
    run.export(tmp_path / name, audience=audience)
    content = (tmp_path / name).read_bytes()
    rows = pl.read_parquet(tmp_path / name).rows() if name.endswith("parquet") else content
    assert canaries.in_(rows) == []


def test_no_table_that_others_read_names_anybody(made, validated):
    _, canaries, _ = validated
    with made.owner() as connection:
        tables = connection.scalars(
            sa.text(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename !~ :kept"
            ),
            {"kept": KEPT_FROM_OTHERS},
        ).all()
        assert "public.rollup_days" in tables
        for table in tables:
            rows = connection.scalars(sa.text(f"SELECT t::text FROM {table} AS t")).all()
            assert (table, canaries.in_("\n".join(rows))) == (table, [])


@pytest.mark.notebooks
def test_no_notebook_that_is_run_for_a_report_names_anybody(clinic, validated, tmp_path):
    run, canaries, _ = validated
    page = notebook.report(clinic, str(run.id), lang="fr", out=tmp_path / "report.html")
    kept = [file.read_bytes() for file in (page, page.with_suffix(".ipynb"))]
    assert b"MD-" in kept[0] or "MÉD-" in kept[0].decode()
    assert canaries.in_(*kept) == []
