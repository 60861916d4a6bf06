"""A patient's day as a drawing: a lane a doctor and place, a bar a line, its code, and what overlaps. Pure.

Drawn as SVG by hand: marks take their colours from the page, so that it is right in the light, the dark and on paper.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Any

from dashlib import texts
from dashlib.explorer.day import PatientDay
from dashlib.markup import Markup

WIDTH, LEFT, RIGHT = 388, 4, 4
FIRST_HOUR, LAST_HOUR = 6, 22
LANE, BAR, ROW, TOP = 18, 16, 21, 18
CODE = 34
"""How wide a code is written; a shorter bar has it beside it."""

HATCH = (
    '<defs><pattern id="dx-unpaid" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path class="hatch" d="M0 0V5"/></pattern></defs>'
)


@dataclass(frozen=True)
class Bar:
    """A line with a time: where it begins and ends in minutes, and the row of its lane where it is drawn."""

    line: Mapping[str, Any]
    start: int
    end: int
    row: int
    overlaps: bool


def drawing(found: PatientDay, lang: str, *, limit: str | None = None) -> Markup:
    """The day of a patient; lines without a time stand in words below it.

    Args:
        limit: what the rule allows in all, as people say it, where it counts minutes.
    """
    lines = found.lines.to_dicts()
    timed = [line for line in lines if line["debut"]]
    hours = _hours(timed)
    lanes = _lanes(timed)
    y, parts = TOP, [_axis(hours, _height(lanes, timed))]
    for (doctor, place), bars in lanes.items():
        parts.append(f'<text class="lane" x="{LEFT}" y="{y + 12}">{escape(f"{doctor} · {place}")}</text>')
        parts += [_bar(bar, y + LANE, hours, lang) for bar in bars]
        y += LANE + ROW * (1 + max(bar.row for bar in bars)) + 4
    parts += _bracket([bar for bars in lanes.values() for bar in bars], y, hours, lang, limit)
    height = _height(lanes, timed)
    said = escape(_said(found, lang), quote=True)
    svg = (
        f'<svg class="dx-day" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{said}">'
        f"{HATCH}{''.join(parts)}</svg>"
    )
    return Markup((svg if timed else "") + _untimed([line for line in lines if not line["debut"]], lang))


def _hours(lines: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """From 06:00 to 22:00, and as far as there are lines."""
    starts = [_minutes(line["debut"]) for line in lines]
    ends = [_minutes(line["fin"]) for line in lines if line["fin"]]
    return min([FIRST_HOUR, *(m // 60 for m in starts)]), max([LAST_HOUR, *(-(-m // 60) for m in (*starts, *ends))])


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _x(minute: float, hours: tuple[int, int]) -> float:
    first, last = hours
    return LEFT + (WIDTH - LEFT - RIGHT) * (minute - 60 * first) / (60 * (last - first))


def _lanes(lines: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[Bar]]:
    """Bars by doctor and place, packed so that no code is written over another."""
    hours = _hours(lines)
    lanes: dict[tuple[str, str], list[Bar]] = {}
    for line in lines:
        bars = lanes.setdefault((line["doctor"] or texts.NULL, line["lieu_de_pratique"] or texts.NULL), [])
        start = _minutes(line["debut"])
        end = max(start, _minutes(line["fin"])) if line["fin"] else start
        row = next(row for row in range(len(lines)) if all(_fits(bar, start, hours) for bar in bars if bar.row == row))
        crossing = any(
            _cross(start, end, _minutes(o["debut"]), _minutes(o["fin"] or o["debut"])) for o in lines if o is not line
        )
        bars.append(Bar(line, start, end, row, crossing))
    return lanes


def _fits(before: Bar, start: int, hours: tuple[int, int]) -> bool:
    """Whether there is room behind a bar and its code."""
    return _right(before, hours) + 4 <= _x(start, hours)


def _right(bar: Bar, hours: tuple[int, int]) -> float:
    width = _x(bar.end, hours) - _x(bar.start, hours)
    return _x(bar.end, hours) + (0 if width >= CODE else CODE)


def _cross(start: int, end: int, other: int, other_end: int) -> bool:
    return start < other_end and other < end


def _height(lanes: Mapping[tuple[str, str], Sequence[Bar]], lines: Sequence[Mapping[str, Any]]) -> int:
    rows = sum(LANE + ROW * (1 + max(bar.row for bar in bars)) + 4 for bars in lanes.values())
    touched = sum(1 for line in lines if line["touched"] and line["fin"])
    return TOP + rows + (30 if touched > 1 else 4)


def _axis(hours: tuple[int, int], height: int) -> str:
    first, last = hours
    ticks = ""
    for hour in range(first, last + 1):
        x = _x(60 * hour, hours)
        ticks += f'<path class="grid" d="M{x:.1f} {TOP}V{height}"/>'
        if (hour - first) % 4 == 0:
            anchor = "start" if hour == first else "end" if hour == last else "middle"
            ticks += f'<text class="hour" x="{x:.1f}" y="11" text-anchor="{anchor}">{hour:02}:00</text>'
    return ticks


def _bar(bar: Bar, top: int, hours: tuple[int, int], lang: str) -> str:
    line, x, width = bar.line, _x(bar.start, hours), _x(bar.end, hours) - _x(bar.start, hours)
    y = top + ROW * bar.row
    kind = " ".join(
        name
        for name, on in {"touched": line["touched"], "paid": line["is_paid"], "overlaps": bar.overlaps}.items()
        if on
    )
    said = escape(_line_said(line, lang))
    inside = width >= CODE
    at = x + width / 2 if inside else x + max(width, 2) + 3
    shape = f'<rect x="{x:.1f}" y="{y}" width="{max(width, 2):.1f}" height="{BAR}" rx="2"/>'
    hatch = "" if line["is_paid"] or width < 4 else shape.replace("<rect", '<rect class="unpaid"')
    code = f'<text class="{"in" if inside else "by"}" x="{at:.1f}" y="{y + 12}">{escape(line["code"])}</text>'
    return f'<g class="bar {kind}"><title>{said}</title>{shape}{hatch}{code}</g>'


def _bracket(bars: Sequence[Bar], y: int, hours: tuple[int, int], lang: str, limit: str | None) -> Iterator[str]:
    """From the first of the lines counted to the last, with the running sum of their minutes."""
    counted = sorted((b for b in bars if b.line["touched"] and b.end > b.start), key=lambda b: (b.end, b.start))
    if len(counted) < 2:
        return
    left, right = _x(counted[0].start, hours), _x(counted[-1].end, hours)
    total, last_x = 0, -100.0
    yield f'<path class="bracket" d="M{left:.1f} {y}v5H{right:.1f}v-5"/>'
    for bar in counted:
        total += bar.end - bar.start
        x = _x(bar.end, hours)
        if bar is counted[-1]:
            said = texts.text("explorer.day.sum", lang, n=total) + (f" / {limit}" if limit else "")
            end = min(max(x, 60), WIDTH - 2)
            yield f'<text class="sum" x="{end:.1f}" y="{y + 19}" text-anchor="end">{escape(said)}</text>'
        elif x - last_x > 24 and right - x > 96:
            yield f'<text class="run" x="{x:.1f}" y="{y + 19}" text-anchor="middle">{total}</text>'
            last_x = x


def _line_said(line: Mapping[str, Any], lang: str) -> str:
    times = f"{line['debut']}–{line['fin']}" if line["fin"] else line["debut"]
    state = texts.text("explorer.day.paid" if line["is_paid"] else "explorer.day.unpaid", lang)
    amount = texts.money(line["montant_paye"] if line["is_paid"] else line["montant_preliminaire"], lang)
    return f"{line['code']} · {times} · {amount} {state} · {texts.text('explorer.line', lang, row=line['row_number'])}"


def _untimed(lines: Sequence[Mapping[str, Any]], lang: str) -> str:
    if not lines:
        return ""
    codes = "".join(
        f'<span class="dx-code{" touched" if line["touched"] else ""}">{escape(line["code"])}</span>' for line in lines
    )
    return f'<p class="dx-untimed">{escape(texts.text("explorer.day.untimed", lang))} {codes}</p>'


def _said(found: PatientDay, lang: str) -> str:
    return texts.plural(
        "explorer.day.said", found.lines.height, lang, day=texts.long_day(found.day, lang), patient=found.patient
    )


def year_strip(found: PatientDay, lang: str) -> Markup:
    """The days of a patient's year: a tick a day, a diamond where a yearly code was billed, the day itself marked."""
    first = date(found.day.year, 1, 1)
    days = (date(found.day.year + 1, 1, 1) - first).days

    def at(day: date) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (day - first).days / days

    marks = [f'<path class="grid" d="M{LEFT} 14H{WIDTH - RIGHT}"/>']
    for month in range(1, 13):
        x = at(date(found.day.year, month, 1))
        marks.append(
            f'<path class="grid" d="M{x:.1f} 14v4"/>'
            f'<text class="hour" x="{x + 2:.1f}" y="27">{_initial(month, lang)}</text>'
        )
    for row in found.year.to_dicts():
        x, here = at(row["date_de_service"]), " here" if row["date_de_service"] == found.day else ""
        said = escape(" · ".join(filter(None, [texts.day(row["date_de_service"]), row["yearly"]])))
        mark = f"M{x:.1f} 4l4 5l-4 5l-4 -5z" if row["yearly"] else f"M{x:.1f} 6V14"
        kind = "yearly" if row["yearly"] else "tick"
        marks.append(f'<path class="{kind}{here}" d="{mark}"><title>{said}</title></path>')
    words = texts.plural("explorer.year.said", found.year.height, lang, year=str(found.day.year))
    return Markup(
        f'<svg class="dx-year" viewBox="0 0 {WIDTH} 30" role="img" aria-label="{escape(words, quote=True)}">'
        f"{''.join(marks)}</svg>"
        f'<p class="dx-note">{escape(words)}</p>'
    )


def _initial(month: int, lang: str) -> str:
    return texts.SHORT_MONTHS[lang][month - 1][0].upper()
