"""Health insurance numbers where none belongs, in free text: found and masked. Pure, and the ground floor.

A number is 4 letters, then year and month, then day and 2 digits: whole or masked, in any case, written together, with
spaces or with hyphens. The schema guide's 12 digits are one too.
"""

import re

CARD_REDACTED = "[HEALTH-CARD-REDACTED]"
"""What stands for a number that was masked; the word is the schema guide's."""

# Neither a letter nor a digit before and after: a digest that holds such letters and digits is no number.
_START, _END = r"(?<![^\W_])", r"(?![^\W_])"
_GAP = r"[\s._-]{1,2}"
_DIGITS = r"[0-9Xx*]{4}"
# A word of four letters can stand before two years, as «PLAN 2024-2025».
_NO_YEAR = rf"(?!(?:19|20)[0-9]{{2}}){_DIGITS}"
# Year and month, the month + 50 for women; then the day.
_BORN = r"[0-9]{2}(?:0[1-9]|1[0-2]|5[1-9]|6[0-2])"
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])[0-9]{2}"
_CARD = re.compile(
    _START
    + "(?:"
    + "|".join(
        (
            rf"[A-Za-z]{{4}}{_DIGITS}[0-9]{{4}}",
            rf"[A-Z]{{4}}(?:{_GAP})?{_NO_YEAR}(?:{_GAP})?[0-9]{{4}}",
            rf"[A-Za-z]{{4}}\s{{1,2}}{_NO_YEAR}\s{{1,2}}[0-9]{{4}}",
            # In lower case a word and hours, as «jour 0800-1700», look alike: there the day of birth must be one.
            rf"[A-Za-z]{{4}}(?:{_GAP})?{_BORN}(?:{_GAP})?{_DAY}",
            # Neither the end of a UUID, nor decimals, nor a moment written without marks, as 202503041530.
            r"(?<!-[0-9A-Fa-f]{4}-)(?<![0-9][.,])(?!20[0-4][0-9][01][0-9]{7})[0-9]{12}(?![.,][0-9])",
        )
    )
    + ")"
    + _END
)

LIKE_CARD = r"(?i)[a-z]{4}[\s._-]{0,2}[0-9x*]{4}[\s._-]{0,2}[0-9]{4}|[0-9]{12}"
"""Finds every text in which `holds_card` could, and some more; for engines that cannot look around."""


def holds_card(text: str) -> bool:
    """Whether a health insurance number stands in the text."""
    return _CARD.search(text) is not None


def without_cards(text: str, instead: str = CARD_REDACTED) -> str:
    """The text with a mark for each health insurance number in it."""
    return _CARD.sub(instead, text)
