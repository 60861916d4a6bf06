"""Charts: a frame of aggregates in, an Altair chart out, in one look and in the reader's language. Pure.

Nothing here is drawn by line of an export, and no chart takes more than MOST_ROWS rows.
"""

import sys

# What altair checks its drawings with makes a grammar of web addresses, and reads another of durations, when it is
# loaded: a second of CPU and 15 MiB in every kernel, for formats that no drawing has.
for _needless in ("rfc3987_syntax", "isoduration"):
    sys.modules.setdefault(_needless, None)  # type: ignore[arg-type]

from dashlib.charts.grids import CALENDAR_DAYS, calendar, doctor_weeks, rule_grid
from dashlib.charts.look import (
    INK,
    MOST_ROWS,
    OPEN,
    PICK,
    SEVERITY_TONE,
    THEME,
    Tone,
    coloured,
    embed_options,
    palette,
    svg,
)
from dashlib.charts.patients import KIND_FILL, patient_days, patients_by_day
from dashlib.charts.rules import common_rules, pareto
from dashlib.charts.shares import FATE_GLYPH, FATE_TONE, full_weeks, run_change, severity_weeks, weekday_strip
from dashlib.charts.trends import FEW_LINES, TARGET, error_trend, is_by_week, sparkline, unusual

__all__ = [
    "CALENDAR_DAYS",
    "FATE_GLYPH",
    "FATE_TONE",
    "FEW_LINES",
    "INK",
    "KIND_FILL",
    "MOST_ROWS",
    "OPEN",
    "PICK",
    "SEVERITY_TONE",
    "TARGET",
    "THEME",
    "Tone",
    "calendar",
    "coloured",
    "common_rules",
    "doctor_weeks",
    "embed_options",
    "error_trend",
    "full_weeks",
    "is_by_week",
    "palette",
    "pareto",
    "patient_days",
    "patients_by_day",
    "rule_grid",
    "run_change",
    "severity_weeks",
    "sparkline",
    "svg",
    "unusual",
    "weekday_strip",
]
