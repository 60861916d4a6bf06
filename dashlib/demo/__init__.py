"""Synthetic exports of an invented clinic group, and the exact list of results that judging them must give."""

from dashlib.demo.export import DELIMITERS, ENCODINGS, DemoSummary, share, write_demo

__all__ = ["DELIMITERS", "ENCODINGS", "DemoSummary", "share", "write_demo"]
