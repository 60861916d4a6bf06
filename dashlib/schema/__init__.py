"""The tables of the database: columns, keys and constraints. Questions are asked elsewhere.

A migration and this package must say the same; `tests/integration/test_migrations.py` compares them.
"""

from dashlib.schema.base import PARTITION, PARTITIONED, Base
from dashlib.schema.billing import BillingRecord, File, RejectedRecord
from dashlib.schema.people import AuditEvent, Installation, User
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
from dashlib.schema.rollups import RollupContext, RollupDay, RollupDoctorDay, RollupRule, RollupRunDay
from dashlib.schema.runs import ResultAcknowledgement, RunLease, RunRule, ValidationLog, ValidationResult, ValidationRun

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
    "ResultAcknowledgement",
    "RollupContext",
    "RollupDay",
    "RollupDoctorDay",
    "RollupRule",
    "RollupRunDay",
    "RuleEntry",
    "RuleVersion",
    "RunLease",
    "RunRule",
    "User",
    "ValidationLog",
    "ValidationResult",
    "ValidationRun",
]
