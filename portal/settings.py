"""All settings of Portal, each read from the environment with a default that is safe for a first try.

Without any variable set, Portal runs embedded: SQLite, a file broker, debug off, secrets made once under ``var/``.
``portal/checks.py`` explains every combination that cannot work.
"""

from __future__ import annotations

import contextlib
import os
import secrets as random_secrets
import sys
from pathlib import Path

import environ
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
VAR = Path(env("PORTAL_VAR", default=str(BASE_DIR / "var")))
VAR.mkdir(parents=True, exist_ok=True)


def kept_secret(name: str, *, fernet: bool = False) -> str:
    """The variable ``name``, or a secret made once and kept in a file that only this user can read."""
    given = env(name, default="")
    if given:
        return str(given)
    path = VAR / "secrets" / name.lower()
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        made = Fernet.generate_key().decode() if fernet else random_secrets.token_urlsafe(48)
        mine = path.with_name(f".{path.name}.{os.getpid()}")
        mine.touch(mode=0o600)
        mine.write_text(made)
        with contextlib.suppress(FileExistsError):
            os.link(mine, path)  # whichever of several starting processes comes first wins
        mine.unlink()
    return path.read_text().strip()


DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = kept_secret("SECRET_KEY")
PORTAL_FIELD_KEYS = [k for k in kept_secret("PORTAL_FIELD_KEYS", fernet=True).split(",") if k]
PORTAL_DIGEST_KEY = kept_secret("PORTAL_DIGEST_KEY")
PORTAL_BASE_URL = env("PORTAL_BASE_URL", default="http://127.0.0.1:8000").rstrip("/")
PORTAL_DEMO = env.bool("PORTAL_DEMO", default=False)
HTTPS = env.bool("HTTPS", default=PORTAL_BASE_URL.startswith("https://"))
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]", "testserver"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[PORTAL_BASE_URL])

# Demo peers; a real hotel sets its own addresses on the screens of Settings.
SIMLOCK_URL = env("SIMLOCK_URL", default="http://127.0.0.1:8001").rstrip("/")
SIMLOCK_TOKEN = env("SIMLOCK_TOKEN", default="demo-lock-token")
TTLOCK_URL = env("TTLOCK_URL", default="http://127.0.0.1:8004").rstrip("/")
SEAM_URL = env("SEAM_URL", default="http://127.0.0.1:8005").rstrip("/")
CLOUDBEDS_URL = env("CLOUDBEDS_URL", default="https://hotels.cloudbeds.com").rstrip("/")
CLOUDBEDS_API_URL = env("CLOUDBEDS_API_URL", default=CLOUDBEDS_URL).rstrip("/")
CLOUDBEDS_CLIENT_ID = env("CLOUDBEDS_CLIENT_ID", default="portal-demo")
CLOUDBEDS_CLIENT_SECRET = env("CLOUDBEDS_CLIENT_SECRET", default="demo-secret")
MEWS_URL = env("MEWS_URL", default="https://app.mews.com").rstrip("/")
MEWS_API_URL = env("MEWS_API_URL", default="https://api.mews.com").rstrip("/")
MEWS_CLIENT_ID = env("MEWS_CLIENT", default="Portal 1.0.0")
MEWS_CLIENT_SECRET = env("MEWS_CLIENT_TOKEN", default="portal-demo-client-token")
MEWS_HOOK_SECRET = env("MEWS_HOOK_SECRET", default="")

# Delivery. Seconds; tests and the demo scale them.
SWEEP_EVERY_S = env.float("SWEEP_EVERY_S", default=2.0)
POLL_LOCKS_EVERY_S = env.float("POLL_LOCKS_EVERY_S", default=2.0)
PROBE_PMS_EVERY_S = env.float("PROBE_PMS_EVERY_S", default=30.0)
PMS_TIMEOUT_S = env.float("PMS_TIMEOUT_S", default=10.0)
PMS_CALLS_A_SECOND = env.int("PMS_CALLS_A_SECOND", default=8)
READ_PMS_EVERY_S = env.float("READ_PMS_EVERY_S", default=300.0)
SWEEP_PMS_EVERY_S = env.float("SWEEP_PMS_EVERY_S", default=3600.0)
DRIVER_TIMEOUT_S = env.float("DRIVER_TIMEOUT_S", default=10.0)
READ_BACK_AFTER_S = env.list("READ_BACK_AFTER_S", cast=float, default=[30.0, 120.0])
TEND_LOCKS_EVERY_S = env.float("TEND_LOCKS_EVERY_S", default=10.0)
LOCK_HEALTH_EVERY_S = env.float("LOCK_HEALTH_EVERY_S", default=3600.0)
READ_BACK_ALL_EVERY_S = env.float("READ_BACK_ALL_EVERY_S", default=6 * 3600.0)
RETRY_OFFLINE_S = env.list(
    "RETRY_OFFLINE_S", cast=float, default=[60.0, 300.0, 900.0, 1800.0, 3600.0, 5400.0]
)
RETRY_SOON_S = env.list("RETRY_SOON_S", cast=float, default=[2.0, 5.0, 15.0, 60.0, 300.0])
ACCEPTED_PATIENCE_S = env.float("ACCEPTED_PATIENCE_S", default=900.0)
OVERDUE_GRACE_S = env.float("OVERDUE_GRACE_S", default=60.0)
MESSAGES_EVERY_S = env.float("MESSAGES_EVERY_S", default=15.0)
ALERTS_EVERY_S = env.float("ALERTS_EVERY_S", default=15.0)
ALERT_GRACE_S = env.float("ALERT_GRACE_S", default=60.0)
PMS_SILENT_AFTER_S = env.float("PMS_SILENT_AFTER_S", default=40 * 60.0)
ARRIVALS_AT_RISK_S = env.float("ARRIVALS_AT_RISK_S", default=2 * 3600.0)
DELIVERY_ROUND_S = env.float("DELIVERY_ROUND_S", default=20.0)
DELIVERY_MAX_WRITERS = env.int("DELIVERY_MAX_WRITERS", default=2000)
BULK_PAUSE_S = env.float(
    "BULK_PAUSE_S", default=0.02
)  # so that others get to write between two keys
RECOVERY_CHUNK = env.int("RECOVERY_CHUNK", default=5000)  # reservations in one transaction

INSTALLED_APPS = [
    "portal.apps.PortalConfig",
    "keys.apps.KeysConfig",
    "pms.apps.PMSConfig",
    "locks.apps.LocksConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "lucide",
    "simple_history",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "csp",
]
MIDDLEWARE = [
    "portal.middleware.ShortForWebhooks",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_FORM_FIELD = "username"
AXES_ENABLE_ADMIN = False
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in/"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.page",
            ],
            "builtins": ["template_partials.templatetags.partials"],
        },
    }
]

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR}/portal.sqlite3")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE: a transaction that reads and then writes must not lose to "database is locked". The file is not mapped
    # into memory: that saves little here, and a mapping in trouble looks like a malformed database.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": (
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
            "PRAGMA journal_size_limit=27103364;PRAGMA cache_size=2000;"
        ),
    }
    DATABASES["default"]["TEST"] = {"NAME": str(VAR / "test.sqlite3")}
else:
    # The pool belongs to processes that live long with threads; Celery's prefork would close it after each task.
    DATABASES["default"]["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 12, "timeout": 10}}
    # A restarted server leaves dead connections in the pool: each is tried before it is handed out.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = env("CELERY_BROKER_URL", default="filesystem://")
CELERY_TASK_IGNORE_RESULT = True
# Rows are the queue, so a message may be lost once it is taken; acknowledging it late ends a worker that loses its broker.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 4
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1}
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = env("CELERY_QUEUE", default="portal")
if CELERY_BROKER_URL.startswith("filesystem"):
    queue = Path(env("BROKER_FOLDER", default=str(VAR / "broker")))
    for folder in ("q", "control", "processed"):
        (queue / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(queue / "q"),
        "data_folder_out": str(queue / "q"),
        "control_folder": str(queue / "control"),
        "processed_folder": str(queue / "processed"),
        "polling_interval": 0.05,
    }
elif CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 120,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
    }

LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = VAR / "static"
TESTING = "pytest" in sys.modules
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING or DEBUG
        else "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        if PORTAL_DEMO  # on loopback: half a minute of compressing would buy nothing
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = TESTING or DEBUG

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF, CLOUDBEDS_URL],
        "frame-ancestors": [NONE],
        "base-uri": [SELF],
        "object-src": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_HTTPONLY = False
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
if env.bool("BEHIND_PROXY", default=HTTPS):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

EMAIL_CONFIG = env.email("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = (
    EMAIL_CONFIG.get("EMAIL_TIMEOUT") or 10
)  # seconds; a mail server that hangs keeps nobody
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Portal <portal@localhost>")
# An SMS gateway that takes a POST of JSON; without one, and without a mail server, messages to guests become files.
SMS_URL = env("SMS_URL", default="")
SMS_TOKEN = env("SMS_TOKEN", default="")
SMS_FROM = env("SMS_FROM", default="")
SMS_TO_FIELD = env("SMS_TO_FIELD", default="to")
SMS_TEXT_FIELD = env("SMS_TEXT_FIELD", default="text")
SMS_FROM_FIELD = env("SMS_FROM_FIELD", default="from")
GUEST_MESSAGES_FOLDER = env("GUEST_MESSAGES_FOLDER", default=str(VAR / "messages"))

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.api.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["portal.api.ByRole"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "portal.api.explain_exception",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_THROTTLE_CLASSES": ["portal.api.PerToken"],
}
API_RATE = env("API_RATE", default="1200/min")  # of one token, counted in each process
SPECTACULAR_SETTINGS = {
    "TITLE": "Portal API",
    "DESCRIPTION": "Keys, doors, locks, reservations and the reason behind every code that is not on its lock.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_NAME_OVERRIDES": {
        "CredentialKind": "locks.models.KindChoice",
        "AlertKind": "keys.telling_models.Alert.Kind",
        "EpisodeKind": "locks.log_models.Episode.Kind",
        "KeyState": "keys.api_shapes.STATES",
        "ReservationState": "pms.models.Reservation.State",
        "IntegrationState": "pms.models.Integration.State",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "portal.api.add_problems",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "portal.logs.Masked",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        }
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
        }
    },
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
    "loggers": {"httpx2": {"level": "WARNING"}, "httpcore2": {"level": "WARNING"}},
}
