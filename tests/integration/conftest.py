import pytest
from click.testing import CliRunner

from dashlib import cli


@pytest.fixture
def run(wb, monkeypatch, tmp_path):
    """Runs a command in a clean folder, against the test's own database."""
    monkeypatch.setattr(cli.desk, "open_workbench", lambda _: wb)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli.main, [str(a) for a in arguments], catch_exceptions=False)
