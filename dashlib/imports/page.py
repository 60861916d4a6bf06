"""A page of the manual as a browser saves it: HTML in; its titles and the rows of its tables out, in order.

Only what stands: struck text is dropped, and so are the boxes of instructions (AVIS), which name codes and amounts that
are no tariffs.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree, html

from dashlib.errors import RuleError

CONTENT = "contenu"  # the page's own text; the menu beside it repeats the titles
MANUAL = "Manuel des médecins omnipraticiens — Rémunération à l'acte"
LINE = "data-line"
HEADINGS = ("h1", "h2", "h3", "h4")
ROW_CELLS = ("td", "th")
BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class Paragraph:
    """A line of a cell: its text, how far it is indented in points, and whether it is set as a title."""

    text: str
    indent: float = 0.0
    is_strong: bool = False
    is_heading: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell's paragraphs that say something, in order."""

    paragraphs: tuple[Paragraph, ...]

    @property
    def text(self) -> str:
        return " ".join(paragraph.text for paragraph in self.paragraphs)


@dataclass(frozen=True)
class Row:
    """A row of a table: the page's own mark for it (`anchor`), its line in the file, and its cells, blank ones too."""

    anchor: str | None
    line: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Title:
    """A heading between tables; `level` is 2 for a chapter and its parts, 3 and more for what is below."""

    text: str
    level: int


@dataclass(frozen=True)
class Prose:
    """A paragraph between tables; the last one before a table says what the table is about."""

    text: str


@dataclass(frozen=True)
class TableStart:
    """Where a table begins: what was said of the columns of the one before no longer holds."""


type Piece = Row | Title | Prose | TableStart


def read_page(text: str) -> list[Piece]:
    """The pieces of a manual page, in order.

    Raises:
        RuleError: DL-REF-010, it ends in the middle; DL-REF-011, it is no page of the manual; DL-REF-012, it is a page
            of another manual; DL-REF-014, the parser gave up.
    """
    if "<html" not in text[:4096].lower():
        raise RuleError("DL-REF-011")
    if not text.rstrip().lower().endswith("</html>"):
        raise RuleError("DL-REF-010", lines=text.count("\n") + 1)
    content = _content(text)
    _require_manual(content)
    _drop_what_does_not_stand(content)
    return list(_pieces(content))


def _content(text: str) -> html.HtmlElement:
    try:
        page = html.document_fromstring(text, parser=(parser := html.HTMLParser(huge_tree=False)))
    except (etree.ParserError, ValueError):
        raise RuleError("DL-REF-011") from None
    # Past its limits the parser stops, and gives what it has as if it were all.
    if stopped := parser.error_log.filter_from_fatals():
        raise RuleError("DL-REF-014", lines=stopped[0].line)
    _number_rows(page, text)
    content = page.get_element_by_id(CONTENT, None)
    if content is None:
        raise RuleError("DL-REF-011")
    return content


def _number_rows(page: html.HtmlElement, text: str) -> None:
    """Gives each row its line in the file: the parser itself counts to 65 535 only."""
    rows, lines, at, line = list(page.iter("tr")), [], 0, 1
    for found in re.finditer(r"<tr\b", text, re.IGNORECASE):
        line += text.count("\n", at, found.start())
        at = found.start()
        lines.append(line)
    if len(rows) == len(lines):
        for row, number in zip(rows, lines, strict=True):
            row.set(LINE, str(number))


def _require_manual(content: html.HtmlElement) -> None:
    """Its first title must be this manual's: specialists have other tariffs under the same codes."""
    title = next((_said(heading) for heading in content.iter("h1")), "")
    if not title:
        raise RuleError("DL-REF-011")
    if _letters(title) != _letters(MANUAL):
        raise RuleError("DL-REF-012", expected=MANUAL)


def _letters(title: str) -> str:
    return re.sub(r"[^a-z]", "", plain(title))


def plain(text: str) -> str:
    """Lower case without accents: `rules.base.plain` for one text, without a frame."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)).lower()


def _drop_what_does_not_stand(content: html.HtmlElement) -> None:
    etree.strip_elements(content, "s", "strike", "del", "script", "style", with_tail=False)
    for box in content.xpath(".//table[contains(concat(' ', normalize-space(@class), ' '), ' avis ')]"):
        box.drop_tree()


def _pieces(content: html.HtmlElement) -> Iterator[Piece]:
    walk = etree.iterwalk(content, events=("start",), tag=("table", "tr", "p", "div", *HEADINGS))
    for _, element in walk:
        if element.tag == "table":
            yield TableStart()
        elif element.tag == "tr":
            walk.skip_subtree()
            yield Row(element.get("id"), int(element.get(LINE) or element.sourceline or 0), tuple(_cells(element)))
        elif element.tag == "div":
            if own := _squeezed(element.text or ""):
                yield Prose(own)
        elif text := _said(element):
            walk.skip_subtree()
            yield Prose(text) if element.tag == "p" else Title(text, int(element.tag[1]))


def _cells(row: html.HtmlElement) -> Iterator[Cell]:
    for cell in row.iterchildren(*ROW_CELLS):
        paragraphs = tuple(_paragraphs(cell))
        yield Cell(paragraphs or _bare(cell))


def _paragraphs(cell: html.HtmlElement) -> Iterator[Paragraph]:
    for paragraph in cell.iter("p", *HEADINGS):
        if text := _said(paragraph):
            is_heading = paragraph.tag in HEADINGS
            strong = is_heading or paragraph.get("class") == "strong" or _is_all_strong(paragraph, text)
            yield Paragraph(text, _indent(paragraph.get("style") or ""), strong, is_heading)


def _bare(cell: html.HtmlElement) -> tuple[Paragraph, ...]:
    text = _said(cell)
    return (Paragraph(text, is_strong=_is_all_strong(cell, text)),) if text else ()


def _is_all_strong(element: html.HtmlElement, text: str) -> bool:
    return _squeezed("".join(_said(strong) for strong in element.iter("strong", "b"))).replace(" ", "") == text.replace(
        " ", ""
    )


def _indent(style: str) -> float:
    """Points from the left: `margin-left`, the last one given, or the fourth length of `margin`."""
    left = re.findall(r"margin-left:\s*(-?[\d.]+)", style.lower())
    if left:
        return float(left[-1])
    four = re.search(r"margin:((?:\s*-?[\d.]+(?:pt|px|em)?){4})", style.lower())
    return float(re.sub(r"[a-z]", "", four[1].split()[3])) if four else 0.0


def _said(element: html.HtmlElement) -> str:
    # Words on two lines of a cell are not one word.
    return _squeezed("".join(_texts(element)))


def _texts(element: html.HtmlElement) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if isinstance(child.tag, str):
            yield " " if child.tag == "br" else ""
            yield from _texts(child)
        yield child.tail or ""


def _squeezed(text: str) -> str:
    return BLANKS.sub(" ", text.replace("\u200b", "")).strip()
