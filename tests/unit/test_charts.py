import re
from datetime import date, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import polars as pl
import pytest

from dashlib import charts, markup, texts
from dashlib.charts import patients, trends
from dashlib.figures import ErrorFacts, Figures
from tests.tables import cells

DAYS = """
  date_de_service|lines|lines_in_error|lines_in_warning|invoices|clean_invoices|at_risk|to_repay|gain|hits
  2025-03-07|100|4|0|50|46|120.50|0.00|0.00|4
  2025-03-08|2|2|0|1|0|30.00|0.00|0.00|2
  2025-03-09|100|0|1|50|50|0.00|12.00|9.35|0
  2025-03-10|100|2|1|50|48|60.00|0.00|0.00|2
"""
QUIET = """
  date_de_service|lines|lines_in_error|lines_in_warning|invoices|clean_invoices|at_risk|to_repay|gain|hits
  2025-03-03|300|12|0|150|138|400.00|12.00|0.00|12
"""
RULES = """
    rule_id | label       | severity | results | lines | stake
    A       | Règle A     | error    | 5       | 5     | 150.50
    B       | Règle B     | error    | 3       | 3     | 60.00
    C       | <b>C</b> & c | warning | 2       | 2     | 12.00
    D       | Règle D     | error    | 1       | 1     | 0.00
    E       | Règle E     | error    | 1       | 1     | 0.00
"""
SEEN = """
    doctor | date_de_service | patients
    M1     | 2025-03-07      | 24
    M1     | 2025-03-10      | 25
"""
MONEY = pl.col("at_risk", "to_repay", "gain", "amount")


def frame(text):
    drawn = pl.DataFrame(cells(text))
    whole = [
        n
        for n in drawn.columns
        if n in ("lines", "hits", "results", "patients") or n.endswith(("_error", "_warning", "invoices"))
    ]
    money = [n for n in drawn.columns if n in ("at_risk", "to_repay", "gain", "stake")]
    dates = [n for n in drawn.columns if n == "date_de_service"]
    return drawn.with_columns(
        pl.col(whole).cast(pl.Int64), pl.col(money).cast(pl.Decimal(38, 2)), pl.col(dates).str.to_date()
    )


def facts(severity="error", before=QUIET):
    earlier = frame(before) if before else None
    return ErrorFacts(
        since=date(2025, 3, 7),
        until=date(2025, 3, 10),
        severity=severity,
        days=frame(DAYS),
        now=Figures.of(frame(DAYS)),
        before=Figures.of(earlier) if before else None,
        rules=frame(RULES),
        seen=frame(SEEN),
        seen_before=frame(SEEN).clear(),
        places=1,
        doctors=1,
    )


def drawn(chart, lang="fr"):
    return charts.svg(chart, lang)


def words(svg):
    return [node.text for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def points(svg):
    return [n for n in ElementTree.fromstring(svg).iter() if n.get("aria-roledescription") == "point"]


def test_the_trend_draws_a_point_a_day_and_the_target():
    svg = drawn(charts.error_trend(frame(DAYS), "fr", width=600))
    assert len(points(svg)) == 4
    assert "Cible 2\u00a0%" in words(svg)


def test_each_day_of_the_trend_stands_on_its_own_date_across_the_change_of_clocks():
    svg = drawn(charts.error_trend(frame(DAYS), "fr", width=600))
    said = [
        re.search(r"Jour: (\w+ \d+ \w+ \d+)", node.get("aria-label").replace("\u00a0", " ")) for node in points(svg)
    ]
    assert [found and found[1] for found in said] == [
        "vendredi 7 mars 2025",
        "samedi 8 mars 2025",
        "dimanche 9 mars 2025",
        "lundi 10 mars 2025",
    ]


WORKED = pl.DataFrame({"date_de_service": [date(2025, 3, 9), date(2025, 11, 2)]}).with_columns(
    patients=pl.lit(9, pl.Int64),
    registered=pl.lit(5, pl.Int64),
    registered_paid=pl.lit(5, pl.Int64),
    walk_in=pl.lit(4, pl.Int64),
    walk_in_paid=pl.lit(4, pl.Int64),
    weekday=pl.lit(7, pl.Int8),
    worst=pl.lit("error"),
    doctor=pl.lit("M1"),
    lines=pl.lit(50, pl.Int64),
    hits=pl.lit(1, pl.Int64),
    error=pl.lit(1, pl.Int64),
    warning=pl.lit(0, pl.Int64),
    info=pl.lit(0, pl.Int64),
)
WEEKS = WORKED.with_columns(week=pl.col("date_de_service").dt.truncate("1w"))


@pytest.mark.parametrize(
    ("chart", "days"),
    [
        (charts.error_trend(WORKED.head(1), "fr", width=600), ["9 mars 2025"]),
        (charts.error_trend(WORKED.tail(1), "fr", width=600), ["2 novembre 2025"]),
        (charts.patients_by_day(WORKED, "fr", width=600), ["9 mars 2025", "2 novembre 2025"]),
        (charts.calendar(WORKED, "fr", width=600), ["2025-03-09", "2025-11-02"]),
        (charts.weekday_strip(WORKED, "fr", width=600), ["2025-03-09", "2025-11-02"]),
        (charts.doctor_weeks(WEEKS, "fr", width=600), ["2025-03-03", "2025-10-27"]),
        (charts.severity_weeks(WEEKS.drop("hits"), "fr", width=600), ["S10", "S44"]),
    ],
)
def test_the_days_on_which_clocks_change_are_their_own_in_every_chart(chart, days):
    said = " ".join(node.get("aria-label") or "" for node in ElementTree.fromstring(drawn(chart)).iter())
    assert [day for day in days if day not in said.replace("\u00a0", " ")] == []


@pytest.mark.parametrize(
    "chart",
    [
        charts.error_trend(frame(DAYS), "fr", width=600),
        charts.patients_by_day(WORKED, "fr", thresholds={"19928": 6}, width=600),
        charts.calendar(WORKED, "fr", width=600),
        charts.doctor_weeks(WEEKS, "fr", width=600),
        charts.severity_weeks(WEEKS.drop("hits"), "fr", width=600),
        charts.weekday_strip(WORKED, "fr", width=600),
    ],
)
def test_a_chart_is_heard_in_the_words_of_its_tooltips_and_not_in_names_of_columns(chart):
    heard = [node.get("aria-label") for node in ElementTree.fromstring(drawn(chart)).iter() if node.get("aria-label")]
    assert len(heard) > 1
    assert not [said for said in heard if re.search(r"[a-z]+_[a-z]+:|noon|stretch|begins|axis|scale", said)]


def test_the_mean_of_the_trend_weighs_days_by_their_lines():
    rates = trends._rates(frame(DAYS))
    assert rates["mean"].round(4).to_list() == [0.04, 0.0588, 0.0297, 0.0265]


def test_a_day_of_few_lines_does_not_stretch_the_axis_of_the_trend():
    spec = charts.error_trend(frame(DAYS), "fr").to_dict()
    assert spec["layer"][0]["encoding"]["y"]["scale"]["domain"][1] == pytest.approx(1.15 * 6 / 102)


def test_a_year_is_drawn_by_week():
    year = pl.DataFrame({"date_de_service": [date(2025, 1, 1) + timedelta(days=n) for n in range(364)]})
    assert len(points(drawn(charts.error_trend(year.with_columns(lines=50, hits=1), "fr", width=600)))) == 53


def test_the_trend_of_warnings_has_no_target():
    assert not [
        word
        for word in words(drawn(charts.error_trend(frame(DAYS), "fr", severity="warning", width=600)))
        if "Cible" in word
    ]


@pytest.mark.parametrize(("lang", "count"), [("fr", "1\u202f214"), ("en", "1,214")])
def test_rules_keep_the_order_of_the_frame_with_their_counts_written_out(lang, count):
    rules = frame(RULES).with_columns(results=pl.Series([1214, 3, 2, 1, 1]))
    said = words(drawn(charts.common_rules(rules, lang, width=600), lang))
    assert said == [count, "3", "2", "1", "1", "Règle A", "Règle B", "<b>C</b> & c", "Règle D", "Règle E"]


def test_patient_days_draw_a_point_a_day_and_doctors_in_the_order_of_the_frame():
    svg = drawn(charts.patient_days(frame(SEEN), "fr", width=600))
    assert len(points(svg)) == 2
    assert "M1" in words(svg)


def test_no_chart_takes_more_than_two_thousand_rows():
    many = pl.DataFrame({"doctor": ["M1"] * 2001, "patients": [1] * 2001})
    with pytest.raises(ValueError, match="at most 2000 rows"):
        charts.patient_days(many, "fr")


@pytest.mark.parametrize("severity", ["error", "warning", "info"])
def test_no_french_chart_holds_an_english_number(severity):
    svg = drawn(charts.error_trend(frame(DAYS), "fr", severity=severity, width=600))
    said = [*words(svg), *(node.get("aria-label") or "" for node in ElementTree.fromstring(svg).iter())]
    assert not [word for word in said if re.search(r"\d\.\d+\s?%|\d\$", word)]


def test_the_tiles_of_a_page_say_value_direction_and_whether_that_is_good():
    said = [(tile.value, tile.note, tile.good) for tile in facts().tiles("fr")]
    assert [(v.replace("\u00a0", " ").replace("\u202f", " "), n.replace("\u00a0", " "), g) for v, n, g in said] == [
        ("95,4 %", "▲ 3,4 pt · cible 98 %", True),
        ("2,6 %", "▼ 1,4 pt · 8 lignes", True),
        ("210,50 $", "▼ contre 400,00 $", True),
        ("12,00 $", "▬ contre 12,00 $", None),
        ("9,35 $", "▲ contre 0,00 $", None),
        ("24,5", "médiane par médecin", None),
    ]


def test_the_sentence_of_a_page_says_rate_direction_and_causes():
    assert facts().sentence("fr").replace("\u00a0", " ") == (
        "Le taux de lignes en erreur est de 2,6 % (cible 2 %), en baisse de 1,4 pt. 3 règles font 90 % des erreurs."
    )
    assert facts(before=None).sentence("en").replace("\u00a0", " ") == (
        "2.6% of lines are in error (target 2%). 3 rules make 90% of the errors."
    )


def test_a_share_that_changes_less_than_it_shows_is_the_same():
    nearly = QUIET.replace("|300|12|", "|301|8|").replace("|12\n", "|8\n")
    assert facts(before=nearly).tiles("fr")[1].note.replace("\u00a0", " ") == "▬ 0,0 pt · 8 lignes"
    assert (
        facts(before=nearly)
        .sentence("fr")
        .replace("\u00a0", " ")
        .startswith("Le taux de lignes en erreur est de 2,6 % (cible 2 %), stable.")
    )


def test_what_comes_from_outside_is_escaped():
    table = markup.rules_table(frame(RULES), "fr")
    assert "&lt;b&gt;C&lt;/b&gt; &amp; c" in table
    assert "<b>C" not in table


def test_a_severity_is_a_shape_a_word_and_a_colour():
    said = [re.sub(r"<[^>]+>", "", markup.severity(name, "fr")) for name in ("error", "warning", "info")]
    assert said == ["✕Erreur", "▲Avertissement", "◆Information"]


def test_rejected_lines_are_told_by_number_and_never_by_content():
    lines = pl.DataFrame(
        {"error_code": ["DL-X-001"], "column_name": ["code"], "lines": [14], "line_numbers": [list(range(2, 14))]}
    )
    said = re.sub(r"<[^>]+>", " ", markup.rejections_table(lines, "fr"))
    assert "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 et 2 autres" in said


def test_a_sparkline_of_one_value_is_not_drawn():
    assert charts.sparkline([1.0], "error") == ""
    assert 'points="3.0,24.0 117.0,4.0"' in charts.sparkline([1.0, 2.0], "error")


def test_a_long_value_is_set_smaller():
    tiles = [markup.Tile("À risque", texts.money(Decimal(amount)), "").html for amount in ("18432.60", "1118432.60")]
    assert ['class="v long"' in tile for tile in tiles] == [False, True]


def test_the_median_of_patients_is_of_working_days_and_begins_after_three():
    days = pl.DataFrame(
        {
            "date_de_service": [date(2025, 6, day) for day in (5, 6, 7, 8, 9, 10)],
            **dict.fromkeys(("registered", "registered_paid", "walk_in", "walk_in_paid"), [0] * 6),
            "patients": [30, 40, 1, 2, 50, 60],
        }
    )
    medians = patients._medians(days)
    assert medians["noon"].to_list() == ["2025-06-09T12:00:00", "2025-06-10T12:00:00"]
    assert medians["median"].to_list() == [40.0, 45.0]


def test_a_name_that_is_longer_than_its_drawing_ends_in_dots():
    rules = pl.DataFrame({"rule_id": ["A"], "label": ["mot " * 60], "severity": ["error"], "stake": [1.0]})
    drawn = charts.svg(charts.pareto(rules, "fr", width=350), "fr")
    assert re.search(r">(?:mot ){5,20}[mot]*…<", drawn)
