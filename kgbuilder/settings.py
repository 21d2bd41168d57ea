"""Django's settings, from the environment alone: `environment.py` holds the table."""

import secrets
import sys
from pathlib import Path

from kgbuilder import environment
from kgbuilder.environment import ROOT

try:
    ENV = environment.read(environment.environ_with_dotenv())
except environment.WrongSetting as error:
    sys.exit(f"{error}\nSee docs/settings.md.")

DATA_DIR: Path = ENV["DATA_DIR"]
HOST: str = ENV["HOST"]
PORT: int = ENV["PORT"]
WEB_ADDRESS = f"http://{'127.0.0.1' if HOST in ('0.0.0.0', '::') else HOST}:{PORT}/"  # noqa: S104
BASE_IRI: str = ENV["BASE_IRI"] or WEB_ADDRESS


SECRET_KEY_FILE = DATA_DIR / "secret_key"
SPARQL_TOKEN_FILE = DATA_DIR / "sparql_token"


def _kept(path: Path) -> str:
    """A secret that `up` made at the first start; one that lasts for this process where there has been none."""
    return path.read_text().strip() if path.is_file() else secrets.token_urlsafe(48)


DEBUG: bool = ENV["DEBUG"]
SECRET_KEY: str = ENV["SECRET_KEY"] or _kept(SECRET_KEY_FILE)
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *({HOST} - {"0.0.0.0", "::"}), *ENV["ALLOWED_HOSTS"]]  # noqa: S104
CSRF_TRUSTED_ORIGINS = [f"https://{name}" for name in ENV["ALLOWED_HOSTS"] if "*" not in name]
PUBLIC_READING: bool = ENV["PUBLIC_READING"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "kgbuilder",
    "extraction",
    "knowledge",
    "training",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "knowledge.middleware.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "kgbuilder.urls"
WSGI_APPLICATION = "kgbuilder.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": environment.database(ENV["DATABASE_URL"], DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "posts"
LOGOUT_REDIRECT_URL = "sign_in"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [ROOT / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MEDIA_ROOT = DATA_DIR / "media"
MEDIA_URL = "media/"

# To stderr, for every process alike; the supervisor adds the part's name and the time.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"repeats": {"()": "kgbuilder.repeats.Repeats"}},
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["repeats"], "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    # Django's own handlers would show errors of pages in debug mode only. A page that is not there is no failure.
    "loggers": {"django": {"handlers": [], "propagate": True}, "django.request": {"level": "ERROR"}},
}

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True

# The bundled SPARQL server listens on a socket file; a server by address takes its place.
SPARQL_SOCKET = DATA_DIR / "sparql.sock"
SPARQL_QUERY_URL: str = ENV["SPARQL_QUERY_URL"]
SPARQL_UPDATE_URL: str = ENV["SPARQL_UPDATE_URL"]
SPARQL_TOKEN: str = ENV["SPARQL_TOKEN"] or _kept(SPARQL_TOKEN_FILE)
SPARQL_SECONDS: float = ENV["SPARQL_SECONDS"]
SPARQL_CHILDREN: int = ENV["SPARQL_CHILDREN"]

NEO4J_URL: str = ENV["NEO4J_URL"]
NEO4J_USER: str = ENV["NEO4J_USER"]
NEO4J_PASSWORD: str = ENV["NEO4J_PASSWORD"]

CHECKPOINT: Path = ENV["CHECKPOINT"] or ROOT / "extraction" / "weights" / "eega-minilm"
EXTRACTOR: str = ENV["EXTRACTOR"]
PARSER: str = ENV["PARSER"]
FLOOR: float | None = ENV["FLOOR"]
THRESHOLD: dict[str, float] = ENV["THRESHOLD"]
DEVICE: str = ENV["DEVICE"]
DETECTOR_WEIGHTS: Path | None = ENV["DETECTOR_WEIGHTS"]

FETCH_ALLOW: tuple[tuple[str, int], ...] = ENV["FETCH_ALLOW"]
FETCH_SECONDS: float = ENV["FETCH_SECONDS"]
FETCH_HOST_SECONDS: float = ENV["FETCH_HOST_SECONDS"]
FETCH_ROBOTS: bool = ENV["FETCH_ROBOTS"]
RECHECK_HOURS: tuple[float, ...] = ENV["RECHECK_HOURS"]
CONTACT_URL: str = ENV["CONTACT_URL"]

BROKER_URL: str = ENV["BROKER_URL"] or "filesystem://localhost//"
BROKER_FOLDER = DATA_DIR / "broker"
