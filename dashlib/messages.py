"""The sentence of a result, made from its rule's own words and what the rule counted. Pure; no identity in it."""

import re
from collections.abc import Sequence

import polars as pl

from dashlib import texts
from dashlib.rules import Rule
from dashlib.rules.base import FACTS

# What may be printed of an exported cell: a short code, and nothing in the form of a health card.
HARMLESS = r"^[#A-Z0-9_:.]{1,12}$"
MASKED = "***"
EXPORTED = ("value", "code", "debut", "fin", "establishment", "invoice", "other", "other_debut")
CARD = r"^([A-Z]{4}[0-9X*]{8}|[0-9]{12})$"


def with_facts(results: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Results with what their messages may say of their line.

    Args:
        results: of `engine.find_results`.
        lines: of `records.prepare`.

    Returns:
        (results, more): the results' columns, `invoice`, `code`, `date_service`, `doctor`, `patient` of the line, and
        `words`, a struct of every fact that a message may use, in whole units and as text.
    """
    line = lines.select(
        "row_number",
        "code",
        "doctor",
        "patient",
        "debut",
        "fin",
        "place",
        invoice="facture",
        date_service="date_de_service",
        establishment="lieu",
    )
    results = results.join(line, on="row_number", how="left", maintain_order="left")
    return results.with_columns(words=pl.struct(_words(results))).drop("debut", "fin", "place", "establishment", *FACTS)


def _words(results: pl.DataFrame) -> list[pl.Expr]:
    counted = [pl.col(name) for name in FACTS if not name.endswith("_cents") and name not in EXPORTED]
    return [
        *counted,
        *(_harmless(name) for name in EXPORTED),
        (pl.col("total_cents").cast(pl.Decimal(12, 2)) / 100).alias("total"),
        (pl.col("max_cents").cast(pl.Decimal(12, 2)) / 100).alias("max_amount"),
        pl.col("date_service").alias("date"),
        pl.col("date_service").dt.year().alias("year"),
        *(pl.col(name) for name in ("place", "amount")),
    ]


def _harmless(name: str) -> pl.Expr:
    """A cell's text where it is a short code; else a mark that stands for it."""
    text = pl.col(name)
    harmless = text.str.contains(HARMLESS) & ~text.str.contains(CARD)
    return pl.when(harmless | text.is_null()).then(text).otherwise(pl.lit(MASKED)).alias(name)


def messages(results: pl.DataFrame, rules: Sequence[Rule], lang: str) -> pl.Series:
    """One sentence a result, in the order of `results`.

    Args:
        results: (results, at least rule_id and words), as `with_facts` gives them or as they are read back.
        rules: the rules that ran; a result of a rule that has no words in `lang` gets a plain sentence.
        lang: fr or en.
    """
    by_rule = {rule.name: rule for rule in rules}
    numbered = results.select("rule_id", "words").with_row_index("at").unnest("words")
    said = [
        part.select("at", message=_sentence(_template(by_rule.get(name), lang), part, lang))
        for (name,), part in numbered.partition_by("rule_id", as_dict=True).items()
    ]
    empty = pl.DataFrame(schema={"at": pl.UInt32, "message": pl.String})
    return pl.concat([empty, *said]).sort("at")["message"]


def details(results: pl.DataFrame, rules: Sequence[Rule]) -> pl.Series:
    """For each result the facts that its rule's messages use, as JSON: what other languages are made from."""
    by_rule = {rule.name: rule for rule in rules}
    numbered = results.select("rule_id", "words").with_row_index("at").unnest("words")
    parts = []
    for (name,), part in numbered.partition_by("rule_id", as_dict=True).items():
        used = sorted(_used(by_rule.get(name)) & set(part.columns)) or ["code"]
        parts.append(part.select("at", details=pl.struct(pl.col(used).cast(pl.String)).struct.json_encode()))
    empty = pl.DataFrame(schema={"at": pl.UInt32, "details": pl.String})
    return pl.concat([empty, *parts]).sort("at")["details"]


def translated(results: pl.DataFrame, rules: Sequence[Rule], lang: str) -> pl.Series:
    """Kept results' sentences in another language than the French they were kept in.

    Args:
        results: (results, at least rule_id, message and details as JSON text).

    A result of a rule that is gone, or that has no words in `lang`, keeps its sentence.
    """
    by_rule = {rule.name: rule for rule in rules if lang in rule.message}
    numbered = results.select("rule_id", "message", "details").with_row_index("at")
    parts = [numbered.select("at", "message").clear()]
    for (name,), part in numbered.partition_by("rule_id", as_dict=True).items():
        rule = by_rule.get(str(name))
        if rule is not None:
            facts = pl.Struct(dict.fromkeys(sorted(_used(rule)), pl.String))
            part = part.with_columns(pl.col("details").str.json_decode(facts)).unnest("details")
            part = part.with_columns(message=_sentence(rule.message[lang], part.drop("message"), lang))
        parts.append(part.select("at", "message"))
    return pl.concat(parts).sort("at")["message"]


def _used(rule: Rule | None) -> set[str]:
    """Words of a rule's messages, and `reason`, which tells which of its demands was not met."""
    every = (*rule.message.values(), *rule.solution.values()) if rule else ()
    return {word for text in every for word in re.findall(r"\{(\w+)\}", text)} | {"reason"}


def _template(rule: Rule | None, lang: str) -> str:
    if rule is None or not rule.message:
        return texts.text("result.plain", lang)
    return rule.message.get(lang) or next(iter(rule.message.values()))


def _sentence(template: str, part: pl.DataFrame, lang: str) -> pl.Expr:
    words = re.findall(r"\{(\w+)\}", template)
    pattern = re.sub(r"\{\w+\}", "{}", template)
    if not words:
        return pl.lit(template)
    return pl.format(pattern, *(_said(word, part.schema, lang) for word in words))


def _said(word: str, schema: pl.Schema, lang: str) -> pl.Expr:
    if word not in schema:
        return pl.lit("—")
    said = pl.col(word).cast(pl.String)
    if schema[word].is_decimal() and lang == "fr":
        said = said.str.replace(".", ",", literal=True)
    if word in EXPORTED:
        said = said.replace(MASKED, texts.text("result.masked", lang))
    return said.fill_null("—")
