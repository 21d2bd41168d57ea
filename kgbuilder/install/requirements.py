"""Prints the requirements in pyproject.toml, one a line, for pip. Needs nothing: it runs before any install.

requirements.py [EXTRA]
"""

import sys
import tomllib
from pathlib import Path


def requirements(pyproject: str, extra: str | None) -> list[str]:
    """The product's requirements, or those of one extra."""
    project = tomllib.loads(pyproject)["project"]
    return list(project["optional-dependencies"][extra] if extra else project["dependencies"])


if __name__ == "__main__":
    text = Path(__file__).resolve().parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
    print("\n".join(requirements(text, sys.argv[1] if len(sys.argv) > 1 else None)))
