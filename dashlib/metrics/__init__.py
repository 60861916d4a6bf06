"""One question, few rows, one frame: what dashboards, reports and people ask of roll-ups and run tables.

Dashboards take each day of a doctor from the newest completed run that holds it: overlapping exports count once.
Results that are set aside are not counted, or apart. Roll-ups hold no identity: doctors are pseudonyms.
"""

from dashlib.metrics.days import DayFigures, day_figures, fee_days, interrupted
from dashlib.metrics.errors import (
    RunChange,
    doctor_weeks,
    error_days,
    error_facts,
    run_change,
    severity_weeks,
    version_changes,
)
from dashlib.metrics.guide import (
    codes_needing_contexts,
    most_common_errors,
    patient_daily_count,
    validation_run_with_results,
)
from dashlib.metrics.of_run import most_common_rules, patient_days, rejected_lines, run_summary
from dashlib.metrics.parts import parts
from dashlib.metrics.patients import (
    day_table,
    doctor_days,
    office_fee_thresholds,
    patient_totals,
    weekday_patients,
)
from dashlib.metrics.rules import (
    RuleSheet,
    common_rules,
    first_to_treat,
    rule_sheet,
    rule_weeks,
    rules_by_doctor,
    rules_by_place,
    rules_by_stake,
)
from dashlib.metrics.scope import Holdings, Scope, holdings

__all__ = [
    "DayFigures",
    "Holdings",
    "RuleSheet",
    "RunChange",
    "Scope",
    "codes_needing_contexts",
    "common_rules",
    "day_figures",
    "day_table",
    "doctor_days",
    "doctor_weeks",
    "error_days",
    "error_facts",
    "fee_days",
    "first_to_treat",
    "holdings",
    "interrupted",
    "most_common_errors",
    "most_common_rules",
    "office_fee_thresholds",
    "parts",
    "patient_daily_count",
    "patient_days",
    "patient_totals",
    "rejected_lines",
    "rule_sheet",
    "rule_weeks",
    "rules_by_doctor",
    "rules_by_place",
    "rules_by_stake",
    "run_change",
    "run_summary",
    "severity_weeks",
    "validation_run_with_results",
    "version_changes",
    "weekday_patients",
]
