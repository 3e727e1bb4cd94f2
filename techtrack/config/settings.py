"""Every setting of the platform, read from the environment; deploy/env.example lists them with their meaning."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import dj_database_url
from environ import Env as Urls

from techtrack.config.env import BadSetting, Env, kept_secret, made_folder, older_secrets
from techtrack.core.destinations import Allowance, RefusedDestination, read_url

BASE_DIR = Path(__file__).resolve().parents[2]
env = Env(BASE_DIR / ".env")

HOME = Path(env.text("TECHTRACK_HOME", "var")).absolute()
DEBUG = env.flag("DEBUG", default=False)
ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?")
WEAK_SECRETS = {"changeme", "secret", "django-insecure"}


def _secret(name: str, file: str) -> str:
    value = env.text(name)
    return _strong(name, value) if value else kept_secret(HOME / "secrets" / file)


def _strong(name: str, value: str) -> str:
    if len(value) < 32 or any(value.startswith(weak) for weak in WEAK_SECRETS):  # noqa: PLR2004 - 256 bits
        raise BadSetting(f"{name} is too short or well known; leave it out and a good one is made.")
    return value


SECRET_KEY = _secret("SECRET_KEY", "secret_key")
# Those before it: what was sealed or signed with one is still read, and sealed anew with the present one.
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS")
JWT_KEY = _secret("TECHTRACK_JWT_KEY", "jwt_key")
# Tokens signed with these are good as well; with JWT_KEY alone are new ones signed.
JWT_OLD_KEYS = [_strong("TECHTRACK_JWT_OLD_KEYS", key) for key in env.items("TECHTRACK_JWT_OLD_KEYS")]
JWT_OLD_KEYS += older_secrets(HOME / "secrets" / "jwt_key")
ACCESS_TOKEN_SECONDS = env.number("TECHTRACK_ACCESS_TOKEN_SECONDS", 600)
SESSION_DAYS = env.number("TECHTRACK_SESSION_DAYS", 30)
SESSION_IDLE_DAYS = env.number("TECHTRACK_SESSION_IDLE_DAYS", 7)
REGISTRATION = env.text("REGISTRATION", "open")
if REGISTRATION not in {"open", "invite", "closed"}:
    raise BadSetting(f"REGISTRATION={REGISTRATION} is not open, invite or closed.")

# -- Where it is served -----------------------------------------------------------------------------------
HOST = env.text("HOST", "127.0.0.1")
PORT = env.number("PORT", 8000)
PUBLIC_URL = env.text("TECHTRACK_PUBLIC_URL", f"http://{HOST}:{PORT}").rstrip("/")
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS")
# Pages of these origins may ask the API and open sockets, with a token of theirs: cookies are for our own pages.
CORS_ALLOWED_ORIGINS = env.items("CORS_ALLOWED_ORIGINS")
if not all(ORIGIN.fullmatch(origin) for origin in CORS_ALLOWED_ORIGINS):
    raise BadSetting("CORS_ALLOWED_ORIGINS are of the form https://app.example.org, without a path and without *.")
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "idempotency-key", "if-match", "if-none-match"]
CORS_ALLOW_HEADERS += ["x-api-key", "x-request-id"]
CORS_EXPOSE_HEADERS = ["ETag", "Link", "Location", "Retry-After", "X-Request-ID"]
CORS_EXPOSE_HEADERS += ["RateLimit", "RateLimit-Policy", "Idempotency-Replayed"]
SECURE = env.flag("TECHTRACK_HTTPS", default=PUBLIC_URL.startswith("https://"))
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
# Pages read the token from themselves.
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
if SECURE:
    # A browser takes cookies of these names from this host alone, and only over HTTPS.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
# Behind a proxy that sets them, X-Forwarded-Proto and X-Forwarded-For are believed; without one they must not be.
BEHIND_PROXY = env.flag("TECHTRACK_BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# People are led from http to https. Programs are not: one that sends its credentials in the open should fail.
SECURE_SSL_REDIRECT = SECURE and BEHIND_PROXY
SECURE_REDIRECT_EXEMPT = ["^api/", "^(healthz|readyz|metrics)$"]
# Without a proxy there is no http: `techtrack up --certfile` serves https alone.
SILENCED_SYSTEM_CHECKS = [] if BEHIND_PROXY else ["security.W008"]
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "techtrack.config.errors.csrf_failure"
MAX_BODY = env.number("TECHTRACK_MAX_BODY", 32 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY
WEB_CONCURRENCY = env.number("WEB_CONCURRENCY", 3)
# Requests in work or in line for a thread, beyond which one is refused (503) before its body is read.
WAITING_REQUESTS = env.number("TECHTRACK_WAITING_REQUESTS", 100)
# How many processes `techtrack up` serves in.
PROCESSES = env.number("TECHTRACK_PROCESSES", 1)
if PROCESSES < 1:
    raise BadSetting(f"TECHTRACK_PROCESSES={PROCESSES} is less than one.")

# -- What it is made of -----------------------------------------------------------------------------------
DEMO = env.flag("TECHTRACK_DEMO", default=False)
APPS = [
    "core",
    "accounts",
    "live",
    "assets",
    "telemetry",
    "alerts",
    "environment",
    "notifications",
    "tasks",
    "integrations",
    "reports",
    "watch",
    "web",
]
INSTALLED_APPS = [
    # First, so that its runserver and test are the ones that Django finds.
    "techtrack.config",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    *(f"techtrack.{name}" for name in APPS),
    "techtrack.demo",
]
MIDDLEWARE = [
    "techtrack.core.http.RequestIdMiddleware",
    "techtrack.core.http.MetricsMiddleware",
    # Outside of all that may answer: no answer leaves without them.
    "techtrack.web.security.SecurityHeadersMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "techtrack.accounts.api.acting.ActorMiddleware",
    "techtrack.accounts.api.remembering.ForgetCallersMiddleware",
    "techtrack.core.api.caching.ConditionalMiddleware",
    "techtrack.config.errors.ErrorMiddleware",
    "techtrack.core.http.SlashMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "techtrack.accounts.browsers.BrowserMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "techtrack.config.urls"
WSGI_APPLICATION = "techtrack.config.wsgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
made_folder(STATIC_ROOT)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Static files are found where they lie: no collecting step between a checkout and a page.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ALLOW_ALL_ORIGINS = False
MEDIA_ROOT = HOME / "media"

# -- Where it keeps things --------------------------------------------------------------------------------
# Acknowledged means durable: WAL with synchronous=NORMAL loses acknowledged rows in a power cut.
SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
}


def _database() -> dict[str, Any]:
    url = env.text("DATABASE_URL", f"sqlite:///{HOME / 'techtrack.sqlite3'}")
    try:
        found: dict[str, Any] = dict(dj_database_url.parse(url))
    except Exception as error:  # noqa: BLE001 - the library raises several kinds for a malformed address
        raise BadSetting(f"DATABASE_URL cannot be understood ({type(error).__name__}).") from None
    if found["ENGINE"].endswith("sqlite3"):
        return found | {
            "ENGINE": "techtrack.core.sqlite",
            "OPTIONS": SQLITE,
            # Each thread keeps its connection: opening one and saying the pragmas costs more than most queries.
            "CONN_MAX_AGE": None,
            # Where processes that serve take turns to write; alone, a turn inside of the process is enough.
            "TURN_FILE": HOME / "write.turn" if PROCESSES > 1 else None,
            "TEST": {"NAME": str(HOME / f"test-{found['NAME'] and 'techtrack'}.sqlite3")},
        }
    if not found["ENGINE"].endswith("postgresql"):
        raise BadSetting("DATABASE_URL names neither sqlite nor postgres.")
    # A new connection costs 9 ms, so they are pooled; the pool's wait is short, so that readyz answers. It has room for
    # every thread: of pages and API, the fast door 4 and the writer, firmwares' doors 4, quick reads 4, hub, 24 loops,
    # 8 senders (of up to 48, which hold none while they wait), and asyncio's look-ups of what sockets want (CPUs + 4).
    most = WEB_CONCURRENCY + 46 + min(32, (os.cpu_count() or 1) + 4)
    # Without a server the pool tries again after 1 s, 2 s, 4 s and so on, and nobody is served before that, even
    # if the server is back: 38 s after an outage of 70. Once it has given up it tries when somebody asks: 1 s.
    pool = {"min_size": 1, "max_size": most, "timeout": 5, "reconnect_timeout": 5}
    # What the store asks for the sixth time on a connection is not taken apart and planned again. A pooler in
    # transaction mode that knows no prepared statements (PgBouncer before 1.21) needs ?prepare_threshold=1000000000.
    found["OPTIONS"] = {"prepare_threshold": 5, **found.get("OPTIONS", {}), "pool": pool}
    return found | {"ENGINE": "techtrack.core.postgresql", "CONN_MAX_AGE": 0}


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.text("REDIS_URL")
CACHES = {
    "default": {"BACKEND": "techtrack.core.cache.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# -- Telemetry --------------------------------------------------------------------------------------------
# The log is folded into chunks when an hour has closed, or when it holds so much: each process keeps it in memory.
FOLD_READINGS = env.number("TECHTRACK_FOLD_READINGS", 400_000)
FOLD_SEGMENTS = env.number("TECHTRACK_FOLD_SEGMENTS", 20_000)
# Where nobody folds it, readings are refused (503) beyond so much. It must leave room for folding to become due.
LOG_READINGS = max(env.number("TECHTRACK_LOG_READINGS", 20_000_000), 2 * FOLD_READINGS)
LOG_SEGMENTS = max(env.number("TECHTRACK_LOG_SEGMENTS", 1_000_000), 2 * FOLD_SEGMENTS)

# Beyond so much that waits to be committed, the fast door answers 503 before it reads a body.
INGEST_WAITING_BYTES = env.number("TECHTRACK_INGEST_WAITING_BYTES", 64 * 1024 * 1024)
INGEST_WAITING_READINGS = env.number("TECHTRACK_INGEST_WAITING_READINGS", 500_000)

# -- The live socket --------------------------------------------------------------------------------------
# Seconds between two heartbeats; a client that has gone without a word is found within 1.2 of them.
LIVE_HEARTBEAT = env.number("TECHTRACK_LIVE_HEARTBEAT", 20, kind=float)
if LIVE_HEARTBEAT <= 0:
    raise BadSetting(f"TECHTRACK_LIVE_HEARTBEAT={LIVE_HEARTBEAT:g} is not above zero.")
# How many sockets one process holds: in all, from one address, and of one person or key.
LIVE_SOCKETS = env.number("TECHTRACK_LIVE_SOCKETS", 5000)
LIVE_SOCKETS_PER_ADDRESS = env.number("TECHTRACK_LIVE_SOCKETS_PER_ADDRESS", 1000)
LIVE_SOCKETS_PER_CALLER = env.number("TECHTRACK_LIVE_SOCKETS_PER_CALLER", 200)

# -- People -----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["techtrack.accounts.backends.NameOrEmailBackend"]
# 47 MiB, two passes, one lane: 100 MiB on eight lanes, Django's default, is a denial of service on a small box.
PASSWORD_HASHERS = ["techtrack.accounts.backends.Argon2Hasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# How long the audit log is kept, 0 for ever; and where the head of its chain is noted, outside of the database.
AUDIT_DAYS = env.number("TECHTRACK_AUDIT_DAYS", 1095)
AUDIT_HEAD = HOME / "audit.head"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"

# How often a minute somebody may ask: at the doors to an account from one address (successful logins do not count), for
# letters to one account, of all else of the API one person or key, and one unit push, in one process. 0: without limit.
LIMITS = env.numbers("TECHTRACK_LIMITS", "login=30,register=60,reset=20,letters=5,tests=20,api=30000,push=120")

# -- The API ----------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "techtrack.accounts.api.authentication.TokenAuthentication",
        "techtrack.accounts.api.authentication.KeyAuthentication",
        "techtrack.accounts.api.authentication.BrowserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["techtrack.core.api.permissions.KnownCaller"],
    "DEFAULT_THROTTLE_CLASSES": ["techtrack.core.api.limits.ApiThrottle"],
    "DEFAULT_PARSER_CLASSES": [
        "techtrack.core.api.parsers.StrictJSONParser",
        "techtrack.core.api.parsers.MergePatchParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "techtrack.core.api.pagination.Pages",
    "DEFAULT_FILTER_BACKENDS": [
        "techtrack.core.api.filters.Filters",
        "techtrack.core.api.filters.Ordering",
        "techtrack.core.api.filters.Search",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "techtrack.core.api.problems.handle",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "TechTrack",
    "DESCRIPTION": "Monitors and manages technical equipment and air-quality sensors.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVERS": [{"url": "/"}],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "techtrack.core.api.schema.describe_manners",
    ],
    "ENUM_NAME_OVERRIDES": {
        "SeverityEnum": "techtrack.alerts.domain.condition.SEVERITIES",
        "AlertStateEnum": "techtrack.alerts.models.STATES",
        "TaskStateEnum": "techtrack.tasks.models.State",
        "ReportStateEnum": "techtrack.reports.models.State",
    },
}

# -- Readings and the judge -------------------------------------------------------------------------------
# How long a person's POST of a reading waits for the judge to pass it, in seconds.
JUDGE_WAIT = env.number("TECHTRACK_JUDGE_WAIT", 0.25, kind=float)
# How long an operator may shelve an alert, and an engineer take one out of service.
SHELVE_HOURS = env.number("TECHTRACK_SHELVE_HOURS", 12)
OUT_OF_SERVICE_DAYS = env.number("TECHTRACK_OUT_OF_SERVICE_DAYS", 90)
# How many alerts an asset may raise within ten minutes; further ones of low severity are hidden until it calms.
FLOOD_RAISES = env.number("TECHTRACK_FLOOD_RAISES", 30)
# How long messages are kept that were sent or given up, and what was refused of units that push.
DELIVERY_DAYS = env.number("TECHTRACK_DELIVERY_DAYS", 90)
REJECTED_DAYS = env.number("TECHTRACK_REJECTED_DAYS", 30)
# Whether this process runs the background loops itself (the one-process set-up does).
EMBEDDED_WORKERS = env.flag("TECHTRACK_EMBEDDED_WORKERS", default=True)

# -- Watching itself --------------------------------------------------------------------------------------
# How often each process looks whether all is well; a process that is not heard of for three times as long is dead.
WATCH_SECONDS = env.number("TECHTRACK_WATCH_SECONDS", 15, kind=float)
if not 0 <= WATCH_SECONDS <= 60:  # noqa: PLR2004 - who looks less often would be taken for hanging
    raise BadSetting(f"TECHTRACK_WATCH_SECONDS={WATCH_SECONDS:g} is not between 0 and 60.")
LEAST_DISK = env.number("TECHTRACK_LEAST_DISK", 1024)  # MiB that must stay free
# Pinged every minute while all is well, by those who judge and send: who answers there raises the alarm when it ends.
DEADMAN_URL = env.text("TECHTRACK_DEADMAN_URL")
try:
    if DEADMAN_URL:
        read_url(DEADMAN_URL)
except RefusedDestination as error:
    raise BadSetting(f"TECHTRACK_DEADMAN_URL cannot be used: {error.detail}.") from None

# -- Mail -------------------------------------------------------------------------------------------------
try:
    vars().update(Urls.email_url_config(env.text("EMAIL_URL", "consolemail://")))
except Exception as error:  # noqa: BLE001 - the library raises several kinds for a malformed address
    raise BadSetting(f"EMAIL_URL cannot be understood ({type(error).__name__}).") from None
# Seconds for each wait in a conversation with the mail server; all of it may take three times as long.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "TechTrack <techtrack@localhost>")

# -- Requests that people ask for ------------------------------------------------------------------------
# Seconds for a whole request to a webhook or gateway; they lead to public addresses, and to these hosts and networks.
HTTP_TIMEOUT = 5
PRIVATE_DESTINATIONS = env.items("TECHTRACK_PRIVATE_DESTINATIONS")
try:
    Allowance.of(PRIVATE_DESTINATIONS)
except ValueError as error:
    raise BadSetting(f"TECHTRACK_PRIVATE_DESTINATIONS: {error}.") from None

# -- Words, times, logs -----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
DISPLAY_TIME_ZONE = env.text("TIME_ZONE", "UTC")
LOG_LEVEL = env.text("LOG_LEVEL", "INFO").upper()
LOG_FORMAT = env.text("LOG_FORMAT", "console")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "console": {
            "()": "techtrack.config.logs.LineFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        },
        "json": {"()": "techtrack.config.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "stream": sys.stderr}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # A refused request is the caller's news, not the operator's; the metrics count it.
    "loggers": {
        # It writes down credentials; what it says of a message is kept with the message.
        "apprise": {"level": "WARNING", "propagate": False},
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "psycopg.pool": {"level": "ERROR"},
        "uvicorn": {"level": "WARNING"},
    },
}
if LOG_FORMAT not in LOGGING["formatters"]:  # type: ignore[operator]
    raise BadSetting(f"LOG_FORMAT={LOG_FORMAT} is neither console nor json.")
