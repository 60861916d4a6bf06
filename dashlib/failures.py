"""What a reader sees of a failure: a sentence and a reference; its type and the same reference go to the log."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from dashlib import markup, texts
from dashlib.errors import DashError
from dashlib.markup import Markup

log = logging.getLogger(__name__)


def reported(failure: Exception) -> str:
    """The reference under which the log has a failure: its type and no more, for the rest could hold a value."""
    found_by = reference()
    log.error("panel failed: %s, reference %s", type(failure).__name__, found_by)
    return found_by


def reference() -> str:
    """Six characters by which a failure that a reader tells of is found in the log."""
    return uuid4().hex[:6].upper()


def failed(failure: Exception, lang: str) -> Markup:
    """The words for a part that failed, with its reference."""
    advice = texts.text("page.failed.advice", lang, reference=reported(failure))
    return markup.state("failed", texts.text("page.failed", lang), advice)


@contextmanager
def shielded(show: Callable[[str], None], lang: str, *, refusal: Callable[[str], str] | None = None) -> Iterator[None]:
    """What a user can mend is shown in its own words, as `refusal` writes them; else only the kind is logged."""
    with texts.speaking("en" if lang == "en" else "fr"):
        try:
            yield
        except DashError as refused:
            show(refusal(str(refused)) if refusal else markup.state("failed", str(refused)))
        except Exception as failure:  # noqa: BLE001 - a kernel would show a traceback, with values in it
            show(failed(failure, lang))
