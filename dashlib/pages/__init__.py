"""The pages that managers open: each asks `metrics` one question, draws the answer with `charts`, and offers its files.

A notebook of `dashboards/` is three lines: who visits, which page, show it.
"""

from dashlib.pages.base import Notice, Page, opened
from dashlib.pages.common_rules import CommonRules
from dashlib.pages.error_rates import ErrorRates
from dashlib.pages.explore import Explore
from dashlib.pages.explore import opened as opened_explorer
from dashlib.pages.patient_days import PatientDays
from dashlib.pages.validate_file import ValidateFile
from dashlib.pages.validate_file import opened as opened_upload
from dashlib.pages.visit import Visit, visit
from dashlib.workbench import Workbench

__all__ = [
    "Notice",
    "Page",
    "Visit",
    "common_rules",
    "error_rates",
    "explorer",
    "patient_days",
    "validate_file",
    "visit",
]


def error_rates(visit: Visit, wb: Workbench | None = None) -> Page | Notice:
    """The page « Taux d'erreur »: is the billing clean, and is it getting better?"""
    return opened(ErrorRates, visit, wb)


def common_rules(visit: Visit, wb: Workbench | None = None) -> Page | Notice:
    """The page « Règles les plus fréquentes »: what causes the errors, and what to correct first?"""
    return opened(CommonRules, visit, wb)


def patient_days(visit: Visit, wb: Workbench | None = None) -> Page | Notice:
    """The page « Patients par jour »: how many patients, on which days, and are the fees' thresholds met?"""
    return opened(PatientDays, visit, wb)


def validate_file(visit: Visit, wb: Workbench | None = None) -> ValidateFile | Notice:
    """The page « Valider un fichier »: hand in an export, watch its run, see what it found."""
    return opened_upload(visit, wb)


def explorer(visit: Visit, wb: Workbench | None = None) -> Explore | Notice:
    """The page « Explorateur »: the results of a run, one by one."""
    return opened_explorer(visit, wb)
