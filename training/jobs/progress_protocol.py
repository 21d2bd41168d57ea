"""How a trainer's child process says how far it is: lines on its standard output, told from its log by their mark.

No file is needed for it, so a full disk can be told too. A curve is [step, value] points, thinned where it is long.
"""

from __future__ import annotations

import errno
import json
import sys
from typing import Any, TextIO

MARK = "\x1e"
STOPPED = 75  # exit code: it was told to stop, and its state is saved
LONGEST_CURVE = 400  # points kept
LONGEST_LOG = 20_000  # code points kept

Curve = list[list[float]]


def tell(out: TextIO | None = None, **said: Any) -> None:
    """Says something about the work: values that replace those of the same name, `points` {curve: [step, value]}."""
    print(MARK + json.dumps(said), file=out or sys.stdout, flush=True)


def hear(line: str) -> dict[str, Any] | None:
    """What a line tells; None where it belongs to the log."""
    if not line.startswith(MARK):
        return None
    try:
        said = json.loads(line[1:])
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def merged(progress: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """`progress` with what was said. `resumed`: a step; what the curves say of later ones is forgotten."""
    curves: dict[str, Curve] = {name: list(points) for name, points in progress.get("curves", {}).items()}
    if "resumed" in said:
        curves = {name: [p for p in points if p[0] <= said["resumed"]] for name, points in curves.items()}
    for name, point in said.get("points", {}).items():
        curves[name] = thinned([*curves.get(name, []), point])
    rest = {key: value for key, value in said.items() if key not in ("points", "resumed", "error")}
    return {**progress, **rest, "curves": curves}


def thinned(points: Curve) -> Curve:
    """Half of LONGEST_CURVE points, evenly spaced, once there are more than LONGEST_CURVE; first and last stay."""
    if len(points) <= LONGEST_CURVE:
        return points
    apart = (points[-1][0] - points[0][0]) / (LONGEST_CURVE // 2)
    kept: Curve = []
    for point in points[:-1]:
        if not kept or point[0] >= kept[-1][0] + apart:
            kept.append(point)
    return [*kept, points[-1]]


def sentence(error: BaseException) -> str:
    """An error for people: what happened and what to do."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk is full ({error.filename or 'DATA_DIR'}). Saved data is not lost. Free some space, then resume."
        )
    if isinstance(error, MemoryError):
        return "Out of memory. Use smaller batches or stop other programs, then resume."
    text = str(error).strip()
    return text if text and foreseen(error) else f"{type(error).__name__}: {text}"[:2000]


def foreseen(error: BaseException) -> bool:
    """Whether it is one of ours, whose message is a sentence for people."""
    return type(error).__module__.partition(".")[0] in ("extraction", "training", "kgbuilder", "knowledge")
