"""What all tables share: the names of their constraints, their types, and when a row was made."""

import datetime
import re
import uuid
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import ARRAY, DateTime, ForeignKeyConstraint, Integer, MetaData, Numeric, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

PARTITIONED = ("billing_records", "validation_results", "rejected_records")
"""Tables that hold a run's lines, each run's in a table of its own: billing_records_<the run's id in hex>."""

PARTITION = re.compile(rf"^({'|'.join(PARTITIONED)})_[0-9a-f]{{32}}$")

# PostgreSQL's own way of naming, so that a migration in SQL need not name what the guide does not.
NAMES = {
    "pk": "%(table_name)s_pkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "ix": "idx_%(table_name)s_%(column_0_N_name)s",
}

Money = Annotated[Decimal, mapped_column(Numeric(10, 2))]
Sum = Annotated[Decimal, mapped_column(Numeric(18, 2), server_default=text("0"))]
Count = Annotated[int, mapped_column(Integer, server_default=text("0"))]
Created = Annotated[datetime.datetime | None, mapped_column(server_default=text("now()"))]
Key = Annotated[uuid.UUID, mapped_column(server_default=text("gen_random_uuid()"))]
YesUnlessSaid = Annotated[bool | None, mapped_column(server_default=text("true"))]


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        str: Text,
        datetime.datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        list[int]: ARRAY(Integer),
    }


def goes_with_run() -> ForeignKeyConstraint:
    """The key by which rows disappear with their run."""
    run, its_id = ["validation_run_id"], ["validation_runs.id"]
    return ForeignKeyConstraint(run, its_id, name="fk_validation_run", ondelete="CASCADE")
