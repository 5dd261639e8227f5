"""All settings, read from the environment only. `docs/settings.md` lists each one; a test holds the two together."""

from __future__ import annotations

import os
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from config import env
from config.redis_options import redis_options

BASE_DIR = Path(__file__).resolve().parent.parent
_MEBIBYTE = 1024 * 1024

DEBUG = env.flag("SPANWISE_DEBUG")
DATA_DIR = Path(env.text("SPANWISE_DATA_DIR", str(BASE_DIR / "data"))).resolve()
PORT = env.number("PORT", 3000)
#: there while the supervisor ends the processes
STOPPING_FILE = Path(env.text("SPANWISE_RUN_DIR", str(DATA_DIR / "run"))) / "stopping"
_local = env.running_instance(DATA_DIR)

# --- Secrets. Made on first start and kept in the data folder unless given. ------------------------------
_secrets_dir = DATA_DIR / "secrets"
SECRET_KEY = env.text("NEXTAUTH_SECRET") or env.secret("SECRET_KEY", _secrets_dir)
SALT = env.secret("SALT", _secrets_dir)
ENCRYPTION_KEY = env.secret("ENCRYPTION_KEY", _secrets_dir)
#: still read, while all that they sealed is not sealed anew
OLD_ENCRYPTION_KEYS = env.words("SPANWISE_OLD_ENCRYPTION_KEYS")
#: opens every project to whoever runs the instance; without one that way is closed
ADMIN_API_KEY = env.text("ADMIN_API_KEY")

# --- Addresses -------------------------------------------------------------------------------------------
#: what people type into the browser; links in e-mails, OAuth redirects and cookies follow it
PUBLIC_URL = (env.text("NEXTAUTH_URL") or f"http://localhost:{PORT}").rstrip("/")
ALLOWED_HOSTS = env.words("SPANWISE_ALLOWED_HOSTS", ("*",))
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
_is_https = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _is_https
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = _is_https and env.flag("SPANWISE_SSL_REDIRECT")
# A redirect would turn a POST into a GET, and monitors inside the network ask without TLS.
SECURE_REDIRECT_EXEMPT = [r"^/*api/"]
SECURE_HSTS_SECONDS = 31_536_000 if _is_https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _is_https
# Signed addresses of media are those that the client itself used, whatever a proxy calls us. Who lies here gets
# addresses that do not work.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
USE_X_FORWARDED_HOST = True
#: How many proxies stand in front and may be believed when they say who asks (X-Forwarded-For).
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("SPANWISE_TRUSTED_PROXIES", 0)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "django_celery_beat",
    "django_htmx",
    "lucide",
    "rest_framework",
    "template_partials",
    "config",
    "accounts",
    "tracing",
    "prompts",
    "evals",
]

MIDDLEWARE = [
    # Ingestion answers here, before sessions, messages and the rest: it needs none of them, and 1,500 requests
    # a second do.
    "config.middleware.IngestFastPath",
    "config.middleware.DeliveryFastPath",
    "config.middleware.Hosts",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.middleware.PartRedirects",
    "config.middleware.LoginRequired",
    "config.middleware.ReadersTimeZone",
    "config.middleware.Errors",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
CSRF_FAILURE_VIEW = "config.views.unknown_form"
APPEND_SLASH = False  # the public API has no trailing slashes, and a redirect would lose a POST
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

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
                "config.rendering.navigation",
            ],
            "builtins": ["django.templatetags.static", "template_partials.templatetags.partials"],
        },
    }
]

# --- Relational store ------------------------------------------------------------------------------------
_database_url = env.database_url(f"sqlite:///{DATA_DIR / 'spanwise.sqlite3'}")
DATABASES = {"default": environ.Env.db_url_config(_database_url)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # FULL: what was set aside, and the rows of files, must survive a power cut; their inbox entry is deleted next.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=20000;",
        "transaction_mode": "IMMEDIATE",  # a read that turns into a write would otherwise fail with "locked"
        "timeout": 20,
    }
    DATABASES["default"]["CONN_MAX_AGE"] = None
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 300
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

# --- Broker, cache, locks --------------------------------------------------------------------------------
REDIS = redis_options(_local)
#: whether other machines may have workers on it; one that was started here has one worker
BROKER_IS_SHARED = "redis_port" not in _local
CACHES = {
    "default": {
        "BACKEND": "config.cache.DispensableCache",
        "LOCATION": REDIS.cache_location,
        "KEY_PREFIX": "cache",
        # A page must come up without its cache when the broker is away.
        "OPTIONS": {
            "IGNORE_EXCEPTIONS": True,
            "SOCKET_CONNECT_TIMEOUT": 1,
            "SOCKET_TIMEOUT": 2,
            **REDIS.cache_options,
        },
    }
}
DJANGO_REDIS_IGNORE_EXCEPTIONS = True

CELERY_BROKER_URL = REDIS.celery_url
CELERY_BROKER_USE_SSL = REDIS.tls or None
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "tracing.tasks.drain_inbox": "ingest",
    "tracing.tasks.sweep_inbox": "ingest",
    "evals.tasks.*": "evals",
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Whoever rings while the broker is away must not wait for it: sweeps find what was not told.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
    **REDIS.celery_transport,
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"

# --- Analytics store -------------------------------------------------------------------------------------
ANALYTICS_BACKEND = env.text("LANGFUSE_ANALYTICS_BACKEND", "clickhouse")
CLICKHOUSE_URL = env.text("CLICKHOUSE_URL") or _local.get("clickhouse_url", "http://127.0.0.1:8123")
CLICKHOUSE_USER = env.text("CLICKHOUSE_USER", "default")
CLICKHOUSE_PASSWORD = env.text("CLICKHOUSE_PASSWORD") or _local.get("clickhouse_password", "")
CLICKHOUSE_DB = env.text("CLICKHOUSE_DB", "default")
CLICKHOUSE_CLUSTER_ENABLED = env.flag("CLICKHOUSE_CLUSTER_ENABLED")
CLICKHOUSE_CLUSTER_NAME = env.text("CLICKHOUSE_CLUSTER_NAME", "default")
if ANALYTICS_BACKEND not in ("clickhouse", "doris"):
    raise ImproperlyConfigured(f"LANGFUSE_ANALYTICS_BACKEND must be clickhouse or doris, not {ANALYTICS_BACKEND!r}")
DORIS_FE_HTTP_URL = env.text("DORIS_FE_HTTP_URL", "http://127.0.0.1:8030")
#: MySQL's protocol, on the host of the URL above
DORIS_FE_QUERY_PORT = env.number("DORIS_FE_QUERY_PORT", 9030)
DORIS_DB = env.text("DORIS_DB", "langfuse")
DORIS_USER = env.text("DORIS_USER", "root")
DORIS_PASSWORD = env.text("DORIS_PASSWORD")
#: where loads go, if not where the FE sends them; and hosts that it may send them to besides those it lists as backends
DORIS_BE_HTTP_URL = env.text("DORIS_BE_HTTP_URL")
DORIS_BE_HOSTS = env.words("DORIS_BE_HOSTS")
#: a certificate authority: queries are then encrypted
DORIS_SSL_CA = env.text("DORIS_SSL_CA")
DORIS_MAX_OPEN_CONNECTIONS = env.number("DORIS_MAX_OPEN_CONNECTIONS", 32)
DORIS_REQUEST_TIMEOUT_SECONDS = env.number("DORIS_REQUEST_TIMEOUT_MS", 300_000) / 1000
#: copies of each row: 0 is three where three backends are registered, else one
DORIS_REPLICATION_NUM = env.number("DORIS_REPLICATION_NUM", 0)
#: in each month of each table
DORIS_BUCKETS = env.number("DORIS_BUCKETS", 8)
DORIS_MIGRATION_DISABLED = env.flag("LANGFUSE_AUTO_DORIS_MIGRATION_DISABLED")

# --- Blobs: inbox, media, exports ------------------------------------------------------------------------
BLOB_DIR = DATA_DIR / "blobs"
INBOX_DIR = DATA_DIR / "inbox"
#: With a bucket, what was accepted waits there instead, where workers on other machines find it.
INBOX_BUCKET = env.bucket("LANGFUSE_S3_EVENT_UPLOAD")
MEDIA_MAX_BYTES = env.number("LANGFUSE_S3_MEDIA_MAX_CONTENT_LENGTH", 1_000_000_000)

#: With a bucket, clients put media there and get them there, at the endpoint named here.
_media_bucket = env.text("LANGFUSE_S3_MEDIA_UPLOAD_BUCKET")
_media_key = env.text("LANGFUSE_S3_MEDIA_UPLOAD_ACCESS_KEY_ID")
_media_endpoint = env.text("LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT")
_media_inside = env.text("SPANWISE_S3_MEDIA_INTERNAL_ENDPOINT")
# In a container the address that clients use leads nowhere. The bucket of events, where it is the same one, is named
# by the address inside: compose files written for Langfuse work as they are.
_events_bucket = (env.text("LANGFUSE_S3_EVENT_UPLOAD_BUCKET"), env.text("LANGFUSE_S3_EVENT_UPLOAD_ACCESS_KEY_ID"))
if not _media_inside and _events_bucket == (_media_bucket, _media_key):
    _media_inside = env.text("LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT")
_media_folder = {
    "BACKEND": "config.folders.Folder",
    "OPTIONS": {"location": str(BLOB_DIR)},
}
_media_in_bucket = {
    "BACKEND": "config.buckets.Bucket",
    "OPTIONS": {
        "bucket_name": _media_bucket,
        "location": env.text("LANGFUSE_S3_MEDIA_UPLOAD_PREFIX"),
        "region_name": env.text("LANGFUSE_S3_MEDIA_UPLOAD_REGION") or None,
        "endpoint_url": _media_inside or _media_endpoint or None,
        "client_endpoint_url": _media_endpoint or None,
        # Without a key the machine's own identity counts.
        "access_key": _media_key or None,
        "secret_key": env.text("LANGFUSE_S3_MEDIA_UPLOAD_SECRET_ACCESS_KEY") or None,
        "force_path_style": env.flag("LANGFUSE_S3_MEDIA_UPLOAD_FORCE_PATH_STYLE"),
    },
}

# --- Ingestion limits ------------------------------------------------------------------------------------
#: The Python SDK drops batches over 64 MiB before sending, so a little more must fit. Measured after decompression.
OTLP_MAX_BYTES = env.number("SPANWISE_OTLP_MAX_BYTES", 80 * _MEBIBYTE)
#: Langfuse's documented limit is 4.5 MB; there is no reason to refuse what we can store.
INGESTION_MAX_BYTES = env.number("SPANWISE_INGESTION_MAX_BYTES", 16 * _MEBIBYTE)
#: What a public key alone may hand in, as every page that asks for feedback holds it: bytes of one request, and scores
#: a minute from one address and with one key in all. 0 is without bound.
FEEDBACK_MAX_BYTES = env.number("SPANWISE_FEEDBACK_MAX_BYTES", 256 * 1024)
FEEDBACK_PER_MINUTE_OF_ADDRESS = env.number("SPANWISE_FEEDBACK_PER_MINUTE_OF_ADDRESS", 60)
FEEDBACK_PER_MINUTE_OF_KEY = env.number("SPANWISE_FEEDBACK_PER_MINUTE_OF_KEY", 6_000)
#: Requests a minute from one address for traces that were opened to everybody; one look at a trace is about five.
PUBLIC_READS_PER_MINUTE_OF_ADDRESS = env.number("SPANWISE_PUBLIC_READS_PER_MINUTE_OF_ADDRESS", 600)
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * _MEBIBYTE
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

# --- Playground ------------------------------------------------------------------------------------------
#: how many calls of models a project's playgrounds make at once, and how many one worker makes for all projects
PLAYGROUND_RUNS_PER_PROJECT = env.number("SPANWISE_PLAYGROUND_RUNS_PER_PROJECT", 20)
PLAYGROUND_RUNS_PER_WORKER = env.number("SPANWISE_PLAYGROUND_RUNS_PER_WORKER", 20)

# --- Evaluation ------------------------------------------------------------------------------------------
#: calls that one worker makes at once for the judges of all projects; providers limit them, too
JUDGEMENTS_PER_WORKER = env.number("SPANWISE_JUDGEMENTS_PER_WORKER", 8)
#: seconds after an attempt that failed until the next one; after the last there is none
JUDGEMENT_RETRY_SECONDS = [
    int(text) for text in env.words("SPANWISE_JUDGEMENT_RETRY_SECONDS", ("5", "30", "120", "600"))
]
#: after this long without an answer, a judge's call is given up and counts as an attempt that failed
JUDGEMENT_TIMEOUT_SECONDS = env.number("SPANWISE_JUDGEMENT_TIMEOUT_SECONDS", 300)
#: days after which a judgement forgets what was sent and answered, and after which a test of an evaluator is removed;
#: 0 keeps them
JUDGEMENT_LOG_DAYS = env.number("SPANWISE_JUDGEMENT_LOG_DAYS", 90)
TRIAL_DAYS = env.number("SPANWISE_TRIAL_DAYS", 7)
#: how many items of experiments one worker runs at once, for all projects
EXPERIMENT_RUNS_PER_WORKER = env.number("SPANWISE_EXPERIMENT_RUNS_PER_WORKER", 8)

# --- Requests to addresses that people typed (config/outgoing.py) -----------------------------------------
#: hosts and networks that are private and may be reached nevertheless, for each purpose
_for_all = env.words("SPANWISE_OUTGOING_ALLOWED")
OUTGOING_ALLOWED = {
    "llm": [
        *_for_all,
        *env.words("LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST"),
        *env.words("LANGFUSE_LLM_CONNECTION_WHITELISTED_IPS"),
        *env.words("LANGFUSE_LLM_CONNECTION_WHITELISTED_IP_SEGMENTS"),
    ],
    "webhook": [
        *_for_all,
        *env.words("LANGFUSE_WEBHOOK_WHITELISTED_HOST"),
        *env.words("LANGFUSE_WEBHOOK_WHITELISTED_IPS"),
        *env.words("LANGFUSE_WEBHOOK_WHITELISTED_IP_SEGMENTS"),
    ],
}
#: whether admins of projects may let this machine's own identity pay for Bedrock and Vertex
MACHINE_CREDENTIALS_ALLOWED = env.flag("SPANWISE_MACHINE_CREDENTIALS")

# --- People ----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"signup": "accounts.forms.SignUpForm"}
SIGN_UP_DISABLED = env.flag("AUTH_DISABLE_SIGNUP")
_mail_url = env.text("SMTP_CONNECTION_URL")
# Without a mail server a mail is a line in the log, where whoever runs the instance finds the link to a new password.
_mail = environ.Env.email_url_config(_mail_url or "consolemail://")
EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _mail.get("EMAIL_HOST") or "localhost", _mail.get("EMAIL_PORT") or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.get("EMAIL_HOST_USER") or "", _mail.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM_ADDRESS", "spanwise@localhost")

# --- Language, time, files -------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("SPANWISE_STATIC_DIR", str(BASE_DIR / ".build" / "static")))
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("vendor/inter", BASE_DIR / "node_modules/@fontsource-variable/inter/files"),
    ("vendor/dagre", BASE_DIR / "node_modules/@dagrejs/dagre/dist"),
    ("vendor/jetbrains-mono", BASE_DIR / "node_modules/@fontsource-variable/jetbrains-mono/files"),
]
#: Of packages whose folders are too large to serve: path below /static/vendor/, and the file in node_modules.
VENDOR_FILES = {
    "echarts/echarts.js": "echarts/dist/echarts.esm.min.js",
    "gridstack/gridstack.js": "gridstack/dist/gridstack-all.js",
    "gridstack/gridstack-all.js.map": "gridstack/dist/gridstack-all.js.map",
    "gridstack/gridstack.css": "gridstack/dist/gridstack.min.css",
}
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "config.assets.VendorFinder",
]
STORAGES = {
    "default": _media_in_bucket if _media_bucket else _media_folder,
    "staticfiles": {"BACKEND": "config.assets.StaticStorage"},
}

# Nothing inline, nothing from elsewhere. Traced content is hostile; this is the last of several walls.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "media-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

#: The version of the API we speak: clients pick their contract by it. Ours is in `config.__version__`.
LANGFUSE_API_VERSION = "4.35.0"
# What the public API needs is named on `config.api.views.PublicView`. A view that forgets to build on it is closed.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "config.api.openapi.PublicSchema",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Spanwise public API",
    "DESCRIPTION": (
        "Reads and writes of one project. Sign in with HTTP Basic: the public key as user, the secret key as password. "
        "Bodies are JSON in UTF-8, times are ISO 8601 with an offset, unknown parameters are ignored unless a route "
        "says that it is strict."
    ),
    "VERSION": LANGFUSE_API_VERSION,
    "SERVERS": [{"url": "/", "description": "The instance that serves this document."}],
    "SCHEMA_PATH_PREFIX": "/api/public/",
    "OAS_VERSION": "3.1.0",
    "CAMELIZE_NAMES": True,
    "SORT_OPERATIONS": False,
    "POSTPROCESSING_HOOKS": [],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "projectKey": {
                "type": "http",
                "scheme": "basic",
                "description": "A project's key: the public key as user, the secret key as password.",
            },
            "organizationKey": {
                "type": "http",
                "scheme": "basic",
                "description": "An organization's key: the public key as user, the secret key as password.",
            },
            "publicKey": {
                "type": "http",
                "scheme": "bearer",
                "description": "A project's public key alone, as browsers may hold it. It only adds scores.",
            },
        }
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LANGFUSE_LOG_LEVEL", "info").upper()},
}
