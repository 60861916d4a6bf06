import base64
import csv
import re
from contextlib import contextmanager
from datetime import date

import pytest
import sqlalchemy as sa

from dashlib import metrics, pages, texts
from dashlib.acknowledgements import acknowledge, withdraw
from dashlib.cache import open_cache
from dashlib.demo.export import write_demo
from dashlib.installing import install
from dashlib.keys import pseudonyms
from dashlib.pages.visit import Visit
from dashlib.settings import Settings
from dashlib.validation import validate_file
from dashlib.workbench import Workbench, enter
from tests.conftest import own_database
from tests.truth import Truth

pytestmark = pytest.mark.database

RUN_DATE = date(2025, 7, 2)
DATE, PLACE, CODE, PRELIMINARY, PAID, DOCTOR = 3, 7, 10, 14, 15, 16
RULE = "TELE_CONTEXT_PLACE"
SCOPES = {
    "90 days": {},
    "all": {"period": "all"},
    "six weeks that begin on a Wednesday": {"period": "dates", "since": "2025-05-07", "until": "2025-06-17"},
    "a place": {"place": "59901"},
    "two places, always": {"place": "59900,59901", "period": "all"},
    "a doctor": {"doctor": "1"},
    "two doctors at a place, always": {"doctor": "0,1", "place": "59902", "period": "all"},
    "warnings": {"severity": "warning"},
    "advice": {"severity": "info", "period": "30"},
    "a rule": {"rule": "ANNUAL_PERIODIC_VISIT"},
    "a rule, always, of two doctors": {"rule": "OPP_PERIODIC_VISIT_DUE", "period": "all", "doctor": "0,1"},
}


@pytest.fixture(scope="module")
def clinic(postgres, tmp_path_factory):
    """An export, a correction of some of its days, one of a doctor's week without anything paid; results set aside."""
    home = tmp_path_factory.mktemp("clinic")
    with contextmanager(own_database)(postgres, home, template="dashlib") as database:
        install(database)
        cache = open_cache(Settings(DATABASE_URL=None, REDIS_URL=None, home=postgres.home))
        wb = Workbench(enter(database), database, pseudonyms(database.settings, database), database.settings, cache)
        whole = home / "a.csv"
        write_demo(whole, rows=6000, seed=7, errors=0.04, run_date=RUN_DATE)
        title, *lines = [line.split(";") for line in whole.read_text("utf-8").splitlines()]
        first = validate_file(wb, whole, run_date=RUN_DATE)
        second = validate_file(wb, written(home / "b.csv", title, corrected(lines)), run_date=RUN_DATE)
        validate_file(wb, written(home / "c.csv", title, unpaid(lines)), run_date=RUN_DATE)
        for run, step in ((first, 7), (second, 3)):
            acknowledge(wb, run, range(2, 60, step), reason="accepte", note=None, until=None)
        withdraw(wb, second, range(5, 30, step))
        Truth(wb).freeze()
        yield wb


def corrected(lines):
    kept = [line for n, line in enumerate(lines) if n % 9 and line[DATE] >= "2025-06-10"]
    moved = [line for line in kept if line[DOCTOR].startswith(("1900001", "1900004"))]
    for n, line in enumerate(moved):
        if line[PLACE] == "59902" and n % 3 == 0:
            line = [*line[:PLACE], "59901", *line[PLACE + 1 :]]
        yield line
        if n % 13 == 0 and line[PAID] != "0,00":
            yield [*line[:PRELIMINARY], f"-{line[PRELIMINARY]}", f"-{line[PAID]}", *line[PAID + 1 :]]


def unpaid(lines):
    for line in lines:
        if line[DOCTOR].startswith("1900003") and "2025-05-12" <= line[DATE] <= "2025-05-16":
            yield [*line[:PAID], "0,00", *line[PAID + 1 :]]


def written(path, title, lines):
    path.write_text("".join(f"{';'.join(line)}\n" for line in [title, *lines]), "utf-8")
    return path


@pytest.fixture(scope="module")
def opened(clinic):
    """Opens a page on a scope of SCOPES; gives it, with the truth of the same scope."""
    with clinic.database.owner() as connection:
        by_lines = "SELECT doctor FROM truth_lines GROUP BY doctor ORDER BY count(*) DESC, doctor"
        doctors = connection.scalars(sa.text(by_lines)).all()
    seen = {}

    def opened(opener, name):
        asked = dict(SCOPES[name])
        if "doctor" in asked:
            asked["doctor"] = ",".join(sorted(doctors[int(n)] for n in asked["doctor"].split(",")))
        if (opener, name) not in seen:
            page = opener(Visit(filters=asked), clinic)
            assert page.bar.filters.asked == asked
            seen[opener, name] = page, Truth(clinic).of(page.bar.scope)
        return seen[opener, name]

    return opened


def tiles(page):
    return [tile.value for tile in page.tiles(page.facts)]


def of_file(card, *columns):
    contents = re.findall(r'base64,([^"]+)"', card._data.value)
    lines = [line for content in contents for line in base64.b64decode(content).decode("utf-8-sig").splitlines()[1:]]
    rows = csv.reader(lines, delimiter=";")
    return [tuple(row[n].replace(",", ".") for n in columns) for row in rows]


def leaving(rows, *columns):
    return [tuple("" if n in columns and cell in set("1234") else cell for n, cell in enumerate(row)) for row in rows]


def drawn(card, *fields):
    if card._place.children != (card._chart,):
        return []
    datasets = card._chart.spec["datasets"].values()
    rows = next(rows for rows in datasets if rows and set(fields) <= set(rows[0]))
    return [tuple(row[name] for name in fields) for row in rows]


def total(rows, column):
    return sum(float(row[column]) for row in rows)


@pytest.mark.parametrize("scope", SCOPES)
def test_the_tiles_of_error_rates_are_what_the_lines_say(opened, scope):
    page, truth = opened(pages.error_rates, scope)
    invoices, clean = truth.row("SELECT count(*), count(*) FILTER (WHERE clean) FROM invoices")
    lines, error, warning, info, at_risk, to_repay, gain = truth.row(
        "SELECT count(*), count(*) FILTER (WHERE error), count(*) FILTER (WHERE warning), count(*) FILTER (WHERE info), "
        "coalesce(sum(preliminary) FILTER (WHERE error AND NOT paid AND NOT reversed AND preliminary > 0), 0), "
        "coalesce(sum(paid_amount) FILTER (WHERE error AND paid AND NOT reversed), 0), "
        "coalesce((SELECT sum(amount) FROM found WHERE category = 'opportunity'), 0) FROM lines"
    )
    hits = {"error": error, "warning": warning, "info": info}[page.facts.figures.severity]
    assert tiles(page)[:5] == [
        texts.percent(clean / invoices),
        texts.percent(hits / lines),
        texts.money(at_risk),
        texts.money(to_repay),
        texts.money(gain),
    ]
    assert page.bar.counted.value.startswith(texts.integer(lines))


@pytest.mark.parametrize("scope", SCOPES)
def test_the_median_of_patients_is_that_of_the_doctors_days(opened, scope):
    page, truth = opened(pages.error_rates, scope)
    a_day = "SELECT day, week, count(*) AS patients FROM visits GROUP BY day, week, doctor, place"
    by_week = f"SELECT avg(patients) AS patients FROM ({a_day}) AS days GROUP BY week"
    each = by_week if page.bar.scope.is_by_week else a_day
    [median] = truth.row(f"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY patients) FROM ({each}) AS seen")
    assert tiles(page)[5] == texts.half(median)


@pytest.mark.parametrize("scope", SCOPES)
def test_the_trend_counts_the_lines_of_each_day(opened, scope):
    page, truth = opened(pages.error_rates, scope)
    at = "greatest(week, :since)" if page.bar.scope.is_by_week else "day"
    hits = page.facts.figures.severity
    days = truth.written(f"SELECT {at}, count(*), count(*) FILTER (WHERE {hits}) FROM lines GROUP BY 1 ORDER BY 1 DESC")
    assert of_file(page.cards[0], 0, 1, 2) == days
    points = sorted((int(lines), int(hit)) for _, lines, hit in days)
    assert sorted(drawn(page.cards[0], "lines", "hits")) == points * bool(page.facts.figures.now.hits)
    assert total(days, 2) / total(days, 1) == page.facts.figures.now.rate


@pytest.mark.parametrize("scope", SCOPES)
def test_the_weeks_by_severity_are_the_lines_by_their_worst_result(opened, scope):
    page, truth = opened(pages.error_rates, scope)
    weeks = truth.written(
        "SELECT week, count(*), count(*) FILTER (WHERE error), count(*) FILTER (WHERE warning AND NOT error), "
        "count(*) FILTER (WHERE info AND NOT error AND NOT warning), "
        "count(*) FILTER (WHERE NOT error AND NOT warning AND NOT info) FROM lines GROUP BY week "
        "HAVING count(*) >= greatest(20, (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n) / 10 FROM "
        "(SELECT count(*) AS n FROM lines GROUP BY week) AS weeks)) ORDER BY week DESC"
    )
    assert of_file(page.cards[1], *range(6)) == weeks
    assert sum(hits for [hits] in drawn(page.cards[1], "hits")) == sum(total(weeks, n) for n in (2, 3, 4))


@pytest.mark.parametrize("scope", SCOPES)
def test_doctors_by_week_are_their_lines(opened, scope):
    page, truth = opened(pages.error_rates, scope)
    hits = page.facts.figures.severity
    cells = truth.written(
        f"SELECT doctor, week, count(*), count(*) FILTER (WHERE {hits}), "
        "coalesce(sum(preliminary) FILTER (WHERE error AND NOT paid AND NOT reversed AND preliminary > 0), 0.00) "
        "FROM lines GROUP BY doctor, week"
    )
    assert sorted(of_file(page.cards[2], *range(5))) == sorted(cells)
    assert sorted(drawn(page.cards[2], "doctor", "begins", "lines", "hits")) == sorted(
        (doctor, week, int(lines), int(hit)) for doctor, week, lines, hit, _ in cells
    )


STAKES = """
stakes AS (
  SELECT rule, severity, sum(results)::bigint AS results, count(*) AS lines,
    (SELECT count(DISTINCT (doctor, day, place, facture)) FROM found WHERE found.rule = rules.rule
     AND found.severity = rules.severity AND facture IS NOT NULL) AS invoices,
    sum(at_risk) AS at_risk, sum(to_repay) AS to_repay, sum(gain) AS gain,
    sum(at_risk) + sum(to_repay) + sum(gain) AS stake
  FROM rules WHERE :severity IN ('', severity) GROUP BY rule, severity
), first AS (
  SELECT rule FROM (SELECT DISTINCT ON (rule) rule, stake, results FROM stakes ORDER BY rule, stake DESC, results DESC)
    AS best ORDER BY stake DESC, results DESC LIMIT 8
)
"""


def staked(truth, question, page):
    return truth.rows(f", {STAKES} {question}", severity=page.bar.severity or "")


@pytest.mark.parametrize("scope", SCOPES)
def test_the_rules_to_treat_first_are_told_by_their_results_and_stake(opened, scope):
    page, truth = opened(pages.error_rates, scope)
    rules = staked(truth, "SELECT rule, severity, results, lines, invoices, stake FROM stakes", page)
    shown = page.facts.figures.rules
    columns = ("rule_id", "severity", "results", "lines", "invoices", "stake")
    assert sorted(shown.select(columns).rows()) == sorted(rules)
    cells = re.findall(r'<td class="n">(.*?)</td>', page.cards[3]._said.value)
    first = [
        (texts.integer(results), texts.money(stake)) for _, _, results, _, _, stake in shown.select(columns).rows()
    ]
    assert list(zip(cells[0::3], cells[1::3], strict=True)) == first[:8]
    assert shown.select(columns).rows() == sorted(
        rules, key=lambda rule: (["error", "warning", "info"].index(rule[1]), -rule[5], -rule[2], rule[0])
    )


@pytest.mark.parametrize("scope", SCOPES)
def test_the_tiles_of_common_rules_are_what_the_results_say(opened, scope):
    page, truth = opened(pages.common_rules, scope)
    everything = truth.without_rule()
    rules, whole, first = everything.row(
        f", {STAKES} SELECT count(DISTINCT rule), coalesce(sum(stake), 0.00), "
        "(SELECT coalesce(sum(stake), 0.00) FROM (SELECT sum(stake) AS stake FROM stakes GROUP BY rule ORDER BY 1 DESC "
        "LIMIT 3) AS three) FROM stakes",
        severity=page.bar.severity or "",
    )
    at_risk, gain, aside = everything.row(
        "SELECT (SELECT coalesce(sum(preliminary), 0) FROM lines "
        "WHERE error AND NOT paid AND NOT reversed AND preliminary > 0), "
        "(SELECT coalesce(sum(amount), 0) FROM found WHERE category = 'opportunity'), "
        "(SELECT count(*) FROM every WHERE aside AND :severity IN ('', severity))",
        severity=page.bar.severity or "",
    )
    told = tiles(page)
    assert [*told[:4], told[5]] == [
        texts.integer(rules),
        texts.percent(first / whole, "fr", 0) if whole else texts.NULL,
        texts.money(at_risk),
        texts.money(gain),
        texts.integer(aside),
    ]


@pytest.mark.parametrize("scope", SCOPES)
def test_the_bars_of_rules_are_their_stakes_and_add_up_to_the_tile(opened, scope):
    page, truth = opened(pages.common_rules, scope)
    rules = staked(
        truth.without_rule(),
        "SELECT rule, severity, results, lines, invoices, at_risk, to_repay, gain, stake FROM stakes",
        page,
    )
    written = [tuple(str(cell) for cell in rule[2:8]) for rule in rules]
    there = [row for row in of_file(page.cards[0], 2, 3, 4, 5, 6, 7) if row[0] != "0"]
    assert sorted(there) == sorted(written * bool(there))
    bars = drawn(page.cards[0], "rule_id", "severity", "value")
    assert sorted(bars) == sorted(
        (rule, severity, float(stake))
        for rule, severity, *_, stake in sorted(rules, key=lambda rule: (-rule[8], rule[0]))[:12]
        if stake
    )
    assert page.facts.rules["stake"].sum() == sum(rule[8] for rule in rules)


@pytest.mark.parametrize("scope", SCOPES)
def test_rules_at_places_are_their_results_in_a_thousand_lines(opened, scope):
    page, truth = opened(pages.common_rules, scope)
    asked = (
        "SELECT rule, {of}, sum(results)::bigint, (SELECT count(*) FROM lines WHERE lines.{of} = rules.{of}), "
        "sum(at_risk) + sum(to_repay) + sum(gain) FROM rules WHERE :severity IN ('', severity) AND rule = ANY (:first) "
        "GROUP BY rule, {of}"
    )
    first = page.facts.places["rule_id"].unique().to_list()
    for of, cells in (("place", page.facts.places), ("doctor", page.facts.doctors)):
        found = truth.without_rule().rows(asked.format(of=of), severity=page.bar.severity or "", first=first)
        columns = ("rule_id", "lieu_de_pratique" if of == "place" else of, "results", "seen", "stake")
        assert sorted(cells.select(columns).rows()) == sorted(found)
        per_thousand = (cells["lines"] / cells["seen"] * 1000).to_list()
        assert cells["per_thousand"].to_list() == pytest.approx(per_thousand)


@pytest.mark.parametrize("scope", SCOPES)
def test_the_small_lines_of_rules_are_their_weeks(opened, scope):
    page, truth = opened(pages.common_rules, scope)
    first = page.facts.weeks["rule_id"].unique().to_list()
    weeks = truth.without_rule().written(
        "SELECT rule, week, sum(results)::bigint, sum(at_risk) FROM rules WHERE rule = ANY (:first) GROUP BY rule, week",
        first=first,
    )
    assert sorted(
        tuple(map(str, row)) for row in page.facts.weeks.select("rule_id", "week", "results", "at_risk").rows()
    ) == (sorted(weeks))


@pytest.mark.parametrize("scope", ["a rule", "a rule, always, of two doctors"])
def test_the_sheet_of_a_rule_counts_its_results(opened, scope):
    page, truth = opened(pages.common_rules, scope)
    results, lines, stake = truth.row(
        "SELECT coalesce(sum(results), 0)::bigint, count(*), coalesce(sum(at_risk + to_repay + gain), 0) FROM rules"
    )
    aside = truth.row("SELECT count(*) FROM every WHERE aside AND rule = :rule")[0]
    found = metrics.rule_sheet(page.wb, page.bar.scope.rule, page.bar.scope)
    assert results
    assert (found.results, found.lines, found.acknowledged) == (results, lines, aside)
    assert found.at_risk + found.to_repay + found.gain == stake


DAYS_SEEN = """
, each AS (
  SELECT day, week, doctor, place, count(*) AS patients, count(*) FILTER (WHERE NOT walk_in) AS registered,
    count(*) FILTER (WHERE NOT walk_in AND paid) AS registered_paid, count(*) FILTER (WHERE walk_in) AS walk_in,
    count(*) FILTER (WHERE walk_in AND paid) AS walk_in_paid
  FROM visits GROUP BY day, week, doctor, place
), once AS (
  SELECT day, week, count(*) AS patients, count(*) FILTER (WHERE NOT walk_in) AS registered,
    count(*) FILTER (WHERE NOT walk_in AND paid) AS registered_paid, count(*) FILTER (WHERE walk_in) AS walk_in,
    count(*) FILTER (WHERE walk_in AND paid) AS walk_in_paid
  FROM (SELECT day, week, patient, bool_or(walk_in) AS walk_in, bool_or(paid) AS paid FROM visits
        GROUP BY day, week, patient) AS seen GROUP BY day, week
), added AS (
  SELECT day, week, sum(patients) AS patients, sum(registered) AS registered, sum(registered_paid) AS registered_paid,
    sum(walk_in) AS walk_in, sum(walk_in_paid) AS walk_in_paid FROM each GROUP BY day, week
), told AS (
  SELECT * FROM once WHERE day IN (SELECT day FROM lines GROUP BY day HAVING count(DISTINCT run) = 1)
    AND :every_place AND :every_doctor
  UNION ALL SELECT * FROM added WHERE day NOT IN (SELECT day FROM lines GROUP BY day HAVING count(DISTINCT run) = 1)
    OR NOT :every_place OR NOT :every_doctor
)
"""


@pytest.mark.parametrize("scope", SCOPES)
def test_patients_by_day_are_distinct(opened, scope):
    page, truth = opened(pages.patient_days, scope)
    at = "greatest(week, :since)" if page.bar.scope.is_by_week else "day"
    days = truth.written(
        f"{DAYS_SEEN} SELECT {at}, sum(patients), sum(registered), sum(registered_paid), sum(walk_in), "
        "sum(walk_in_paid) FROM told GROUP BY 1 ORDER BY 1 DESC"
    )
    assert of_file(page.cards[0], *range(6)) == leaving(days, 1, 2, 3, 4, 5)
    bars = drawn(page.cards[0], "kind", "patients")
    assert sum(patients for kind, patients in bars if kind == "registered") == total(days, 2)
    assert sum(patients for _, patients in bars) == total(days, 1)


@pytest.mark.parametrize("scope", SCOPES)
def test_the_tiles_of_patient_days_are_what_the_lines_say(opened, scope):
    page, truth = opened(pages.patient_days, scope)
    median, most = truth.row(
        f"{DAYS_SEEN} SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY patients), max(patients) FROM told "
        "WHERE day > CAST(:until AS date) - 182"
    )
    registered, walk_in, patients = truth.row(
        f"{DAYS_SEEN} SELECT sum(registered), sum(walk_in), sum(patients) FROM told"
    )
    [billed] = truth.row("SELECT count(DISTINCT (day, doctor, place)) FROM lines WHERE code IN ('19928', '19929')")
    assert tiles(page)[:5] == [
        texts.half(median),
        texts.integer(most),
        texts.percent(registered / patients),
        texts.percent(walk_in / patients),
        texts.integer(billed),
    ]


@pytest.mark.parametrize("scope", SCOPES)
def test_the_calendar_and_the_weekdays_are_the_patients_of_days(opened, scope):
    page, truth = opened(pages.patient_days, scope)
    weekdays = truth.written(
        f"{DAYS_SEEN} SELECT day, patients FROM told WHERE day > CAST(:until AS date) - 182 ORDER BY day"
    )
    assert of_file(page.cards[2], 0, 1) == leaving(weekdays, 1)
    assert sorted(drawn(page.cards[2], "day", "patients")) == sorted((day, int(n)) for day, n in weekdays)
    busiest = truth.row(f"{DAYS_SEEN} SELECT doctor FROM each GROUP BY doctor ORDER BY sum(patients) DESC LIMIT 1")
    days = truth.written(
        f"{DAYS_SEEN} SELECT day, sum(patients), sum(registered), sum(walk_in) FROM each "
        "WHERE doctor = :busiest OR :is_several GROUP BY day, doctor ORDER BY day DESC",
        busiest=busiest[0],
        is_several=len(page.bar.filters.doctor) > 1,
    )
    assert sorted(of_file(page.cards[1], 0, 1, 2, 3)) == sorted(leaving(days, 1, 2, 3))


@pytest.mark.parametrize("scope", SCOPES)
def test_the_list_of_days_tells_what_was_billed(opened, scope):
    page, truth = opened(pages.patient_days, scope)
    days = truth.written(
        f"{DAYS_SEEN} SELECT day, doctor, place, patients, registered, walk_in, "
        "(SELECT string_agg(code, ' + ' ORDER BY code) FROM lines WHERE (day, doctor, place) = (c.day, c.doctor, c.place)"
        " AND code IN ('19928', '19929')) FROM (SELECT day, doctor, place, count(*) AS patients, "
        "count(*) FILTER (WHERE NOT walk_in) AS registered, count(*) FILTER (WHERE walk_in) AS walk_in FROM ("
        "SELECT day, doctor, place, patient, bool_or(walk_in) AS walk_in FROM lines WHERE patient IS NOT NULL "
        "GROUP BY day, doctor, place, patient) AS seen GROUP BY day, doctor, place) AS c"
    )
    assert sorted(of_file(page.cards[3], *range(7))) == sorted(leaving(days, 3, 4, 5))
