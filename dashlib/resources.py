"""Where the files beside the package lie: in a checkout next to it, in a wheel within it."""

from pathlib import Path
from typing import Literal

PACKAGE = Path(__file__).parent


def folder(name: Literal["notebooks", "dashboards", "migrations"]) -> Path:
    """The folder `name`, from the installed wheel (dashlib/share/…) or else from the checkout."""
    packed = PACKAGE / "share" / name
    return packed if packed.is_dir() else PACKAGE.parent / name
