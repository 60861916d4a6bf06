"""Sends a report's figures by mail: encrypted wherever the message leaves this machine.

Subject and text hold figures only, and no error quotes what the server answered, for it can quote an address.
"""

import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from ipaddress import ip_address
from mimetypes import guess_type
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dashlib.errors import MailFailed
from dashlib.settings import Settings

TIMEOUT_S = 30
PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True)
class Server:
    """A mail server: encrypted from the first word (`smtps`), or from STARTTLS on."""

    scheme: str
    host: str
    port: int
    user: str
    password: str

    @property
    def is_here(self) -> bool:
        """Whether what is sent to it stays on this machine."""
        with suppress(ValueError):
            return ip_address(self.host).is_loopback
        return self.host == "localhost"


def server_of(settings: Settings) -> Server:
    """The mail server of the settings.

    Raises:
        MailFailed: DL-MAIL-001, none is set, or nobody to write as; DL-MAIL-002, DASHLIB_SMTP_URL is no address.
    """
    if settings.smtp_url is None or settings.mail_from is None:
        raise MailFailed("DL-MAIL-001")
    try:
        parts = urlsplit(settings.smtp_url.get_secret_value())
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise MailFailed("DL-MAIL-002") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise MailFailed("DL-MAIL-002")
    return Server(parts.scheme, parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or ""))


def send(settings: Settings, to: Sequence[str], subject: str, body: str, files: Sequence[Path] = ()) -> None:
    """Sends one message to all readers; the files only where the settings allow it.

    Raises:
        MailFailed: DL-MAIL-001, DL-MAIL-002, as `server_of`; DL-MAIL-003, the server does not answer or refuses the
            message; DL-MAIL-004, it does not encrypt, so nothing was said to it; DL-MAIL-006, it takes the message for
            some readers only.
    """
    server = server_of(settings)
    message = _message(settings, to, subject, body, files if settings.mail_attachments else ())
    try:
        with _connected(server) as line:
            if server.user:
                line.login(server.user, server.password)
            refused = line.send_message(message)
    # Its own words name the readers.
    except (OSError, smtplib.SMTPException):
        raise MailFailed("DL-MAIL-003", host=server.host, port=server.port) from None
    if refused:  # by some readers' names: by all is a failure of its own
        raise MailFailed("DL-MAIL-006", refused=len(refused), readers=len(to))


def _message(settings: Settings, to: Sequence[str], subject: str, body: str, files: Sequence[Path]) -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["To"] = " ".join(subject.split()), ", ".join(to)
    message["From"], message["Date"], message["Message-ID"] = settings.mail_from, formatdate(), make_msgid("dashlib")
    message.set_content(body)
    for file in files:
        kind, _, detail = (guess_type(file.name)[0] or "application/octet-stream").partition("/")
        message.add_attachment(file.read_bytes(), maintype=kind, subtype=detail, filename=file.name)
    return message


def _connected(server: Server) -> smtplib.SMTP:
    safe = ssl.create_default_context()
    if server.scheme == "smtps":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=safe)
    line = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
    try:
        line.ehlo()
        if line.has_extn("starttls"):
            line.starttls(context=safe)
        elif not server.is_here:
            raise MailFailed("DL-MAIL-004", host=server.host)
    except BaseException:
        line.close()
        raise
    return line
