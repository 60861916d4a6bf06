"""Every environment variable that dashlib reads, once. Nothing else reads the environment."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from dashlib.errors import NotFound, UsageError


def _default_home() -> Path:
    # Source: XDG Base Directory Specification.
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "dashlib"


def _whole_path(path: str | Path) -> Path:
    return Path(path).expanduser().absolute()


FolderOrFile = Annotated[Path, BeforeValidator(_whole_path)]


class Settings(BaseSettings):
    """What the person who runs dashlib decided: where data lies, which database and cache, which language, which key.

    Each field is the variable DASHLIB_<FIELD>, but for `database_url` and `redis_url`, which are DATABASE_URL and
    REDIS_URL. An empty variable counts as not set.
    """

    model_config = SettingsConfigDict(
        env_prefix="DASHLIB_", env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    redis_url: SecretStr | None = Field(default=None, validation_alias="REDIS_URL")
    home: FolderOrFile = Field(default_factory=_default_home, validate_default=True)
    pg_bin: FolderOrFile | None = None  # PostgreSQL's programs, where the wheel's are not wanted
    lang: Literal["fr", "en"] = "fr"
    phi_key: SecretStr | None = None
    phi_key_file: FolderOrFile | None = None
    smtp_url: SecretStr | None = None
    mail_from: str | None = None
    mail_attachments: bool = False  # a report is for its readers' eyes, and mail passes many hands
    max_upload_mib: int = Field(default=64, ge=1)
    max_visitors: int = Field(default=20, ge=1)  # of the dashboards, at a time: their kernels fit into 4 GiB


def read_settings(env_file: Path | None = None) -> Settings:
    """The settings in force: the environment's, and for what it does not say, those of `env_file`.

    Raises:
        UsageError: DL-SET-001, naming the variables that hold something impossible.
        NotFound: DL-SET-002, no such file.
    """
    if env_file is not None and not env_file.is_file():
        raise NotFound("DL-SET-002", path=str(env_file))
    try:
        return Settings(_env_file=env_file)
    except ValidationError as refused:
        names = sorted({_variable(str(error["loc"][0])) for error in refused.errors(include_input=False)})
        raise UsageError("DL-SET-001", names=", ".join(names)) from None


def _variable(field: str) -> str:
    return field if field.isupper() else f"DASHLIB_{field.upper()}"
