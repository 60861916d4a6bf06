import polars as pl

from dashlib.charts import error_trend
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
