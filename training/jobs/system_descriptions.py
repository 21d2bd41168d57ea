"""What can be trained, as plain JSON: systems with their settings, defaults and meanings, and the devices.

The settings stand in dataclasses beside the networks, whose modules import torch. The web process must not, so a child
process (`manage.py describe_systems`) writes them down, and `described` keeps its answer until the code changes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import io
import json
import os
import re
import subprocess
import sys
import tokenize
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kgbuilder.conf.environment import ROOT

SOURCES = (
    "extraction/networks/**/*.py",
    "training/config.py",
    "training/recipes.py",
    "training/jobs/system_descriptions.py",
)
CHILD_SECONDS = 120
# What the run's own form fields, its data and its launcher decide.
DECIDED = {"data", "labels", "encoder", "vision", "network", "seed", "system", "head"}
DECIDED |= {"threads", "max_minutes", "device", "images", "start", "mentions"}
SIMPLE = {int: "int", float: "float", bool: "bool", str: "text"}
Field = dict[str, Any]


class CannotDescribe(Exception):
    """The child process failed; the message holds its last output."""


def described(folder: Path) -> dict[str, Any]:
    """The description, cached in `folder` until the code changes. Raises CannotDescribe."""
    path = folder / f"systems-{_version()}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        pass
    text = _ask_child()
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    answer: dict[str, Any] = json.loads(text)
    return answer


def _version() -> str:
    """A digest of the files that the description depends on."""
    found = {pattern: sorted(ROOT.glob(pattern)) for pattern in SOURCES}
    assert all(found.values()), f"SOURCES names files that are not there: {found}"
    files = sorted(path for paths in found.values() for path in paths)
    stamps = "".join(f"{path.name} {path.stat().st_mtime_ns} {path.stat().st_size};" for path in files)
    return hashlib.sha256(stamps.encode()).hexdigest()[:16]


def _ask_child() -> str:
    command = [sys.executable, str(ROOT / "manage.py"), "describe_systems"]
    try:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=CHILD_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise CannotDescribe(
            "The settings of the systems could not be loaded in time because the machine is busy. Try again."
        ) from error
    if ended.returncode:
        raise CannotDescribe(f"The systems cannot be described: {ended.stderr.strip().rpartition(chr(10))[2]}")
    return ended.stdout


def describe() -> dict[str, Any]:
    """The description. Imports the networks, so only the child calls it."""
    from extraction.networks.systems import SYSTEMS, Sizes
    from training.config import TrainConfig
    from training.recipes import ABOUT

    sizes = {field.name for field in dataclasses.fields(Sizes)}
    return {
        "systems": {
            name: {
                "title": ABOUT[name].title,
                "task": ABOUT[name].task,
                "paper": ABOUT[name].paper,
                "heads": list(system.heads),
                "vision": system.vision,
                "network": list(_fields(system.config, sizes | {"head"})),
                "training": list(_fields(TrainConfig, DECIDED)),
                "recipes": _recipes(name),
            }
            for name, system in SYSTEMS.items()
        },
        "devices": _devices(),
    }


def _recipes(system: str) -> list[dict[str, Any]]:
    """The settings that a form of this system can begin with: ours, then the paper's."""
    from training.recipes import PAPER, RECIPES

    own = {f"ours, {name}": config for name, config in RECIPES.items() if config.system == system}
    papers = {
        f"the paper's{', ' + name if name != system else ''}": c for name, c in PAPER.items() if c.system == system
    }
    return [
        {"name": re.sub(r"\W+", "-", title), "title": _shown(title), "values": _values(config)}
        for title, config in {**own, **papers}.items()
    ]


def _shown(title: str) -> str:
    """A recipe's title on its button; the address keeps the longer one."""
    title = title.removeprefix("ours, ").replace("the paper's", "paper")
    return title[0].upper() + title[1:]


def _values(config: Any) -> dict[str, Any]:
    return {name: _plain(value) for name, value in dataclasses.asdict(config).items()}


def _devices() -> list[str]:
    import torch

    return ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]


def _fields(config: type, left_out: set[str]) -> Iterator[Field]:
    """A dataclass's settings; those without a default or of a type that no form has are left out."""
    hints, notes = typing.get_type_hints(config), _notes(config)
    for field in dataclasses.fields(config):
        value, kind = _default(field), _kind(hints[field.name])
        if field.name in left_out or kind is None or value is dataclasses.MISSING:
            continue
        yield {"name": field.name, **kind, "default": _plain(value), "note": notes.get(field.name, "")}


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default


def _kind(hint: Any) -> Field | None:
    """The form field for a value of this type: its kind and, of a choice, the options."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType) and type(None) in inner:
        found = _kind(next(one for one in inner if one is not type(None)))
        return {**found, "optional": True} if found else None
    if origin is typing.Literal:
        return {"kind": "choice", "options": [str(option) for option in inner]}
    if origin is tuple and len(set(inner) - {Ellipsis}) == 1 and inner[0] in SIMPLE:
        return {"kind": "list", "of": SIMPLE[inner[0]]}
    if origin is dict and inner == (str, float):
        return {"kind": "shares"}
    return {"kind": SIMPLE[hint]} if hint in SIMPLE else None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _notes(config: type) -> dict[str, str]:
    """The comment of each field."""
    notes: dict[str, str] = {}
    for ancestor in reversed(config.__mro__[:-1]):
        for line, comment in _comments(inspect.getsource(ancestor)):
            named = re.match(r"\s*(\w+)\s*:", line)
            if named:
                notes[named[1]] = comment.lstrip("# ").strip()
    return notes


def _comments(source: str) -> Iterator[tuple[str, str]]:
    for token in tokenize.generate_tokens(io.StringIO(inspect.cleandoc(source) + "\n").readline):
        if token.type == tokenize.COMMENT:
            yield token.line, token.string
