"""`make screenshots`: every page at every width, in both languages, by day, by night, on paper, and in each state.

The pictures, and an index.html to leaf through them, come to build/screenshots. What axe-core finds serious is printed,
and so is what does not fit; either makes the command fail.
"""

import sys
from contextlib import contextmanager
from datetime import date
from html import escape
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import sqlalchemy as sa

from dashlib import texts
from dashlib.demo.export import write_demo
from dashlib.schema import ValidationRun
from dashlib.serve import address
from dashlib.validation import validate_file
from tests import seed
from tests.serving import PATIENCE_MS, SCREENSHOTS, browser, dashboards, moved_in, serious, serving

CHARTS = {"error_rates": 3, "common_rules": 2, "patient_days": 3, "explorer": 0, "validate_file": 0}
WIDTHS = (1440, 900, 390)
QUIET_MS = 700  # for fonts, and for a chart to take the width of its card


class Gallery:
    """Takes pictures, and remembers what was wrong with what it saw."""

    def __init__(self, chromium, folder):
        self.chromium, self.folder, self.faults, self.taken = chromium, folder, [], []

    @contextmanager
    def visit(self, url, *, width=1440, charts=0, live=".d-live", **options):
        context = self.chromium.new_context(
            viewport={"width": width, "height": 900}, timezone_id="America/Toronto", **options
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", self._only_ours)
        page.on("pageerror", lambda fault: self.faults.append(f"script: {str(fault)[:200]}"))
        page.goto(url, wait_until="commit")
        page.wait_for_selector(live)
        page.wait_for_function(f"document.querySelectorAll('.d-live .vega-embed svg.marks').length >= {charts}")
        yield page
        context.close()

    def take(self, page, name, *, whole=True):
        page.evaluate("document.fonts.ready")
        page.wait_for_timeout(QUIET_MS)
        page.screenshot(path=self.folder / f"{name}.png", full_page=whole)
        self.taken.append(name)
        self.faults += [f"{name}: {rule} at {element}" for rule, element in serious(page)]
        width = page.viewport_size["width"]
        if (needed := page.evaluate("document.documentElement.scrollWidth")) > width:
            self.faults.append(f"{name}: {needed} px wide on a screen of {width}")

    def index(self):
        figures = "".join(f'<figure><a href="{n}.png"><img src="{n}.png"></a>{escape(n)}</figure>' for n in self.taken)
        style = "body{font:14px sans-serif}figure{display:inline-block;margin:8px;vertical-align:top}img{height:320px}"
        (self.folder / "index.html").write_text(f'<meta charset="utf-8"><style>{style}</style>{figures}', "utf-8")

    def _only_ours(self, request):
        if not request.url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            self.faults.append(f"asked the outside: {request.url}")


def pages(gallery, clinic):
    """The five pages on the data of the demo, whole: widths, nights, languages, paper."""
    for name, charts in CHARTS.items():
        page_at = address(clinic, f"{name}.ipynb")
        with gallery.visit(page_at, charts=charts) as page:
            if name == "explorer":
                page.wait_for_selector(".dx .dx-row")
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                gallery.take(page, f"{name}_{width}")
            page.emulate_media(color_scheme="dark")
            for width in (390, 1440):
                page.set_viewport_size({"width": width, "height": 900})
                gallery.take(page, f"{name}_{width}_dark")
            page.emulate_media(color_scheme="light", media="print")
            page.set_viewport_size({"width": 740, "height": 960})  # the ground of a letter between its margins
            gallery.take(page, f"{name}_print")
        with gallery.visit(f"{page_at}?lang=en", charts=charts) as page:
            gallery.take(page, f"{name}_1440_en")


def pieces(gallery, clinic):
    """What opens on a page when somebody picks something."""
    with gallery.visit(address(clinic, "common_rules.ipynb"), charts=2) as page:
        page.locator('.d-live .d-card.s7 [aria-roledescription="bar"]').first.click()
        page.wait_for_selector(".d-drawer[open]")
        gallery.take(page, "common_rules_sheet")
    with gallery.visit(address(clinic), charts=3) as page:
        page.locator(".d-live .d-choices").nth(1).get_by_role("button").first.click()
        gallery.take(page, "error_rates_choosing", whole=False)
        page.keyboard.press("Escape")
        page.locator(".d-live .d-card details summary").first.click()
        gallery.take(page, "error_rates_data")
    for lang in texts.LANGUAGES:
        with gallery.visit(address(clinic, f"explorer.ipynb?lang={lang}")) as page:
            page.locator(".dx-row").first.click()
            page.wait_for_selector(".dx-sheet h2")
            gallery.take(page, f"explorer_result_{lang}")


def states(gallery, office, wb):
    """What a page says when there is nothing to draw, good news, old news, or no database."""
    with gallery.visit(f"{address(office)}?place=55102&doctor=MÉD-0B22BB2222") as page:
        gallery.take(page, "state_no_lines")
    with gallery.visit(f"{address(office)}?doctor=MÉD-0B22BB2222&period=7") as page:
        gallery.take(page, "state_good_news")
    with wb.database.owner() as connection:
        connection.execute(
            sa.update(ValidationRun).values(completed_at=ValidationRun.completed_at - sa.text("'3 days'::interval"))
        )
    with gallery.visit(address(office), charts=3) as page:
        gallery.take(page, "state_stale")
        wb.database.close()
        cluster = wb.database.cluster
        cluster.stop()
        away = cluster.folder.rename(cluster.folder.with_name("away"))  # or it would be started again
        page.get_by_role("combobox", name="Période").first.select_option(index=0)
        page.get_by_role("button", name="Réessayer").wait_for()
        gallery.take(page, "state_down")
        away.rename(cluster.folder)


def beginning(gallery, new, folder):
    """A folder without a run, and the first file handed in."""
    with gallery.visit(address(new)) as page:
        gallery.take(page, "state_empty")
    export = folder / "factures.csv"
    write_demo(export, rows=20_000, seed=11, errors=0.03, run_date=date(2025, 7, 2))
    with gallery.visit(address(new, "validate_file.ipynb")) as page:
        page.locator(".d-live input[type=file]").set_input_files(export)
        page.get_by_text("factures.csv ·").wait_for()
        gallery.take(page, "upload_chosen")
        page.get_by_role("button", name="Valider", exact=True).click()
        page.locator(".d-live progress, .d-live [role=progressbar]").first.wait_for()
        gallery.take(page, "upload_running")
        page.get_by_role("heading", name="Ce qui a été détecté").wait_for()
        gallery.take(page, "upload_done")
    (folder / "autre.csv").write_text("this is no export\n1;2;3\n")
    with gallery.visit(address(new, "validate_file.ipynb")) as page:
        page.locator(".d-live input[type=file]").set_input_files(folder / "autre.csv")
        page.get_by_role("button", name="Valider", exact=True).click()
        page.locator(".d-said.is-bad").wait_for()
        gallery.take(page, "upload_refused")


def full_house(gallery, only):
    """The page of the visitor who finds no seat, in both languages."""
    with gallery.visit(address(only, "validate_file.ipynb")):
        for lang in texts.LANGUAGES:
            with gallery.visit(f"{address(only, 'validate_file.ipynb')}?lang={lang}", live=".d-page") as page:
                gallery.take(page, f"state_full_{lang}")


def demo_clinic(wb, folder):
    """Two files of one invented group: a spring, and the month that counts."""
    for rows, seed_, day in ((30_000, 3, date(2025, 5, 2)), (50_000, 7, date(2025, 7, 2))):
        path = folder / f"factures-{day}.csv"
        write_demo(path, rows=rows, seed=seed_, errors=0.03, run_date=day)
        validate_file(wb, path, run_date=day)


def main(chosen):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="dl-", dir="/var/tmp"))
    folder.chmod(0o711)
    with browser() as chromium:
        gallery = Gallery(chromium, SCREENSHOTS)
        if not chosen or {"pages", "pieces"} & chosen:
            with moved_in(folder / "demo") as wb:
                demo_clinic(wb, folder)
                with serving(folder / "demo", dashboards) as clinic:
                    for part in (pages, pieces):
                        if not chosen or part.__name__ in chosen:
                            part(gallery, clinic)
        if not chosen or "states" in chosen:
            with moved_in(folder / "office") as wb:
                with wb.database.connect() as connection:
                    seed.clinic(connection, wb.viewer.id)
                with serving(folder / "office", dashboards) as office:
                    states(gallery, office, wb)
        if not chosen or "beginning" in chosen:
            with moved_in(folder / "new"):
                with serving(folder / "new", dashboards) as new:
                    beginning(gallery, new, folder)
                with serving(folder / "new", dashboards, DASHLIB_MAX_VISITORS="1") as only:
                    full_house(gallery, only)
        gallery.index()
    rmtree(folder, ignore_errors=True)
    print(f"{len(gallery.taken)} pictures in {SCREENSHOTS.relative_to(Path.cwd())}", *gallery.faults, sep="\n")
    return bool(gallery.faults)


if __name__ == "__main__":
    sys.exit(main(set(sys.argv[1:])))
