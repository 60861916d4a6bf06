"""A report as sheets of paper: their look, which browsers show too, and the PDF of the same page, without a browser.

Nothing is fetched: what a page shows is in it. WeasyPrint needs Pango, which wheels do not hold and most systems have;
it is loaded where it is used, so that a system without it lacks PDF alone.
"""

import base64
import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

from dashlib import texts
from dashlib.errors import PdfUnavailable
from dashlib.exporting import replacing

JUPYTER = Path(__file__).parent / "assets" / "jupyter"
LOOK = JUPYTER / "nbconvert" / "templates" / "dashlib" / "paper.css"
FONT = JUPYTER / "voila" / "templates" / "dashlib" / "static" / "source-sans-3-latin-wght-normal.woff2"
FIRST_MARK, SECOND_MARK = "\ue000", "\ue001"  # of private use: they stand where the numbers of pages come


def css(runs: Sequence[int], lang: str) -> str:
    """The look of a report about these runs, whose numbers stand at the foot of each page."""
    foot = texts.text(
        "paper.foot",
        lang,
        page=FIRST_MARK,
        pages=SECOND_MARK,
        runs=texts.plural("paper.runs", len(runs), lang, numbers=", ".join(str(number) for number in runs)),
    )
    counted = foot.replace(FIRST_MARK, '" counter(page) "').replace(SECOND_MARK, '" counter(pages) "')
    return LOOK.read_text("utf-8").replace("FOOT", f'"{counted}"').replace("FONT", embedded(FONT))


def embedded(file: Path) -> str:
    """A font as an address that holds it: a report is one file."""
    return f"data:font/woff2;base64,{base64.b64encode(file.read_bytes()).decode()}"


def write_pdf(html: str, out: Path) -> None:
    """Prints a page into a PDF that screen readers can read (PDF/UA-1), replacing the one that is there.

    Raises:
        PdfUnavailable: DL-PDF-001, Pango is not on this system.
        OSError: nothing can be written there.
    """
    try:
        # Without its libraries it prints an essay before it gives up.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            import weasyprint
            from weasyprint.urls import URLFetcher
    except OSError:
        raise PdfUnavailable("DL-PDF-001") from None
    # It warns of what it does not know of our look, which browsers do.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    page = weasyprint.HTML(string=html, url_fetcher=URLFetcher(allowed_protocols={"data"}))
    with replacing(out) as file:
        page.write_pdf(file, pdf_variant="pdf/ua-1")
