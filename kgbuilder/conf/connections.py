"""Converts addresses of services, as settings give them, to the form that Django takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kgbuilder.conf.environment import ROOT

# A silently dead host would hold each waiting thread for as long as the system retransmits: a quarter of an hour, or
# two hours for a reply. So: seconds to connect, idle seconds before the first keepalive probe, between probes, how many
# may fail, and milliseconds that sent data may stay unacknowledged. None of them ends a query that merely takes long.
POSTGRES_PATIENCE: Mapping[str, Any] = {
    "connect_timeout": 4,  # less than `manage.py health` waits for an answer
    "keepalives": 1,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def mail(url: str) -> dict[str, Any]:
    """Django's EMAIL_ settings for `url`; mail goes nowhere where it is empty."""
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    parts = urlsplit(url)
    ports = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": parts.port or ports[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_TIMEOUT": 10,
    }


def database(url: str, data_dir: Path) -> dict[str, Any]:
    """Django's DATABASES entry for `url`; SQLite in `data_dir` where it is empty.

    The part of a PostgreSQL address after its question mark are libpq's options, and overrides ours.
    """
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
            "OPTIONS": {**POSTGRES_PATIENCE, **dict(parse_qsl(parts.query))},
        }
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": _sqlite_file(unquote(parts.path[1:] if parts.scheme else ""), data_dir),
        "CONN_MAX_AGE": None,
        # Without IMMEDIATE a transaction that reads before it writes fails at once with "locked", whatever the timeout.
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=67108864;",
        },
    }


def _sqlite_file(named: str, data_dir: Path) -> Path:
    return (ROOT / Path(named).expanduser()).resolve() if named else data_dir / "kgbuilder.sqlite3"


def why_not(error: Exception, database: Mapping[str, Any]) -> str:
    """A sentence for a database (a DATABASES entry) that cannot be opened at all; "" where `error` is about more."""
    message = str(error).strip().partition("\n")[0]
    if not database["ENGINE"].endswith("sqlite3"):
        place = f"{database['HOST'] or 'localhost'}:{database['PORT'] or 5432}"
        return f"The database at {place} cannot be reached: {message}" if "connection" in message.lower() else ""
    file = Path(database["NAME"])
    if not file.parent.is_dir():
        return (
            f"There is no database yet: the folder {file.parent} does not exist. `manage.py prepare` makes it, with "
            "the tables and the first accounts."
        )
    return f"The database {file} cannot be opened: {message}." if "unable to open" in message else ""
