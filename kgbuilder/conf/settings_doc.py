"""`docs/settings.md`, made from the table of settings."""

from __future__ import annotations

from kgbuilder.conf.environment import SETTINGS, Setting


def as_markdown() -> str:
    """The table as `docs/settings.md` shows it."""
    rows = [f"| {_named(s)} | {f'`{s.default}`' if s.default else ''} | {s.says} |" for s in SETTINGS]
    return "\n".join(
        (
            "# Settings",
            "",
            "Environment variables, or lines `NAME=value` in a file `.env` beside `manage.py`; the environment wins. A",
            "value that cannot be used is refused with a sentence when anything starts. What is marked \\* may lie in",
            "a file that `NAME_FILE` names, as containers hand over secrets. Made by `manage.py settings_doc`; edit",
            "`kgbuilder/conf/environment.py` instead.",
            "",
            "| setting | default | what it does |",
            "|---|---|---|",
            *rows,
            "",
        )
    )


def _named(setting: Setting) -> str:
    return f"`{setting.name}`" + (r" \*" if setting.secret else "")
