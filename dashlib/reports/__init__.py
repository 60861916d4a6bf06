"""Reports, section by section, as HTML that needs no script: of one run, and of the days of a week or a month."""

from dashlib.reports.of_run import Report
from dashlib.reports.period import PeriodReport, newest_period, open_period
from dashlib.reports.sections import SECTIONS

__all__ = ["SECTIONS", "PeriodReport", "Report", "newest_period", "open_period"]
