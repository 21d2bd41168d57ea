"""Secrets in files of their own: `SECRET_KEY_FILE=/run/secrets/secret_key` in place of `SECRET_KEY=…`.

Containers hand secrets over as files: an environment is shown by `inspect` and inherited by every child.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

LARGEST = 64_000  # bytes; a secret is a line


def read(environ: Mapping[str, str], names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The values of those of `names` that are given by NAME_FILE, and a sentence for each file that cannot be used."""
    found: dict[str, str] = {}
    wrong: list[str] = []
    for name in names:
        path = environ.get(f"{name}_FILE", "").strip()
        if not path:
            continue
        try:
            found[name] = _content(Path(path))
        except (OSError, ValueError) as error:
            wrong.append(f"{name}_FILE names a file that cannot be used: {error}.")
        if environ.get(name, "").strip():
            wrong.append(f"{name} and {name}_FILE are both set; keep one of them.")
    return found, wrong


def _content(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1).decode("utf-8").strip()
    if not content:
        raise ValueError(f"{path} is empty")
    if len(content) > LARGEST:
        raise ValueError(f"{path} is too large for a secret")
    return content


def with_password(address: str, password: str) -> str:
    """`address` with `password` after its user name; as it is where there is none to put in."""
    parts = urlsplit(address)
    user, at, place = parts.netloc.rpartition("@")
    if not password or not at or ":" in user:
        return address
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}"))
