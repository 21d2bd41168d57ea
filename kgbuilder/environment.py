"""Every setting in one typed table. `docs/settings.md` is made from it; a wrong value is refused with a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent


class WrongSetting(ValueError):
    """A setting has a value that cannot be used. The message names the setting and says what it takes."""


def _text(value: str) -> str:
    return value


def _flag(value: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if value.lower() not in known:
        raise ValueError("takes 1 or 0")
    return known[value.lower()]


def _port(value: str) -> int:
    if not value.isdigit() or not 1 <= int(value) <= 65535:
        raise ValueError("takes a port number from 1 to 65535")
    return int(value)


def _count(value: str) -> int:
    if not value.isdigit() or int(value) < 1:
        raise ValueError("takes a whole number of at least 1")
    return int(value)


def _seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 < number < 10**7:
        raise ValueError("takes a number of seconds above 0")
    return number


def _path(value: str) -> Path:
    return (ROOT / Path(value).expanduser()).resolve()


def _optional_path(value: str) -> Path | None:
    return _path(value) if value else None


def _names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _host_ports(value: str) -> tuple[tuple[str, int], ...]:
    pairs = []
    for name in _names(value):
        host, _, port = name.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError("takes host:port, separated by commas, for example 127.0.0.1:8900")
        pairs.append((host.strip("[]").lower(), _port(port)))
    return tuple(pairs)


def _web_address(value: str) -> str:
    if value and urlsplit(value).scheme not in ("http", "https"):
        raise ValueError("takes an address that begins with http:// or https://")
    return value


def _base_iri(value: str) -> str:
    _web_address(value)
    return value if not value or value.endswith("/") else value + "/"


def _address_in(*schemes: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value and urlsplit(value).scheme not in schemes:
            raise ValueError(f"takes an address that begins with one of {', '.join(s + '://' for s in schemes)}")
        return value

    return check


def _share(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError("takes numbers from 0 to 1")
    return number


def _optional_share(value: str) -> float | None:
    return _share(value) if value else None


def _hours(value: str) -> tuple[float, ...]:
    return tuple(_seconds(part) for part in _names(value))


def _thresholds(value: str) -> dict[str, float]:
    """`0.6` or `0.6,member_of=0.7`; empty: what the checkpoint was calibrated to."""
    found: dict[str, float] = {}
    for part in _names(value):
        key, _, number = part.rpartition("=")
        found[key or "default"] = _share(number)
    return found


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    default: str
    parse: Callable[[str], Any]
    says: str


SETTINGS: tuple[Setting, ...] = (
    Setting("DATA_DIR", "var", _path, "The folder that everything is written to."),
    Setting("HOST", "127.0.0.1", _text, "The address that the web server listens on."),
    Setting("PORT", "8000", _port, "The port that the web server listens on."),
    Setting(
        "BASE_IRI",
        "",
        _base_iri,
        "What the IRIs of the graph begin with; by default the web address. Stored at the first start.",
    ),
    Setting("SECRET_KEY", "", _text, "Django's secret; by default made at the first start and kept in DATA_DIR."),
    Setting(
        "ALLOWED_HOSTS",
        "",
        _names,
        "Host names that the web server answers to, separated by commas; localhost and HOST always.",
    ),
    Setting("DEBUG", "0", _flag, "Django's debug pages; never on an open network."),
    Setting("PUBLIC_READING", "0", _flag, "Whether posts, entities and the graph may be read without signing in."),
    Setting(
        "DATABASE_URL",
        "",
        _address_in("sqlite", "postgres", "postgresql"),
        "sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME; by default SQLite in DATA_DIR.",
    ),
    Setting(
        "BROKER_URL",
        "",
        _address_in("filesystem", "amqp", "amqps", "redis", "rediss", "memory"),
        "The message broker; by default files in DATA_DIR.",
    ),
    Setting(
        "SPARQL_QUERY_URL", "", _web_address, "A SPARQL 1.1 server's query address; by default the bundled server."
    ),
    Setting("SPARQL_UPDATE_URL", "", _web_address, "The same server's update address."),
    Setting("SPARQL_TOKEN", "", _text, "Sent as a bearer token; made at the first start for the bundled server."),
    Setting("SPARQL_SECONDS", "10", _seconds, "How long one query of a person may run."),
    Setting("SPARQL_CHILDREN", "2", _count, "How many queries of people run at once on the bundled server."),
    Setting("NEO4J_URL", "", _address_in("bolt", "bolt+s", "neo4j", "neo4j+s"), "A Neo4j server; empty: none."),
    Setting("NEO4J_USER", "neo4j", _text, "Its user."),
    Setting("NEO4J_PASSWORD", "", _text, "Its password."),
    Setting(
        "CHECKPOINT",
        "",
        _optional_path,
        "The folder of the checkpoint that reads posts; by default the one that ships.",
    ),
    Setting(
        "EXTRACTOR",
        "",
        _text,
        "module:class that reads posts in place of the checkpoint's network. For tests; leave it empty.",
    ),
    Setting("PARSER", "", _text, "A spaCy pipeline, by name or folder; by default the one that ships."),
    Setting(
        "FLOOR", "", _optional_share, "Below this score nothing is recorded; by default the checkpoint's own floor."
    ),
    Setting(
        "THRESHOLD",
        "",
        _thresholds,
        "Above this score an assertion counts: 0.6, or 0.6,member_of=0.7; by default as the checkpoint was calibrated.",
    ),
    Setting("DEVICE", "cpu", _text, "Where networks run: cpu, cuda, cuda:1, …"),
    Setting(
        "DETECTOR_WEIGHTS", "", _optional_path, "Weights of an object detector; empty: pictures are shown, not read."
    ),
    Setting(
        "FETCH_ALLOW",
        "",
        _host_ports,
        "host:port pairs on private or loopback addresses that may be fetched from, separated by commas.",
    ),
    Setting("FETCH_SECONDS", "30", _seconds, "The whole time that one fetch may take."),
    Setting("FETCH_HOST_SECONDS", "1", _seconds, "The least time between two requests to one host."),
    Setting("FETCH_ROBOTS", "1", _flag, "Whether robots.txt is obeyed for article pages."),
    Setting(
        "RECHECK_HOURS", "1,6,24,72,168", _hours, "How long after it was first read a page is visited again, in hours."
    ),
    Setting("CONTACT_URL", "", _web_address, "Named in the User-Agent, so that publishers can reach you."),
)


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings' values; raises `WrongSetting`, naming every setting that cannot be used."""
    values: dict[str, Any] = {}
    wrong = []
    for setting in SETTINGS:
        raw = environ.get(setting.name, "").strip() or setting.default
        try:
            values[setting.name] = setting.parse(raw)
        except ValueError as error:
            wrong.append(f"{setting.name} {error}; it is {raw!r}.")
    if wrong:
        raise WrongSetting("\n".join(wrong))
    return values


def as_markdown() -> str:
    """The table as `docs/settings.md` shows it."""
    rows = [f"| `{s.name}` | {f'`{s.default}`' if s.default else ''} | {s.says} |" for s in SETTINGS]
    return "\n".join(
        (
            "# Settings",
            "",
            "Environment variables, or lines `NAME=value` in a file `.env` beside `manage.py`; the environment wins. A",
            "value that cannot be used is refused with a sentence when anything starts. Made by",
            "`manage.py settings_doc`; edit `kgbuilder/environment.py` instead.",
            "",
            "| setting | default | what it does |",
            "|---|---|---|",
            *rows,
            "",
        )
    )


def environ_with_dotenv() -> dict[str, str]:
    """The process's environment over the `.env` file beside manage.py."""
    from dotenv import dotenv_values

    written = {key: value for key, value in dotenv_values(ROOT / ".env").items() if value is not None}
    return written | dict(os.environ)


def database(url: str, data_dir: Path) -> dict[str, Any]:
    """Django's DATABASES entry for `url`; SQLite in `data_dir` where it is empty."""
    parts = urlsplit(url)
    if parts.scheme in ("postgres", "postgresql"):
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True,
        }
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": _path(unquote(parts.path[1:] if parts.scheme else "") or str(data_dir / "kgbuilder.sqlite3")),
        "CONN_MAX_AGE": None,
        # Without IMMEDIATE a transaction that reads before it writes fails at once with "locked", whatever the timeout.
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=67108864;",
        },
    }
