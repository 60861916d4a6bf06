"""Documented views for SQL of one's own, and the one way to ask them

People write SQL in notebooks. PostgreSQL answers it in the name of `dashlib_reader`, who may read these views and
nothing else: `ask` is a function of that role, and inside a function nobody takes another role, ends the transaction,
or writes where it was made to read only. No view holds an identity. Views of lines show a run's owner its own; views
of roll-ups are for everybody who is let in.
"""

from alembic import op

revision = "0010_sql_views"
down_revision = "0009_followup"
branch_labels = None
depends_on = None

# Who sees lines is decided in `seen_runs` alone. The functions are asked once in each statement, not for each row.
SCHEMA = """
CREATE SCHEMA dashlib_views AUTHORIZATION dashlib_reader;

CREATE FUNCTION dashlib_views.acting_role() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT role FROM users WHERE id = acting_user() AND role <> 'pending'
$$;

CREATE FUNCTION dashlib_views.seen_runs() RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT coalesce(array_agg(id), '{}') FROM validation_runs
  WHERE user_id = acting_user() AND dashlib_views.acting_role() IS NOT NULL
$$;

-- A health insurance number that stands in the wrong column of an export.
CREATE FUNCTION dashlib_views.without_card(written text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN written !~* '[a-z]{4}[\\s._-]{0,2}[0-9x*]{4}[\\s._-]{0,2}[0-9]{4}|[0-9]{12}' THEN written END
$$;
"""

OWN_LINES = "= ANY ((SELECT dashlib_views.seen_runs())::uuid[])"
FOR_ALL = "(SELECT dashlib_views.acting_role()) IS NOT NULL"

# Name, what it is in French and English, and its question.
VIEWS = {
    "v_runs": (
        "Vos exécutions, une ligne chacune. Les décomptes sont ceux de l’exécution, constats écartés compris.",
        "Your runs, a row each. Counts are the run’s own, with the results that were set aside.",
        f"""
        SELECT number AS run, status, error_code, run_date, created_at, completed_at, line_count, record_count,
          rejected_count, error_count, warning_count, info_count, lines_in_error, lines_in_warning, at_risk, to_repay,
          gain
        FROM validation_runs WHERE id {OWN_LINES}
        """,
    ),
    "v_results": (
        "Les constats de vos exécutions, un par ligne, sans patient ni médecin.",
        "The results of your runs, a row each, without patient or doctor.",
        f"""
        SELECT r.number AS run, f.number, f.rule_id, f.rule_version, f.severity, f.category, f.date_service,
          f.lieu_de_pratique, dashlib_views.without_card(f.code) AS code,
          dashlib_views.without_card(f.invoice) AS invoice, f.row_number, f.is_paid, f.amount, f.at_risk, f.to_repay,
          f.gain, a.reason AS acknowledged, dashlib_views.without_card(f.message) AS message
        FROM validation_results AS f
        JOIN validation_runs AS r ON r.id = f.validation_run_id
        LEFT JOIN result_acknowledgements AS a ON a.user_id = r.user_id AND a.fingerprint = f.fingerprint
          AND a.line_mark = f.line_mark AND a.revoked_at IS NULL
          AND coalesce(a.until, 'infinity') >= (now() AT TIME ZONE 'America/Toronto')::date
        WHERE f.validation_run_id {OWN_LINES}
        """,
    ),
    "v_run_rules": (
        "Ce que chaque règle a examiné dans vos exécutions.",
        "What each rule looked at in your runs.",
        f"""
        SELECT r.number AS run, j.rule_id, j.rule_version, j.lines_checked, j.lines_skipped, j.results
        FROM run_rules AS j JOIN validation_runs AS r ON r.id = j.validation_run_id
        WHERE j.validation_run_id {OWN_LINES}
        """,
    ),
    "v_days": (
        "Les journées qui comptent, par médecin (pseudonyme) et lieu : lignes, factures, argent, comme aux tableaux "
        "de bord. Pour les patients, voir v_doctor_days et v_dates, car ils ne s’additionnent pas d’un lieu à l’autre.",
        "The days that count, by doctor (pseudonym) and place: lines, invoices, money, as on the dashboards. For "
        "patients see v_doctor_days and v_dates, for they do not add up from place to place.",
        f"""
        SELECT d.date_de_service, d.doctor, d.lieu_de_pratique, r.number AS run, d.lines, d.lines_in_error,
          d.lines_in_warning, d.invoices, d.clean_invoices, d.at_risk, d.to_repay, d.gain
        FROM rollup_days AS d JOIN validation_runs AS r ON r.id = d.validation_run_id
        WHERE d.in_force AND {FOR_ALL}
        """,
    ),
    "v_doctor_days": (
        "Les patients d’une journée d’un médecin (pseudonyme), tous lieux réunis, chacun compté une fois.",
        "The patients of a doctor’s day (pseudonym), over all places, each counted once.",
        f"""
        SELECT date_de_service, doctor, patients, patients_paid, registered, registered_paid, walk_in, walk_in_paid
        FROM rollup_doctor_days WHERE in_force AND {FOR_ALL}
        """,
    ),
    "v_dates": (
        "Les patients d’une date, tous médecins réunis.",
        "The patients of a date, over all doctors.",
        f"""
        SELECT date_de_service, doctors, patients, registered, registered_paid, walk_in, walk_in_paid, is_exact
        FROM rollup_dates WHERE {FOR_ALL}
        """,
    ),
    "v_rules_found": (
        "Ce que chaque règle a trouvé dans une journée qui compte, par médecin (pseudonyme) et lieu ; ouvert.",
        "What each rule found in a day that counts, by doctor (pseudonym) and place; open results.",
        f"""
        SELECT date_de_service, doctor, lieu_de_pratique, rule_id, severity, category, results, lines, invoices,
          amount, at_risk, to_repay, gain, acknowledged AS set_aside
        FROM rollup_rules WHERE in_force AND {FOR_ALL}
        """,
    ),
    "v_missing_contexts": (
        "Par exécution terminée et par code, les lignes auxquelles manque un élément de contexte.",
        "For each completed run and code, the lines that lack a context element.",
        f"""
        SELECT r.number AS run, c.code, c.context, c.lines
        FROM rollup_contexts AS c JOIN validation_runs AS r ON r.id = c.validation_run_id
        WHERE r.status = 'completed' AND {FOR_ALL}
        """,
    ),
    "v_rules": (
        "Les règles en vigueur.",
        "The rules in force.",
        f"""
        SELECT name AS rule_id, label ->> 'fr' AS label_fr, label ->> 'en' AS label_en, category,
          condition ->> 'type' AS type, severity, threshold, enabled, version AS rule_version, source, confidence,
          valid_from, valid_to
        FROM rules WHERE active AND {FOR_ALL}
        """,
    ),
    "v_codes": (
        "Les codes de facturation publiés ; un code a plusieurs lignes, par lieu, rôle, genre et validité.",
        "The published billing codes; a code has several rows, by place, role, kind and validity.",
        f"""
        SELECT code, description, tariff_value, place, role, kind, section, valid_from, valid_to, source, trusted
        FROM codes WHERE active AND {FOR_ALL}
        """,
    ),
    "v_contexts": (
        "Les éléments de contexte.",
        "The context elements.",
        f"SELECT context, description, aliases, kind, source FROM contexts WHERE active AND {FOR_ALL}",
    ),
    "v_establishments": (
        "Les lieux de pratique.",
        "The places of practice.",
        f"SELECT code, name, city, region FROM establishments WHERE active AND {FOR_ALL}",
    ),
}

# A column means the same wherever it stands, but for those that name their view.
COLUMNS = {
    "acknowledged": ("motif, si le constat est écarté aujourd’hui", "the reason, if the result is set aside today"),
    "aliases": ("autres graphies", "other spellings"),
    "amount": ("montant en cause, en dollars", "the amount concerned, CAD"),
    "at_risk": ("à risque : lignes impayées en erreur, en dollars", "at risk: unpaid lines in error, CAD"),
    "category": (
        "catégorie de la règle ; opportunity est un gain possible",
        "the rule’s category; opportunity is a gain",
    ),
    "city": ("ville", "city"),
    "clean_invoices": ("factures sans erreur", "invoices without error"),
    "code": ("code de facturation, cinq chiffres", "billing code, five digits"),
    "v_establishments.code": ("numéro du lieu, cinq chiffres", "the place’s number, five digits"),
    "completed_at": ("fin (UTC)", "when it ended (UTC)"),
    "confidence": ("confiance dans la lecture du manuel : high, medium, low", "how surely the manual was read"),
    "context": ("élément de contexte", "context element"),
    "created_at": ("création (UTC)", "when it was made (UTC)"),
    "date_de_service": ("date de service", "service date"),
    "date_service": ("date de service", "service date"),
    "description": ("libellé", "description"),
    "doctor": ("pseudonyme du médecin, MÉD-…", "the doctor’s pseudonym, MÉD-…"),
    "doctors": ("médecins", "doctors"),
    "enabled": ("la règle est appliquée", "the rule is applied"),
    "error_code": ("code de l’échec, DL-…", "the code of its failure, DL-…"),
    "error_count": ("constats d’erreur", "results that are errors"),
    "gain": ("gain possible, en dollars", "possible gain, CAD"),
    "info_count": ("constats d’information", "results that are information"),
    "invoice": ("numéro de facture", "invoice number"),
    "invoices": ("factures", "invoices"),
    "is_exact": (
        "chaque patient compté une fois ; sinon, une fois par médecin",
        "each patient once; else once a doctor",
    ),
    "is_paid": ("la ligne est payée", "the line is paid"),
    "kind": ("genre", "kind"),
    "label_en": ("nom en anglais", "name in English"),
    "label_fr": ("nom en français", "name in French"),
    "lieu_de_pratique": (
        "lieu de pratique ; vide si la ligne n’en nomme pas",
        "place; empty where the line names none",
    ),
    "line_count": ("lignes du fichier", "lines of the file"),
    "lines": ("lignes", "lines"),
    "lines_checked": ("lignes examinées", "lines looked at"),
    "lines_in_error": ("lignes avec une erreur", "lines with an error"),
    "lines_in_warning": ("lignes avec un avertissement", "lines with a warning"),
    "lines_skipped": ("lignes qui ne pouvaient être jugées", "lines that could not be judged"),
    "message": ("phrase, en français", "the sentence, in French"),
    "name": ("nom", "name"),
    "number": ("numéro du constat dans l’exécution : 418:37 est run 418, number 37", "the result’s number in its run"),
    "patients": ("patients distincts", "distinct patients"),
    "patients_paid": ("dont au moins une ligne est payée", "of whom a line is paid"),
    "place": ("lieu où le tarif vaut", "where the tariff holds"),
    "record_count": ("lignes lues", "lines that were read"),
    "region": ("région", "region"),
    "registered": ("patients inscrits", "registered patients"),
    "registered_paid": ("patients inscrits dont une ligne est payée", "registered patients of whom a line is paid"),
    "rejected_count": ("lignes rejetées", "rejected lines"),
    "results": ("constats", "results"),
    "role": ("rôle", "role"),
    "row_number": ("rang de la ligne dans l’export", "the line’s rank in the export"),
    "rule_id": ("règle", "rule"),
    "rule_version": ("version de la règle", "the rule’s version"),
    "run": ("numéro de l’exécution", "the run’s number"),
    "run_date": ("jour auquel on a jugé", "the day as of which it judged"),
    "section": ("chapitre du manuel", "the manual’s chapter"),
    "set_aside": ("constats écartés, comptés ici seulement", "results set aside, counted here alone"),
    "severity": ("gravité : error, warning, info", "severity: error, warning, info"),
    "source": ("source", "source"),
    "status": ("état : pending, processing, completed, failed", "status: pending, processing, completed, failed"),
    "tariff_value": ("tarif, en dollars", "tariff, CAD"),
    "threshold": ("seuil", "threshold"),
    "to_repay": ("à rembourser : lignes payées en erreur, en dollars", "to repay: paid lines in error, CAD"),
    "trusted": ("publié, et non de la liste de départ", "published, not of the starter"),
    "type": ("type de règle", "rule type"),
    "valid_from": ("premier jour ; vide : toujours", "first day; empty: always"),
    "valid_to": ("dernier jour ; vide : toujours", "last day; empty: always"),
    "walk_in": ("patients sans rendez-vous", "walk-in patients"),
    "walk_in_paid": ("patients sans rendez-vous dont une ligne est payée", "walk-in patients of whom a line is paid"),
    "warning_count": ("constats d’avertissement", "results that are warnings"),
}

# One SELECT, for a cursor takes no other and no second; read only, for the function is STABLE. What the statement is
# given stands in `given`, never in its text. The caller says which columns come back.
ASK = """
CREATE FUNCTION dashlib_views.ask(statement text, given jsonb, most integer) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, dashlib_views, pg_temp AS $$
DECLARE
  answer record;
  shown integer := 0;
BEGIN
  FOR answer IN EXECUTE statement USING given LOOP
    EXIT WHEN shown >= most;
    shown := shown + 1;
    RETURN NEXT answer;
  END LOOP;
END $$;
ALTER FUNCTION dashlib_views.ask(text, jsonb, integer) OWNER TO dashlib_reader;
"""

# `ask` is for the library, which opens the transaction; what the views call is for whoever reads them.
GRANTS = """
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA dashlib_views FROM PUBLIC;
GRANT USAGE ON SCHEMA dashlib_views TO dashlib_app;
GRANT EXECUTE ON FUNCTION dashlib_views.ask(text, jsonb, integer) TO dashlib_app;
GRANT EXECUTE ON FUNCTION dashlib_views.acting_role(), dashlib_views.seen_runs(), dashlib_views.without_card(text)
  TO dashlib_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA dashlib_views TO dashlib_reader;
"""


def upgrade() -> None:
    op.execute(SCHEMA)
    for name, (french, english, question) in VIEWS.items():
        # What somebody asks of a row is not computed before it is known whether he sees the row.
        op.execute(f"CREATE VIEW dashlib_views.{name} WITH (security_barrier) AS {question}")
        op.execute(f"COMMENT ON VIEW dashlib_views.{name} IS '{french}\n{english}'")
        for column in columns(name):
            said = COLUMNS.get(f"{name}.{column}") or COLUMNS[column]
            op.execute(f"COMMENT ON COLUMN dashlib_views.{name}.{column} IS '{said[0]}\n{said[1]}'")
    op.execute(ASK)
    op.execute(GRANTS)


def columns(view: str) -> list[str]:
    found = op.get_bind().exec_driver_sql(
        f"SELECT attname FROM pg_attribute WHERE attrelid = 'dashlib_views.{view}'::regclass AND attnum > 0"
    )
    return list(found.scalars())


def downgrade() -> None:
    op.execute("DROP SCHEMA dashlib_views CASCADE")
