import pytest

from dashlib.serve import address
from tests import seed
from tests.serving import dashboards, moved_in, serving


@pytest.fixture(scope="session")
def clinic(short_folder):
    """The data folder of a clinic with two runs. No test adds to it: the figures of all others would change."""
    with moved_in(short_folder / "clinic") as wb:
        with wb.database.connect() as connection:
            seed.clinic(connection, wb.viewer.id)
        wb.database.close()
        yield wb.settings.home


@pytest.fixture(scope="session")
def dashboard(clinic):
    """The address of the clinic's dashboard, served as `dashlib dashboards` serves it."""
    with serving(clinic, dashboards) as port:
        yield address(port)


@pytest.fixture(scope="session")
def new_dashboard(short_folder):
    """The address of the dashboard of somebody who begins, and hands in files."""
    with moved_in(short_folder / "new") as wb:
        wb.database.close()
        with serving(wb.settings.home, dashboards) as port:
            yield address(port)
