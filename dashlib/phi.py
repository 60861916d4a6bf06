"""Pseudonyms: the same person always has the same one, under one installation's key, and nobody without it goes back.

Pure: the key is handed in. Where people work, a doctor is MÉD-… and a patient PAT-…; nothing else leaves by default.
"""

import hmac
from dataclasses import dataclass, field

import polars as pl

from dashlib.cards import LIKE_CARD, without_cards

NAMES = ("doctor_name", "patient_name")
# What is no number, no code and no time where one belongs may be anything, a name too.
NUMBER = r"^([#A-Za-z0-9_:./-]{1,15}|[A-Z][0-9][A-Z] [0-9][A-Z][0-9])$"
CODE = r"^[#A-Z0-9_:.]{1,12}$"
WORD = r"\pL{6}"  # contexts are shorter
MASKED = "***"


def _stands(name: str) -> pl.Expr:
    text = pl.col(name).str.strip_chars()
    return (text == "") | (text.str.contains(NUMBER) & text.str.contains(r"[0-9]"))


BELONGS = {
    **{name: _stands(name) for name in ("invoice", "facture", "id_ramq", "lieu_de_pratique")},
    **{name: _stands(name) | pl.col(name).str.contains(CODE) for name in ("code", "debut_illisible", "fin_illisible")},
    "element_de_contexte": ~pl.col("element_de_contexte").str.contains(WORD),
}
"""What may stand in a column of an export, where people look at it."""


@dataclass(frozen=True)
class Pseudonyms:
    """Keyed, deterministic stand-ins for identities (HMAC-SHA-256)."""

    key: bytes = field(repr=False)

    def doctors(self, doctors: pl.Series) -> pl.Series:
        """MÉD- and 10 hexadecimal digits for each doctor, null where there is none."""
        return self._stand_ins(doctors, "MÉD-", 10)

    def patients(self, patients: pl.Series) -> pl.Series:
        """PAT- and 16 hexadecimal digits for each patient, null where there is none."""
        return self._stand_ins(patients, "PAT-", 16)

    def fingerprints(self, texts: pl.Series) -> pl.Series:
        """32 hexadecimal digits that tell whether two texts are the same, and nothing else."""
        return self._stand_ins(texts, "", 32)

    @property
    def check_value(self) -> str:
        """What an installation keeps of its key, to know it again."""
        return self._hash("check", "dashlib")[:32]

    def redacted(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` with pseudonyms for `doctor` and `patient`, without names, and without health insurance numbers.

        Where a number, a code, a time or contexts belong and something else stands, that is masked.
        """
        stand_ins = {"doctor": self.doctors, "patient": self.patients}
        shown = frame.drop(NAMES, strict=False)
        shown = shown.with_columns(
            pl.when(stands).then(c).when(pl.col(c).is_not_null()).then(pl.lit(MASKED)).alias(c)
            for c, stands in BELONGS.items()
            if shown.schema.get(c) == pl.String
        )
        said = {c: _without_cards for c, kind in shown.schema.items() if kind == pl.String}
        return shown.with_columns(made(shown[c]).alias(c) for c, made in (said | stand_ins).items() if c in shown)

    def _stand_ins(self, column: pl.Series, prefix: str, digits: int) -> pl.Series:
        distinct = column.drop_nulls().unique()
        hashed = [prefix + self._hash(prefix, text)[:digits].upper() for text in distinct]
        return column.replace_strict(distinct, pl.Series(hashed, dtype=pl.String), default=None).alias(column.name)

    def _hash(self, kind: str, text: str) -> str:
        return hmac.digest(self.key, f"{kind}\0{text}".encode(), "sha256").hex()


def _without_cards(column: pl.Series) -> pl.Series:
    """Only the few texts that could hold a number are looked at closely."""
    like = column.filter(column.str.contains(LIKE_CARD)).unique()
    return column.replace(like, pl.Series(map(without_cards, like), dtype=pl.String)) if len(like) else column


def fingerprint_texts(results: pl.DataFrame) -> pl.Series:
    """What a result is about: rule, doctor, patient, date, invoice and code, with an ordinal for identical lines."""
    about = ["rule_id", "doctor", "patient", "date_service", "invoice", "code"]
    ordinal = pl.int_range(pl.len()).over(about, order_by="row_number")
    return results.select(
        pl.concat_str([*(pl.col(c).cast(pl.String).fill_null("") for c in about), ordinal], separator="\0")
    )[:, 0]
