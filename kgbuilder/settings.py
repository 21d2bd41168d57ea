"""Django's settings, from the environment alone: `environment.py` holds the table."""

import secrets
import sys
from pathlib import Path

from kgbuilder.conf import connections, environment
from kgbuilder.conf.environment import ROOT
from kgbuilder.conf.threads import sleep_while_waiting

sleep_while_waiting()
try:
    ENV = environment.read(environment.environ_with_dotenv())
except environment.WrongSetting as error:
    sys.exit(f"{error}\nSee docs/settings.md.")

DATA_DIR: Path = ENV["DATA_DIR"]
HOST: str = ENV["HOST"]
PORT: int = ENV["PORT"]
WEB_ADDRESS = f"http://{'127.0.0.1' if HOST in ('0.0.0.0', '::') else HOST}:{PORT}/"  # noqa: S104
WEB_PROCESSES: int = ENV["WEB_PROCESSES"]
CONSOLE_PROCESSES: int = ENV["CONSOLE_PROCESSES"]
CONSOLES_AT_ONCE: int = ENV["CONSOLES_AT_ONCE"]
CONSOLES_PER_PERSON: int = ENV["CONSOLES_PER_PERSON"]
CONSOLES_PER_ADDRESS: int = ENV["CONSOLES_PER_ADDRESS"]
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
    "kgbuilder.web.conditional.ConditionalAnswers",
    "django.middleware.security.SecurityMiddleware",
    "knowledge.middleware.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "knowledge.middleware.PrivatePages",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "knowledge.middleware.StorableValues",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "kgbuilder.urls"
WSGI_APPLICATION = "kgbuilder.web.wsgi.application"
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

DATABASES = {"default": connections.database(ENV["DATABASE_URL"], DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "kgbuilder.accounts.token_expiry.TokensEndWithPassword"},
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
# Detected regions and the small copies of pictures that networks read; never served.
FEATURES_ROOT = DATA_DIR / "features"
WEIGHTS_ROOT = DATA_DIR / "weights"

LOG_FORMAT: str = ENV["LOG_FORMAT"]
# To stderr, for every process alike; the supervisor adds the part's name and the time.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"repeats": {"()": "kgbuilder.supervision.logs.Repeats"}},
    "formatters": {
        "plain": {"()": "kgbuilder.supervision.logs.Plain", "format": "%(levelname)s %(name)s: %(subject)s%(message)s"},
        "json": {"()": "kgbuilder.supervision.logs.Json"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["repeats"], "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": ENV["LOG_LEVEL"]},
    # Django's own handlers would show errors of pages in debug mode only. A page that is not there is no failure.
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.request": {"level": "ERROR"},
        # One line for each request to anybody, without what it was for.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        # Anybody can send what is no HTTP: nothing for an operator to mend.
        "uvicorn": {"level": "ERROR"},
        # An unavailable server is logged once, by the caller; the driver would log each of its own tries.
        "neo4j": {"level": "CRITICAL"},
    },
}

AUTHENTICATION_BACKENDS = ["kgbuilder.accounts.login_limits.LimitedBackend"]

HTTPS: bool = ENV["HTTPS"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# Probes ask from beside us, not through the proxy; the io worker polls the samples on our own port.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$", r"^samples/"]
TRUSTED_PROXY: str = ENV["TRUSTED_PROXY"]
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True

# The bundled SPARQL server listens on a socket file; a server by address takes its place.
SPARQL_SOCKET = DATA_DIR / "sparql.sock"
SPARQL_QUERY_URL: str = ENV["SPARQL_QUERY_URL"]
SPARQL_UPDATE_URL: str = ENV["SPARQL_UPDATE_URL"]
SPARQL_BUNDLED_URL: str = ENV["SPARQL_BUNDLED_URL"].rstrip("/")
SPARQL_TOKEN: str = ENV["SPARQL_TOKEN"] or _kept(SPARQL_TOKEN_FILE)
SPARQL_LIMIT_SECONDS: float | None = ENV["SPARQL_LIMIT_SECONDS"]
SPARQL_SECONDS: float = ENV["SPARQL_SECONDS"]
SPARQL_CHILDREN: int = ENV["SPARQL_CHILDREN"]

METRICS_TOKEN: str = ENV["METRICS_TOKEN"]
NOTICE_MAIL: tuple[str, ...] = ENV["NOTICE_MAIL"]
NOTICE_WEBHOOK: str = ENV["NOTICE_WEBHOOK"]
LANE_LATE_SECONDS: float = ENV["LANE_LATE_SECONDS"]
DEFAULT_FROM_EMAIL: str = ENV["MAIL_FROM"]
globals().update(connections.mail(ENV["MAIL_URL"]))

API_PER_MINUTE: int = ENV["API_PER_MINUTE"]
# Web applications of other origins: tokens alone, on what is for programs.
CORS_ALLOW_ALL_ORIGINS = "*" in ENV["API_ORIGINS"]
CORS_ALLOWED_ORIGINS = [one for one in ENV["API_ORIGINS"] if one != "*"]
OPEN_TO_ORIGINS = r"^/(api/v1/|id/|(entities|posts)/[0-9a-f-]+/graph\.)"
CORS_URLS_REGEX = OPEN_TO_ORIGINS if ENV["API_ORIGINS"] else r"(?!)"
CORS_EXPOSE_HEADERS = ["Location", "X-Truncated", "Retry-After", "WWW-Authenticate", "ETag", "Content-Disposition"]
MCP_TOKEN: str = ENV["MCP_TOKEN"]

READERS: int = ENV["READERS"]
IO_WORKERS: int = ENV["IO_WORKERS"]
ADMIN_PASSWORD: str = ENV["ADMIN_PASSWORD"]

NEO4J_URL: str = ENV["NEO4J_URL"]
NEO4J_USER: str = ENV["NEO4J_USER"]
NEO4J_PASSWORD: str = ENV["NEO4J_PASSWORD"]
NEO4J_DATABASE: str = ENV["NEO4J_DATABASE"]
NEO4J_READER_USER: str = ENV["NEO4J_READER_USER"]
NEO4J_READER_PASSWORD: str = ENV["NEO4J_READER_PASSWORD"]
CYPHER_SECONDS: float = ENV["CYPHER_SECONDS"]
CYPHER_AT_ONCE: int = ENV["CYPHER_AT_ONCE"]

CHECKPOINT: Path = ENV["CHECKPOINT"] or ROOT / "extraction" / "weights" / "eega-news"
EXTRACTOR: str = ENV["EXTRACTOR"]
PARSER: str = ENV["PARSER"]
FLOOR: float | None = ENV["FLOOR"]
THRESHOLD: dict[str, float] = ENV["THRESHOLD"]
DEVICE: str = ENV["DEVICE"]
DETECTOR_WEIGHTS: str | Path | None = ENV["DETECTOR_WEIGHTS"]
FACE_WEIGHTS: str | Path | None = ENV["FACE_WEIGHTS"]
DEPTH_MODEL: str | Path | None = ENV["DEPTH_MODEL"]
GROUNDING_MODEL: str | Path | None = ENV["GROUNDING_MODEL"]
REGION_FEATURES: str | Path | None = ENV["REGION_FEATURES"]
PREDICATE_CLASSIFIER: str = ENV["PREDICATE_CLASSIFIER"]
PICTURES_PER_POST: int = ENV["PICTURES_PER_POST"]
PICTURE_OBJECTS: int = ENV["PICTURE_OBJECTS"]
PICTURE_FACES: int = ENV["PICTURE_FACES"]
READ_AGAIN_FOR_PICTURES: bool = ENV["READ_AGAIN_FOR_PICTURES"]
PICTURE_DAYS: int = ENV["PICTURE_DAYS"]
BODY_DAYS: int = ENV["BODY_DAYS"]
READINGS_KEPT: int = ENV["READINGS_KEPT"]

DATASETS_DIR: Path | None = ENV["DATASETS_DIR"]
DATASET_MB: int = ENV["DATASET_MB"]
TRAIN_RUNS: int = ENV["TRAIN_RUNS"]

FETCH_ALLOW: tuple[tuple[str, int], ...] = ENV["FETCH_ALLOW"]
KNOWLEDGE: tuple[str, ...] = ENV["KNOWLEDGE"]
WIKIDATA_API_URL: str = ENV["WIKIDATA_API_URL"]
WIKIDATA_SPARQL_URL: str = ENV["WIKIDATA_SPARQL_URL"]
DBPEDIA_LOOKUP_URL: str = ENV["DBPEDIA_LOOKUP_URL"]
DBPEDIA_SPARQL_URL: str = ENV["DBPEDIA_SPARQL_URL"]
KNOWLEDGE_DAYS: int = ENV["KNOWLEDGE_DAYS"]
FACTS_READ_AGAIN: bool = ENV["FACTS_READ_AGAIN"]
FETCH_SECONDS: float = ENV["FETCH_SECONDS"]
FETCH_HOST_SECONDS: float = ENV["FETCH_HOST_SECONDS"]
FETCH_ROBOTS: bool = ENV["FETCH_ROBOTS"]
RECHECK_HOURS: tuple[float, ...] = ENV["RECHECK_HOURS"]
CONTACT_URL: str = ENV["CONTACT_URL"]

BROKER_URL: str = ENV["BROKER_URL"] or "filesystem://localhost//"
BROKER_FOLDER = DATA_DIR / "broker"
