#!/usr/bin/env python
"""Django's command line for kgbuilder."""

import os
import sys

from kgbuilder import VERSION


def main() -> None:
    # Before Django, which would answer with its own version, and without settings or a database: a report of a fault
    # in either names the version too.
    if sys.argv[1:] in (["version"], ["--version"]):
        print(f"kgbuilder {VERSION}")
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kgbuilder.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        sys.exit(f"Django is not installed here ({error}). Run `make install`, then use .venv/bin/python manage.py …")
    from django.conf import settings
    from django.db import OperationalError

    from kgbuilder.install import data_folder

    try:
        data_folder.check(settings.DATA_DIR)
        if sys.argv[1:2] != ["restore"]:
            data_folder.check_whole(settings.DATA_DIR)
        execute_from_command_line(sys.argv)
    except (data_folder.NewerData, data_folder.HalfRestored) as error:
        sys.exit(str(error))
    except OperationalError as error:
        from kgbuilder.conf.connections import why_not

        sentence = why_not(error, settings.DATABASES["default"])
        if not sentence or "--traceback" in sys.argv:
            raise
        sys.exit(sentence)


if __name__ == "__main__":
    main()
