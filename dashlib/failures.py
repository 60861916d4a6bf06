"""What a reader sees of a failure: a sentence and a reference; its type and the same reference go to the log."""

import logging
from uuid import uuid4

from dashlib import markup, texts
from dashlib.markup import Markup

log = logging.getLogger(__name__)


def failed(failure: Exception, lang: str) -> Markup:
    """The words for a part that failed. Nothing of the failure itself is shown or logged: it could hold a value."""
    reference = uuid4().hex[:6].upper()
    log.error("panel failed: %s, reference %s", type(failure).__name__, reference)
    advice = texts.text("page.failed.advice", lang, reference=reference)
    return markup.state("failed", texts.text("page.failed", lang), advice)
