"""What the demo plants: one small story for each rule, told in lines, one of which the rule reports.

A story has patients of its own, so that it meets no other line of theirs. Most stories happen in the evening of a day
that the doctor works; those that a rule judges by doctor and day get a day that he does not.
"""

from dashlib.demo.cases.amounts import AMOUNTS
from dashlib.demo.cases.cells import CELLS
from dashlib.demo.cases.frequency import FREQUENCY
from dashlib.demo.cases.limits import LIMITS
from dashlib.demo.cases.office import OFFICE
from dashlib.demo.cases.required import REQUIRED
from dashlib.demo.cases.story import Case, Needs
from dashlib.demo.cases.together import TOGETHER

__all__ = ["CASES", "Case", "Needs"]

CASES: tuple[Case, ...] = (*OFFICE, *FREQUENCY, *TOGETHER, *REQUIRED, *LIMITS, *AMOUNTS, *CELLS)
