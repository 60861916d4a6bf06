import socket
import ssl
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from pydantic import SecretStr

from dashlib import delivery, mailing, schedules
from dashlib.errors import MailFailed
from dashlib.periodicals import Written
from dashlib.schema import Schedule
from dashlib.settings import Settings

FIGURES = "Facturation, 3 – 9 mars 2025 : 2,6 % d’erreurs, 49,15 $ à risque"


class Mailbox:
    def __init__(self):
        self.received = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.received.append((envelope.rcpt_tos, message, session.ssl is not None))
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address.startswith("gone"):
            return f"550 no such reader {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"


class Here(Controller):
    def factory(self):
        options = dict(self.SMTP_kwargs) | {
            "authenticator": lambda *given: AuthResult(success=given[-1].password == b"s3cret")
        }
        return SMTP(self.handler, **options)


@pytest.fixture
def listening():
    """Starts a mail server on this machine."""
    started = []

    def start(**options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = Here(Mailbox(), hostname="127.0.0.1", port=port, **options)
        server.start()
        started.append(server)
        return SimpleNamespace(port=port, received=server.handler.received)

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """A certificate of this machine, which this process trusts."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    asked = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(("openssl", *asked.split(), "-keyout", key, "-out", cert), check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def settings(url, **more):
    return Settings(DATABASE_URL=None, smtp_url=SecretStr(url), mail_from="dashlib@clinique.example", **more)


def test_a_message_of_figures_reaches_all_readers(listening):
    server = listening()
    mailing.send(settings(f"smtp://127.0.0.1:{server.port}"), ["a@b.ca", "c@d.ca"], FIGURES, "À risque : 49,15 $\n")
    [(readers, message, _)] = server.received
    assert readers == ["a@b.ca", "c@d.ca"]
    assert (message["Subject"], message["From"]) == (FIGURES, "dashlib@clinique.example")
    assert message.get_content().replace("\r\n", "\n") == "À risque : 49,15 $\n"


def test_a_message_that_some_readers_did_not_get_is_not_called_sent(listening):
    server = listening()
    with pytest.raises(MailFailed, match=r"DL-MAIL-006.*1 .*2") as failed:
        mailing.send(settings(f"smtp://127.0.0.1:{server.port}"), ["a@b.ca", "gone@b.ca"], FIGURES, "…")
    assert "gone@" not in str(failed.value)
    assert len(server.received) == 1


@pytest.mark.parametrize(("allowed", "names"), [(False, []), (True, ["rapport.html"])])
def test_files_go_with_it_only_where_the_settings_say_so(listening, tmp_path, allowed, names):
    (tmp_path / "rapport.html").write_text("<p>…</p>")
    server = listening()
    here = settings(f"smtp://127.0.0.1:{server.port}", mail_attachments=allowed)
    mailing.send(here, ["a@b.ca"], FIGURES, "…", [tmp_path / "rapport.html"])
    assert [part.get_filename() for part in server.received[0][1].iter_attachments()] == names


def test_nothing_is_said_to_a_server_elsewhere_that_does_not_encrypt(listening, monkeypatch):
    monkeypatch.setattr(mailing.Server, "is_here", False)
    server = listening()
    with pytest.raises(MailFailed, match="DL-MAIL-004"):
        mailing.send(settings(f"smtp://u:s3cret@127.0.0.1:{server.port}"), ["a@b.ca"], FIGURES, "…")
    assert server.received == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_elsewhere_is_spoken_to_encrypted_and_by_password(listening, certificate, monkeypatch, scheme):
    monkeypatch.setattr(mailing.Server, "is_here", False)
    by_starttls = {"tls_context": certificate, "require_starttls": True, "auth_required": True}
    server = listening(**(by_starttls if scheme == "smtp" else {"ssl_context": certificate}))
    user = "u:s3cret@" if scheme == "smtp" else ""
    mailing.send(settings(f"{scheme}://{user}127.0.0.1:{server.port}"), ["a@b.ca"], FIGURES, "…")
    assert [encrypted or scheme == "smtps" for _, _, encrypted in server.received] == [True]


def test_a_server_whose_certificate_nobody_vouches_for_is_not_spoken_to(listening, certificate, monkeypatch):
    monkeypatch.setattr(mailing.Server, "is_here", False)
    monkeypatch.delenv("SSL_CERT_FILE")
    server = listening(tls_context=certificate)
    with pytest.raises(MailFailed, match="DL-MAIL-003"):
        mailing.send(settings(f"smtp://127.0.0.1:{server.port}"), ["a@b.ca"], FIGURES, "…")
    assert server.received == []


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("smtp://127.0.0.1:1", "DL-MAIL-003"),
        ("http://127.0.0.1", "DL-MAIL-002"),
        ("smtp://", "DL-MAIL-002"),
        ("smtp://u:s3cret@127.0.0.1:port", "DL-MAIL-002"),
    ],
)
def test_a_message_that_cannot_leave_says_why_without_password_or_reader(url, code):
    with pytest.raises(MailFailed, match=code) as refused:
        mailing.send(settings(url), ["tremblay@b.ca"], FIGURES, "…")
    assert "s3cret" not in str(refused.value)
    assert "tremblay" not in str(refused.value)


def test_without_a_server_no_message_leaves():
    with pytest.raises(MailFailed, match="DL-MAIL-001"):
        mailing.send(Settings(DATABASE_URL=None), ["a@b.ca"], FIGURES, "…")


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("10.0.0.5", False), ("mail.clinique.example", False)],
)
def test_only_this_machine_is_here(host, is_here):
    assert mailing.Server("smtp", host, 25, "", "").is_here is is_here


@pytest.fixture
def report(wb, tmp_path, monkeypatch):
    """A report that is due and will be written, whose schedule has a reader."""
    schedules.add(wb, "weekly", cron="0 6 * * 1", out=tmp_path, mail=["a@b.ca"])
    with wb.database.connect() as connection:
        connection.execute(sa.update(Schedule).values(active_since=datetime(2025, 1, 1, tzinfo=UTC)))
    (tmp_path / "rapport.html").write_text("<p>…</p>")
    written = Written((tmp_path / "rapport.html",), (), FIGURES, "À risque : 49,15 $\n")
    monkeypatch.setattr(delivery.periodicals, "write", lambda *_, **__: written)
    [due] = schedules.due(wb, datetime(2025, 3, 10, 10, 0, tzinfo=UTC))
    return due


@pytest.mark.database
def test_a_report_is_mailed_once_and_its_history_says_so(wb, report, listening):
    server = listening()
    mailed = replace(wb, settings=settings(f"smtp://127.0.0.1:{server.port}", home=wb.settings.home))
    assert delivery.make(mailed, report).unsent is None
    assert delivery.make(mailed, report) is None
    assert [readers for readers, _, _ in server.received] == [["a@b.ca"]]
    assert schedules.history(wb).select("status", "mail", "mail_error").rows() == [("done", "sent", None)]


@pytest.mark.database
@pytest.mark.parametrize(("reader", "code"), [("gone@b.ca", "DL-MAIL-003"), ("a@b.ca", "DL-MAIL-001")])
def test_a_report_whose_mail_does_not_leave_is_there_all_the_same(wb, report, listening, tmp_path, reader, code):
    url = f"smtp://127.0.0.1:{listening().port}" if reader == "gone@b.ca" else None
    with wb.database.connect() as connection:
        changed = sa.text("UPDATE schedules SET options = jsonb_set(options, '{mail}', to_jsonb(ARRAY[:reader]))")
        connection.execute(changed, {"reader": reader})
    made = delivery.make(replace(wb, settings=settings(url, home=wb.settings.home) if url else wb.settings), report)
    assert made.unsent.code == code
    row = schedules.history(wb).row(0, named=True)
    assert (row["status"], row["mail"], row["mail_error"]) == ("done", "failed", code)
    assert row["paths"] == [str(tmp_path / "rapport.html")]


@pytest.mark.database
def test_a_mail_that_was_broken_off_is_not_sent_twice(wb, report, listening):
    schedules.begin(wb, report, again=False)
    schedules.finish(wb, report, status="done", mail="sending")
    assert schedules.due(wb, datetime(2025, 3, 10, 10, 1, tzinfo=UTC)) == [report]
    server = listening()
    mailed = replace(wb, settings=settings(f"smtp://127.0.0.1:{server.port}", home=wb.settings.home))
    assert delivery.make(mailed, report) is None
    assert server.received == []
    assert schedules.history(wb).select("status", "mail", "mail_error").rows() == [("done", "failed", "DL-MAIL-005")]
