"""What a setting's value may be: from the text of an environment variable to what the code uses.

Each raises ValueError with what the setting takes: the end of a sentence that begins with the setting's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]


def text(value: str) -> str:
    return value


def one_of(*known: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"takes one of {', '.join(known)}")
        return value

    return check


def flag(value: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if value.lower() not in known:
        raise ValueError("takes 1 or 0")
    return known[value.lower()]


def port(value: str) -> int:
    if not value.isdigit() or not 1 <= int(value) <= 65535:
        raise ValueError("takes a port number from 1 to 65535")
    return int(value)


def count(value: str) -> int:
    if not value.isdigit() or int(value) < 1:
        raise ValueError("takes a whole number of at least 1")
    return int(value)


def seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 < number < 10**7:
        raise ValueError("takes a number of seconds above 0")
    return number


def optional_seconds(value: str) -> float | None:
    return seconds(value) if value else None


def path(value: str) -> Path:
    return (ROOT / Path(value).expanduser()).resolve()


def optional_path(value: str) -> Path | None:
    return path(value) if value else None


def weights(value: str) -> str | Path | None:
    """A name of `manage.py fetch_weights`, or a path (with a dot or a slash in it)."""
    if re.fullmatch(r"[a-z0-9][a-z0-9-]*", value):
        return value
    return optional_path(value)


def days(value: str) -> int:
    if not value.isdigit():
        raise ValueError("takes a whole number of days, 0 for no limit")
    return int(value)


def names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def origins(value: str) -> tuple[str, ...]:
    """Origins as browsers send them: scheme, host and port, without a path; or "*"."""
    found = names(value)
    for one in found:
        parts = urlsplit(one)
        if one != "*" and (
            parts.scheme not in ("http", "https") or not parts.netloc or one != f"{parts.scheme}://{parts.netloc}"
        ):
            raise ValueError("takes * or origins such as https://yasgui.org, without a path, separated by commas")
    return found


def some_of(*known: str) -> Callable[[str], tuple[str, ...]]:
    def check(value: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(names(value)))
        if not found or not set(found) <= set(known):
            raise ValueError(f"takes one or several of {', '.join(known)}, separated by commas")
        return found

    return check


def host_ports(value: str) -> tuple[tuple[str, int], ...]:
    pairs = []
    for name in names(value):
        host, _, number = name.rpartition(":")
        if not host or not number.isdigit():
            raise ValueError("takes host:port, separated by commas, for example 127.0.0.1:8900")
        pairs.append((host.strip("[]").lower(), port(number)))
    return tuple(pairs)


def web_address(value: str) -> str:
    if value and urlsplit(value).scheme not in ("http", "https"):
        raise ValueError("takes an address that begins with http:// or https://")
    return value


def base_iri(value: str) -> str:
    web_address(value)
    return value if not value or value.endswith("/") else value + "/"


def address_in(*schemes: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value and urlsplit(value).scheme not in schemes:
            raise ValueError(f"takes an address that begins with one of {', '.join(s + '://' for s in schemes)}")
        return value

    return check


def share(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError("takes numbers from 0 to 1")
    return number


def optional_share(value: str) -> float | None:
    return share(value) if value else None


def hours(value: str) -> tuple[float, ...]:
    return tuple(seconds(part) for part in names(value))


def thresholds(value: str) -> dict[str, float]:
    """`0.6` or `0.6,member_of=0.7`; empty: what the checkpoint was calibrated to."""
    found: dict[str, float] = {}
    for part in names(value):
        key, _, number = part.rpartition("=")
        found[key or "default"] = share(number)
    return found
