"""The settings that tests run under: nothing of this machine's environment or `.env`, only what TEST_* names."""

import atexit
import os
import shutil
import socket
import tempfile
from pathlib import Path

from kgbuilder.conf.environment import SETTINGS

for _setting in SETTINGS:
    os.environ[_setting.name] = ""
# One folder for pytest and the processes that its tests start; whoever made it removes it.
_folder = os.environ.get("KGBUILDER_TEST_FOLDER", "")
if not _folder:
    _folder = os.environ["KGBUILDER_TEST_FOLDER"] = tempfile.mkdtemp(prefix="kgbuilder-test-")
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
# A port of one's own that nothing listens on and nobody else can take: whatever product runs on this machine, at the
# default port or another, no test asks it. Bound, not listening, so connections are refused.
_reserved = socket.socket()
_reserved.bind(("127.0.0.1", 0))
atexit.register(_reserved.close)
os.environ |= {
    "PORT": str(_reserved.getsockname()[1]),
    "DATA_DIR": _folder,
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", ""),
    "BROKER_URL": "memory://",
    "SECRET_KEY": "for tests only",
    "BASE_IRI": "http://kg.example/",
    "SPARQL_TOKEN": "token-for-tests",
}

# WhiteNoise warns where the folder of collected files is absent.
Path(_folder, "static").mkdir(exist_ok=True)

from kgbuilder.settings import *  # noqa: E402, F403
from kgbuilder.settings import DATABASES  # noqa: E402

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: claims are tested with several connections.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(_folder) / "test.sqlite3")}
