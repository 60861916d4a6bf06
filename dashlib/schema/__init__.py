"""The tables of the database: columns, keys and constraints. Questions are asked elsewhere.

A migration and this package must say the same; `tests/integration/test_migrations.py` compares them.
"""

from dashlib.schema.base import PARTITION, PARTITIONED, Base
from dashlib.schema.billing import BillingRecord, File, RejectedRecord
from dashlib.schema.followups import ResultFollowup
from dashlib.schema.people import AuditEvent, Installation, SavedView, User
from dashlib.schema.reference import (
    Code,
    ContextElement,
    Establishment,
    Holiday,
    ReferenceRevision,
    ReferenceState,
    RuleEntry,
    RuleVersion,
)
from dashlib.schema.rollups import (
    RollupChange,
    RollupContext,
    RollupDate,
    RollupDay,
    RollupDoctorDay,
    RollupDoctorSpan,
    RollupRule,
    RollupRuleSpan,
    RollupRunDay,
    RollupWeek,
)
from dashlib.schema.runs import ResultAcknowledgement, RunLease, RunRule, ValidationLog, ValidationResult, ValidationRun
from dashlib.schema.schedules import ReportRun, Schedule

__all__ = [
    "PARTITION",
    "PARTITIONED",
    "AuditEvent",
    "Base",
    "BillingRecord",
    "Code",
    "ContextElement",
    "Establishment",
    "File",
    "Holiday",
    "Installation",
    "ReferenceRevision",
    "ReferenceState",
    "RejectedRecord",
    "ReportRun",
    "ResultAcknowledgement",
    "ResultFollowup",
    "RollupChange",
    "RollupContext",
    "RollupDate",
    "RollupDay",
    "RollupDoctorDay",
    "RollupDoctorSpan",
    "RollupRule",
    "RollupRuleSpan",
    "RollupRunDay",
    "RollupWeek",
    "RuleEntry",
    "RuleVersion",
    "RunLease",
    "RunRule",
    "SavedView",
    "Schedule",
    "User",
    "ValidationLog",
    "ValidationResult",
    "ValidationRun",
]
