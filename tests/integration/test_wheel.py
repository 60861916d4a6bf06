import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.exports import export, line

pytestmark = [pytest.mark.database, pytest.mark.slow]
HOUSE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    build = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(out)], cwd=HOUSE, check=True, capture_output=True)
    [made] = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An environment with the wheel, and for its dependencies those of this one."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "env", with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "env" / "lib" / version / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # Behind the wheel's own: this checkout's editable install stands there too.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (folder / "env" / "share").symlink_to(Path(sys.prefix) / "share")  # Jupyter's own templates
    return folder


def test_the_wheel_carries_notebooks_dashboards_and_migrations(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for file in ("notebooks/validation_report.ipynb", "dashboards/error_rates.ipynb", "migrations/env.py"):
        assert f"dashlib/share/{file}" in names


def test_the_wheel_validates_and_reports_outside_the_checkout(installed, short_folder):
    (installed / "factures.csv").write_text(export(line()), "utf-8")
    environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "PYTHONPATH")}
    environment["DASHLIB_HOME"] = str(short_folder / "w")

    def dashlib(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(installed / "env" / "bin" / "python"), "-m", "dashlib", *arguments]
        return subprocess.run(command, cwd=installed, env=environment, check=True, capture_output=True, text=True)

    try:
        found = json.loads(dashlib("validate", "--run-date", "2025-03-31", "--json", "factures.csv").stdout)
        assert (found["status"], found["record_count"]) == ("completed", 1)
        dashlib("report", "last", "--out", "rapport.html")
        assert "15804" not in (installed / "rapport.html").read_text("utf-8")
        assert "<h1" in (installed / "rapport.html").read_text("utf-8")
    finally:
        dashlib("db", "stop")
