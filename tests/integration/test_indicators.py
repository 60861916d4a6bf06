from datetime import date

import pytest
import sqlalchemy as sa

from dashlib import reference
from dashlib.schema import Code

pytestmark = pytest.mark.database


@pytest.mark.parametrize(
    ("fields", "indicators"),
    [
        ({"indicators": ["P.G. 2.2.9 A", "P.G. 2.4.7.7 A"]}, ["P.G. 2.2.9 A", "P.G. 2.4.7.7 A"]),
        ({"indicators": "P.G. 2.4.7.7 A"}, None),
        ({"other": 1}, None),
        (None, None),
    ],
)
def test_rules_know_the_indicators_that_the_manual_marks_a_code_with(wb, database, fields, indicators):
    with database.connect() as connection:
        connection.execute(sa.insert(Code).values(code="99999", description="A", custom_fields=fields))
        connection.commit()
    codes = reference.load(wb, date(2025, 6, 30)).codes.filter(code="99999")
    assert codes["indicators"].to_list() == [indicators]
