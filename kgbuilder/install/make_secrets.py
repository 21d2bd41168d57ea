"""Makes the secrets that docker-compose.yml names, each once; an existing one is left alone. Needs nothing installed.

make_secrets.py [FOLDER]

The folder is open to its owner alone; the files in it may be read by any user, because containers have other users.
"""

import re
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def names(compose: str) -> list[str]:
    """The files under ./secrets that the compose file reads."""
    return sorted(set(re.findall(r"file: \./secrets/(\w+)", compose)))


def make(folder: Path, names: list[str]) -> list[str]:
    """Makes the missing ones of these secrets and returns their names."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    missing = [name for name in names if not (folder / name).exists()]
    for name in missing:
        draft = folder / f".{name}"
        draft.write_text(secrets.token_urlsafe(36))
        draft.chmod(0o444)
        draft.rename(folder / name)
    return missing


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "secrets"
    new = make(place, names((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    print(f"Made in {place}: {', '.join(new)}." if new else f"Everything is there in {place}.")
