from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import polars as pl
import pytest

from dashlib.engine import find_results
from dashlib.records import prepare
from dashlib.rules import shipped_rules
from dashlib.starter import starter_reference
from tests.rulebook import Example, codes, examples, records
from tests.tables import RUN_DATE

RULES = {rule.name: rule.model_copy(update={"enabled": True}) for rule in shipped_rules()}
EXAMPLES = examples()
ALONE = ("file", "establishment")
PLACES = pl.DataFrame({"code": ["54999", "00123", "55999"], "flags": [[], [], ["gmf"]]})
STARTER = starter_reference(RUN_DATE)
CODES = pl.concat([STARTER.codes, codes()], how="diagonal")
REFERENCE = replace(STARTER, establishments=PLACES, codes=CODES)


def reported_by(rules: Iterable[str], some: list[Example]) -> set[tuple[str, int]]:
    found = find_results(prepare(records(some)), [RULES[name] for name in rules], REFERENCE)
    return set(found.results.select("rule_id", "row_number").iter_rows())


@pytest.fixture(scope="module")
def reported_together() -> set[tuple[str, int]]:
    return reported_by(RULES, EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.rule}-{example.kind}")
def test_a_shipped_rule_reports_the_lines_it_must_and_no_others(example, reported_together):
    alone = RULES[example.rule].condition.scope in ALONE
    found = reported_by([example.rule], [example]) if alone else reported_together
    lines = range(1, len(example.rows) + 1)
    assert [n for n in lines if (example.rule, example.before + n) in found] == example.reported, example.drawn
    assert (example.kind == "fires") == bool(example.reported)


@pytest.mark.parametrize("name", RULES)
def test_every_shipped_rule_has_a_case_that_fires_and_one_that_does_not(name):
    kinds = Counter(example.kind for example in EXAMPLES if example.rule == name)
    assert kinds["fires"]
    assert kinds["silent"]
