"""Benchmarks that anybody can run again. Each module: HELP, `arguments(parser)`, `run(options, write, note)`."""

from __future__ import annotations


class NotMeasured(Exception):
    """Something that the measurement needs is missing; the message names it and what to do."""
