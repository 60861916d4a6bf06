"""What a page should say, asked of the lines and results themselves by plain SQL; never of the roll-ups."""

from dataclasses import dataclass, field
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib.metrics import Scope
from dashlib.workbench import Workbench

DOCTORS = "CREATE TABLE truth_doctors (doctor text PRIMARY KEY, pseudonym text)"
RESULTS = """
CREATE TABLE truth_results AS
SELECT validation_run_id AS run, row_number AS line, rule_id AS rule, severity, category, amount, fingerprint,
  EXISTS (SELECT FROM result_acknowledgements AS said
          WHERE said.fingerprint = found.fingerprint AND said.line_mark = found.line_mark
            AND said.revoked_at IS NULL) AS aside
FROM validation_results AS found
"""
LINES = """
CREATE TABLE truth_lines AS
WITH mine AS (
  SELECT b.*, run.number, coalesce(called.pseudonym, '') AS who,
    CASE WHEN lieu_de_pratique ~ '^[0-9]{1,5}$' THEN lpad(lieu_de_pratique, 5, '0') ELSE '' END AS place
  FROM billing_records AS b JOIN validation_runs AS run ON run.id = b.validation_run_id
  LEFT JOIN truth_doctors AS called ON called.doctor = b.doctor
  WHERE run.status = 'completed'
), held AS (
  SELECT who, date_de_service, max(number) AS number FROM mine GROUP BY who, date_de_service
), back AS (
  SELECT validation_run_id AS run, row_number - 1 AS line FROM mine WHERE montant_paye < 0
)
SELECT validation_run_id AS run, number, row_number AS line, date_de_service AS day,
  date_trunc('week', date_de_service)::date AS week, who AS doctor, place, patient, facture, code,
  montant_paye > 0 AS paid, montant_preliminaire AS preliminary, montant_paye AS paid_amount,
  coalesce(upper(element_de_contexte) ~ '(^|[^A-Z0-9])(G160|AR)($|[^A-Z0-9])', false) AS walk_in,
  montant_paye < 0 OR (validation_run_id, row_number) IN (SELECT run, line FROM back) AS reversed
FROM mine JOIN held USING (who, date_de_service, number)
"""
FOUND = """
CREATE TABLE truth_found AS
SELECT rule, severity, category, amount, aside, lines.*
FROM truth_results AS found JOIN truth_lines AS lines USING (run, line)
"""
IN_SCOPE = """
  day BETWEEN :since AND :until AND (:every_place OR place = ANY (:places))
  AND (:every_doctor OR doctor = ANY (:doctors))
"""
LOOKED_AT = f"""
WITH every AS (
  SELECT * FROM truth_found WHERE {IN_SCOPE}
), found AS (
  SELECT * FROM every WHERE NOT aside AND :rule IN ('', rule)
), lines AS (
  SELECT *, (run, line) IN (SELECT run, line FROM found WHERE severity = 'error') AS error,
    (run, line) IN (SELECT run, line FROM found WHERE severity = 'warning') AS warning,
    (run, line) IN (SELECT run, line FROM found WHERE severity = 'info') AS info
  FROM truth_lines WHERE {IN_SCOPE}
), wrong AS (
  SELECT run, facture FROM truth_found
  WHERE severity = 'error' AND NOT aside AND :rule IN ('', rule) AND facture IS NOT NULL
), invoices AS (
  SELECT *, (run, facture) NOT IN (SELECT run, facture FROM wrong) AS clean
  FROM (SELECT DISTINCT ON (run, facture) * FROM truth_lines WHERE facture IS NOT NULL ORDER BY run, facture, line) AS f
  WHERE {IN_SCOPE}
), rule_lines AS (
  SELECT DISTINCT ON (rule, severity, run, line) * FROM found ORDER BY rule, severity, run, line
), rules AS (
  SELECT rule, severity, place, doctor, day, week,
    CASE WHEN severity = 'error' AND NOT paid AND NOT reversed THEN greatest(preliminary, 0.00) ELSE 0.00 END AS at_risk,
    CASE WHEN severity = 'error' AND paid AND NOT reversed THEN paid_amount ELSE 0.00 END AS to_repay,
    (SELECT sum(CASE WHEN category = 'opportunity' THEN amount ELSE 0.00 END) FROM found
     WHERE found.rule = rule_lines.rule AND found.severity = rule_lines.severity
       AND found.run = rule_lines.run AND found.line = rule_lines.line) AS gain,
    (SELECT count(*) FROM found WHERE found.rule = rule_lines.rule AND found.severity = rule_lines.severity
       AND found.run = rule_lines.run AND found.line = rule_lines.line) AS results
  FROM rule_lines
), visits AS (
  SELECT day, week, doctor, CASE WHEN :every_place THEN '' ELSE place END AS place, patient,
    bool_or(walk_in) AS walk_in, bool_or(paid) AS paid
  FROM lines WHERE patient IS NOT NULL GROUP BY 1, 2, 3, 4, 5
)
"""


@dataclass
class Truth:
    """Lines and results in force, frozen as they are; asked of a scope."""

    wb: Workbench
    where: dict[str, Any] = field(default_factory=dict)

    def freeze(self) -> None:
        with self.wb.database.owner() as connection:
            connection.execute(sa.text(DOCTORS))
            doctors = connection.execute(
                sa.text("SELECT DISTINCT doctor FROM billing_records WHERE doctor IS NOT NULL")
            )
            named = pl.Series([doctor for [doctor] in doctors], dtype=pl.String)
            pairs = zip(named, self.wb.pseudonyms.doctors(named), strict=True)
            rows = [{"doctor": doctor, "pseudonym": pseudonym} for doctor, pseudonym in pairs]
            connection.execute(sa.text("INSERT INTO truth_doctors VALUES (:doctor, :pseudonym)"), rows)
            for made in (RESULTS, LINES, FOUND, "ANALYZE truth_found", "ANALYZE truth_lines"):
                connection.execute(sa.text(made))

    def of(self, scope: Scope) -> "Truth":
        chosen = {"places": list(scope.places), "doctors": list(scope.doctors), "rule": scope.rule or ""}
        everything = {"every_place": not scope.places, "every_doctor": not scope.doctors}
        return Truth(self.wb, {"since": scope.since, "until": scope.until} | chosen | everything)

    def without_rule(self) -> "Truth":
        return Truth(self.wb, self.where | {"rule": ""})

    def rows(self, question: str, **more: Any) -> list[tuple[Any, ...]]:
        with self.wb.database.owner() as connection:
            rows = connection.execute(sa.text(LOOKED_AT + question), self.where | more)
            return [tuple(row) for row in rows]

    def row(self, question: str, **more: Any) -> tuple[Any, ...]:
        [row] = self.rows(question, **more)
        return row

    def written(self, question: str, **more: Any) -> list[tuple[str, ...]]:
        """The rows as a file of a page writes them."""
        return [tuple("" if cell is None else str(cell) for cell in row) for row in self.rows(question, **more)]
