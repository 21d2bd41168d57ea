"""Figures that people can measure again. Each module: HELP, `arguments(parser)`, `run(options, write, note)`."""

from __future__ import annotations


class NotMeasured(Exception):
    """Something that the measurement needs is not there; the message says what and what to do."""
