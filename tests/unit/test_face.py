import pytest

import dashlib as dl
from dashlib.errors import UsageError


def test_a_day_that_is_no_date_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(UsageError, match="DL-RUN-407"):
        dl.validate(tmp_path / "nothing.csv", wb=object(), run_date="hier")


def test_the_face_gives_what_it_names_and_nothing_else():
    assert all(callable(getattr(dl, name)) for name in dl.__all__)
    with pytest.raises(AttributeError):
        _ = dl.nothing
