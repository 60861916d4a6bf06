from datetime import date, timedelta

import polars as pl

from dashlib.charts import error_trend, unusual
from dashlib.charts.trends import _rates
from tests.tables import cells

SPARSE = """
  date_de_service|lines|hits
  2025-03-03|100|4
  2025-03-20|12|0
  2025-03-21|7|0
  2025-03-24|1|1
  2025-04-14|50|1
"""


def frame(text):
    return pl.DataFrame(cells(text)).with_columns(
        pl.col("date_de_service").str.to_date(), pl.col("lines", "hits").cast(pl.Int64)
    )


def test_there_is_no_mean_where_hardly_a_line_was_billed():
    assert _rates(frame(SPARSE))["mean"].to_list() == [0.04, None, None, 0.05, 0.02]


def test_the_line_is_broken_where_nothing_was_billed_for_longer_than_it_looks_back():
    drawn = _rates(frame(SPARSE)).filter(pl.col("mean").is_not_null())
    assert drawn["stretch"].to_list() == [0, 2, 3]


def test_days_of_few_lines_are_hollow_points():
    points = error_trend(frame(SPARSE), "fr").to_dict()["layer"][0]
    assert points["encoding"]["fill"]["condition"]["test"] == "datum.lines >= 20"


def daily(spike):
    first, days = date(2025, 3, 3), 91
    hits = [2 + (n * n) % 2 for n in range(days)]
    hits[80] = spike
    dates = [first + timedelta(days=n) for n in range(days)]
    return pl.DataFrame({"date_de_service": dates, "lines": [100] * days, "hits": hits})


def test_a_day_outside_what_is_usual_for_its_weekday_is_told_with_the_range():
    [found] = unusual(daily(9)).filter(pl.col("rate") == 0.09).rows(named=True)
    assert found["date_de_service"] == date(2025, 5, 22)
    assert found["low"] <= 0.025 <= found["high"] < 0.09
    assert unusual(daily(9)).row(0, named=True) == found


def test_a_day_among_its_likes_is_not_unusual():
    assert date(2025, 5, 22) not in unusual(daily(2))["date_de_service"].to_list()


def test_the_ground_of_a_period_lies_below_all_that_is_drawn():
    layers = error_trend(daily(2), "fr", period=(date(2025, 5, 19), date(2025, 5, 25))).to_dict()["layer"]
    assert layers[0]["mark"]["type"] == "rect"
    assert "rect" not in [layer["mark"]["type"] for layer in error_trend(daily(2), "fr").to_dict()["layer"]]
