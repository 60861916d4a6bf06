"""The sentence of a result, made from its rule's own words and what the rule counted. Pure; no identity in it."""

import re
from collections.abc import Callable, Mapping, Sequence

import polars as pl

from dashlib import texts
from dashlib.rules import Rule
from dashlib.rules.base import FACTS
from dashlib.rules.restrictions import WEEK

# What may be printed of an exported cell: a short code, and nothing in the form of a health card.
HARMLESS = r"^[#A-Z0-9_:.]{1,12}$"
MASKED = "***"
EXPORTED = ("value", "code", "debut", "fin", "establishment", "invoice", "other", "other_debut")
MONEY = ("amount", *(name.removesuffix("_cents") for name in FACTS if name.endswith("_cents")))
COUNTED = tuple(dict.fromkeys(name.removesuffix("_cents") for name in FACTS))
"""What rules tell of their counting, as messages name it."""
CARD = r"^([A-Z]{4}[0-9X*]{8}|[0-9]{12})$"


def with_facts(
    results: pl.DataFrame, lines: pl.DataFrame, doctors: Callable[[pl.Series], pl.Series] | None = None
) -> pl.DataFrame:
    """Results with what their messages may say of their line.

    Args:
        results: of `engine.find_results`.
        lines: of `records.prepare`.
        doctors: gives the doctors' pseudonyms; without it messages name no doctor.

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
    named = results["doctor"].clear(results.height) if doctors is None else doctors(results["doctor"])
    words = pl.struct(named.alias("doctor"), *_words(results))
    return results.with_columns(words=words).drop("debut", "fin", "place", "establishment", *FACTS)


def _words(results: pl.DataFrame) -> list[pl.Expr]:
    counted = [pl.col(name) for name in FACTS if name.removesuffix("_cents") not in (*MONEY, *EXPORTED)]
    return [
        *counted,
        *(_harmless(name) for name in EXPORTED),
        *(_money(name) for name in MONEY if name != "amount"),
        pl.col("date_service").alias("date"),
        pl.col("date_service").dt.year().alias("year"),
        *(pl.col(name) for name in ("place", "amount")),
    ]


def _money(name: str) -> pl.Expr:
    """CAD with its cents, where the fact is money; else the plain number of that name, if there is one."""
    cad = (pl.col(f"{name}_cents").cast(pl.Decimal(12, 2)) / 100).cast(pl.String)
    return (pl.coalesce(cad, pl.col(name).cast(pl.String)) if name in FACTS else cad).alias(name)


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
    """For each result, as JSON, what its rule counted and the facts that its messages use.

    Other languages are made from them, and the arithmetic of a *why*.
    """
    by_rule = {rule.name: rule for rule in rules}
    numbered = results.select("rule_id", "words").with_row_index("at").unnest("words")
    parts = []
    for (name,), part in numbered.partition_by("rule_id", as_dict=True).items():
        told = _used(by_rule.get(name)) | {fact for fact in COUNTED if part[fact].null_count() < part.height}
        facts = sorted(told & set(part.columns)) or ["code"]
        parts.append(part.select("at", details=pl.struct(pl.col(facts).cast(pl.String)).struct.json_encode()))
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


def filled(template: str, facts: Mapping[str, str | None], lang: str) -> str:
    """One sentence of a rule about one result, from its kept facts."""
    part = pl.DataFrame([facts], schema=dict.fromkeys(facts, pl.String))
    return str(part.select(_sentence(template, part, lang)).item())


def _used(rule: Rule | None) -> set[str]:
    """Words of a rule's messages, and `reason`, which tells which of its demands was not met."""
    every = (*rule.message.values(), *rule.solution.values()) if rule else ()
    return {word for text in every for word in re.findall(r"\{(\w+)\}", text)} | {"reason"}


def _template(rule: Rule | None, lang: str) -> str:
    if rule is None or not rule.message:
        return texts.words(lang)["result.plain"]  # a template: its words are filled in line by line
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
    if word in MONEY:
        said = _grouped(said, lang)
    if word in EXPORTED:
        said = said.replace(MASKED, texts.text("result.masked", lang))
    if word in TRANSLATED:
        said = TRANSLATED[word](said, lang)
    return said.fill_null("—")


def _grouped(said: pl.Expr, lang: str) -> pl.Expr:
    """1234.50 as 1 234,50 or 1,234.50."""
    if lang == "fr":
        said = said.str.replace(".", ",", literal=True)
    by = texts.NARROW if lang == "fr" else ","
    said = said.str.replace(r"^(-?\d{1,3})(\d{3})(\d{3})(\D|$)", f"${{1}}{by}${{2}}{by}${{3}}${{4}}")
    return said.str.replace(r"^(-?\d{1,3})(\d{3})(\D|$)", f"${{1}}{by}${{2}}${{3}}")


def _alternatives(said: pl.Expr, lang: str) -> pl.Expr:
    """15317 / 15318 as 15317 ou 15318."""
    return said.str.replace_all(" / ", texts.text("fact.or", lang), literal=True)


def _window(said: pl.Expr, lang: str) -> pl.Expr:
    """mon–fri 08:00–18:00 as lun.–ven. 08:00–18:00."""
    words = {word: texts.text(f"fact.window.{word}", lang) for word in (*WEEK, "holidays", "not")}
    return _alternatives(said.str.replace_many(words), lang)


def _reason(said: pl.Expr, lang: str) -> pl.Expr:
    """Which demand of a rule on office fees was not met."""
    return said.replace({why: texts.text(f"fact.reason.{why}", lang) for why in ("category", "count", "paid", "total")})


def _place(said: pl.Expr, lang: str) -> pl.Expr:
    return said.replace({place: texts.text(f"fact.place.{place}", lang) for place in ("cabinet", "etablissement")})


def _ages(said: pl.Expr, lang: str) -> pl.Expr:
    """≥ 80y as 80 ans ou plus; a number without such a unit is left as it is."""
    for sign, bound in (("≥", "least"), ("≤", "most"), ("<", "under")):
        said = said.str.replace_all(rf"{sign} (\d+[ymd])\b", texts.text(f"fact.range.{bound}", lang, age="${1}"))
    for unit in "ymd":
        for few in (0, 1):
            said = said.str.replace_all(rf"\b{few}{unit}\b", texts.plural(f"fact.age.{unit}", few, lang))
        said = said.str.replace_all(rf"(\d+){unit}\b", texts.text(f"fact.age.{unit}.other", lang, n="${1}"))
    return said


# Facts that are not words: how a reader's language says them.
TRANSLATED = {
    "missing": _alternatives,
    "codes": _alternatives,
    "suggested": _alternatives,
    "window": _window,
    "place": _place,
    "reason": _reason,
    "age": _ages,
    "range": _ages,
}
