import sys

import pytest

from dashlib.display import busy

SAID = "Rapport en préparation…"


def test_a_terminal_is_told_what_is_being_done_until_it_is_done(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with busy("busy.report", "fr"):
        assert capsys.readouterr() == ("", SAID)
    assert capsys.readouterr() == ("", f"\r{' ' * len(SAID)}\r")


def test_the_line_goes_too_when_it_fails(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(ValueError, match="broken"), busy("busy.report", "fr"):
        raise ValueError("broken")
    assert capsys.readouterr().err.endswith("\r")


def test_nothing_is_said_to_a_program(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with busy("busy.report", "fr", unless=True):
        pass
    assert capsys.readouterr() == ("", "")


def test_nothing_is_said_where_there_is_no_terminal(capsys):
    with busy("busy.report", "fr"):
        pass
    assert capsys.readouterr() == ("", "")
