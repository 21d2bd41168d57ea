"""How a trainer's child process reports its progress: marked lines on its standard output, between those of its log.

It needs no file, so that a full disk can be reported too. A curve is [step, value] points, thinned where it is long.
"""

from __future__ import annotations

import errno
import json
import sys
from typing import Any, TextIO

MARK = "\x1e"
STOPPED = 75  # exit code: asked to stop, and its state is saved
LONGEST_CURVE = 400  # points kept
LONGEST_LOG = 20_000  # code points kept

Curve = list[list[float]]


def report(out: TextIO | None = None, **message: Any) -> None:
    """Prints a message: values that replace those of the same name, `points` {curve: [step, value]}."""
    print(MARK + json.dumps(message), file=out or sys.stdout, flush=True)


def parse_report(line: str) -> dict[str, Any] | None:
    """The message of a line; None where it belongs to the log."""
    if not line.startswith(MARK):
        return None
    try:
        message = json.loads(line[1:])
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def merged(progress: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """`progress` updated by a message. `resumed`: a step; the curves' points of later steps are dropped."""
    curves: dict[str, Curve] = {name: list(points) for name, points in progress.get("curves", {}).items()}
    if "resumed" in message:
        curves = {name: [p for p in points if p[0] <= message["resumed"]] for name, points in curves.items()}
    for name, point in message.get("points", {}).items():
        curves[name] = thinned([*curves.get(name, []), point])
    rest = {key: value for key, value in message.items() if key not in ("points", "resumed", "error")}
    return {**progress, **rest, "curves": curves}


def thinned(points: Curve) -> Curve:
    """Half of LONGEST_CURVE points, evenly spaced, once there are more than LONGEST_CURVE; first and last stay."""
    if len(points) <= LONGEST_CURVE:
        return points
    apart = (points[-1][0] - points[0][0]) / (LONGEST_CURVE // 2)
    thinned_points: Curve = []
    for point in points[:-1]:
        if not thinned_points or point[0] >= thinned_points[-1][0] + apart:
            thinned_points.append(point)
    return [*thinned_points, points[-1]]


def sentence(error: BaseException) -> str:
    """An error as a sentence for people: what happened and what to do."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk is full ({error.filename or 'DATA_DIR'}). Saved data is not lost. Free some space, then resume."
        )
    if isinstance(error, MemoryError):
        return "Out of memory. Use smaller batches or stop other programs, then resume."
    text = str(error).strip()
    return text if text and foreseen(error) else f"{type(error).__name__}: {text}"[:2000]


def foreseen(error: BaseException) -> bool:
    """Whether the error is one of the product's own, whose message is a sentence for people."""
    return type(error).__module__.partition(".")[0] in ("extraction", "training", "kgbuilder", "knowledge")
