"""Settings. Everything a site may change comes from the environment (docs/operations).

LVHENG_HOME      folder of the database, uploads, caches (default: var/ beside the source)
LVHENG_DATABASE  postgresql://user:password@host:port/name; empty = SQLite in LVHENG_HOME
LVHENG_PLANS     folders of plans, or of one plan, separated by os.pathsep (default: plans/)
LVHENG_RULEBOOK  folder of the rulebook (default: rulebook/)
LVHENG_DEBUG     1 for development
LVHENG_SECRET    secret key; without it one is made and kept in LVHENG_HOME
LVHENG_HOSTS     host names, separated by commas
LVHENG_HTTPS     1 behind HTTPS: secure cookies, HSTS, redirect
LVHENG_ENGINE    duckdb, polars, pyspark or numpy
LVHENG_MAIL      smtp://user:password@host:port (587, STARTTLS), smtps:// (465), smtp+plain:// (25, no encryption),
                 file:///folder or console:; empty = files in LVHENG_HOME/mail, nothing is sent
LVHENG_MAIL_FROM sender of mail
LVHENG_ADDRESS   https://host of the site, for links in mail
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

ROOT = Path(__file__).resolve().parents[3]
HOME = Path(os.environ.get("LVHENG_HOME") or ROOT / "var").resolve()
HOME.mkdir(parents=True, exist_ok=True)


def _flag(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on")


def _secret() -> str:
    if given := os.environ.get("LVHENG_SECRET"):
        return given
    path = HOME / "secret.key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


DEBUG = _flag("LVHENG_DEBUG")
HTTPS = _flag("LVHENG_HTTPS")
SECRET_KEY = _secret()
ALLOWED_HOSTS = [h for h in os.environ.get("LVHENG_HOSTS", "127.0.0.1,localhost,[::1]").split(",") if h]
CSRF_TRUSTED_ORIGINS = [f"https://{h}" for h in ALLOWED_HOSTS if HTTPS and not h.startswith("[")]

# Rooms in the order of the import arrows; a room with models, templates or translations is an app.
ROOMS = [
    name
    for name in (
        "plan", "access", "observations", "shell", "credits", "filing", "registers", "telemetry", "energy", "dual_control", "reductions", "projects",
        "market", "economy", "checks", "people", "assessment", "documents", "public", "web",
    )
    if (ROOT / "src" / "lvheng" / name / "apps.py").exists() or name == "web"
]  # fmt: skip
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "django_tasks",
    "django_tasks_db",
    "axes",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    *(f"lvheng.{name}" for name in ROOMS),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "lvheng.filing.faults.PlainFaults",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "lvheng.web.middleware.SwitchedLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "lvheng.web.middleware.OwnChanges",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "lvheng.web.urls"
WSGI_APPLICATION = "lvheng.web.wsgi.application"
ASGI_APPLICATION = "lvheng.web.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "lvheng.shell.context.shell",
            ],
            "builtins": ["lvheng.shell.templatetags.figures"],
        },
    }
]


def _database() -> dict[str, object]:
    given = os.environ.get("LVHENG_DATABASE", "")
    if not given:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": HOME / "lvheng.sqlite3",
            "CONN_MAX_AGE": 600,  # opening the file again for each request costs more than the request
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; PRAGMA mmap_size=268435456;",
            },
        }
    parts = urlsplit(given)
    if parts.scheme not in ("postgresql", "postgres"):
        raise SystemExit("LVHENG_DATABASE 应为 postgresql://用户:口令@主机:端口/库名")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "plan"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "web/locked_out.html"
AXES_VERBOSE = False
OTP_TOTP_ISSUER = "绿衡"

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "中文"), ("en", "English")]
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"
FORMAT_MODULE_PATH = ["lvheng.web.formats"]

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
# Address below /static/ → file of a front-end package (package.json).
FRONT_END = {
    "vendor/echarts.min.js": "echarts/dist/echarts.min.js",
    "vendor/htmx.min.js": "htmx.org/dist/htmx.min.js",
    "vendor/modern-normalize.css": "modern-normalize/modern-normalize.css",
}
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.AppDirectoriesFinder", "lvheng.web.finders.PackageFinder"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": HOME / "uploads"}},
    "staticfiles": {
        "BACKEND": "lvheng.web.storage.HashedStorage"
        if not DEBUG
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_MAX_AGE = 3600

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_SAVE_EVERY_REQUEST = False
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
if HTTPS:
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def _mail() -> dict[str, object]:
    """Django's mail settings from LVHENG_MAIL."""
    given = urlsplit(os.environ.get("LVHENG_MAIL", ""))
    backend = "django.core.mail.backends."
    match given.scheme:
        case "" if not os.environ.get("LVHENG_MAIL"):
            return {"EMAIL_BACKEND": backend + "filebased.EmailBackend", "EMAIL_FILE_PATH": HOME / "mail"}
        case "file":
            return {"EMAIL_BACKEND": backend + "filebased.EmailBackend", "EMAIL_FILE_PATH": Path(unquote(given.path))}
        case "console":
            return {"EMAIL_BACKEND": backend + "console.EmailBackend"}
        case "smtp" | "smtps" | "smtp+plain" if given.hostname:
            usual = {"smtp": 587, "smtps": 465, "smtp+plain": 25}[given.scheme]
            return {
                "EMAIL_BACKEND": backend + "smtp.EmailBackend", "EMAIL_HOST": given.hostname, "EMAIL_PORT": given.port or usual,
                "EMAIL_HOST_USER": unquote(given.username or ""), "EMAIL_HOST_PASSWORD": unquote(given.password or ""),
                "EMAIL_USE_TLS": given.scheme == "smtp", "EMAIL_USE_SSL": given.scheme == "smtps", "EMAIL_TIMEOUT": 20,
            }  # fmt: skip
    raise SystemExit("LVHENG_MAIL 应为 smtp://用户:口令@主机:端口、smtps://…、smtp+plain://…、file:///目录 或 console:")


globals().update(_mail())
DEFAULT_FROM_EMAIL = SERVER_EMAIL = os.environ.get("LVHENG_MAIL_FROM") or "lvheng@localhost"
SITE_ADDRESS = os.environ.get("LVHENG_ADDRESS", "").rstrip("/")

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 2000}}}
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
SILENCED_SYSTEM_CHECKS: list[str] = []
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

# Lvheng's own.
PLAN_FOLDERS = [Path(p) for p in os.environ.get("LVHENG_PLANS", str(ROOT / "plans")).split(os.pathsep) if p]
RULEBOOK_FOLDER = Path(os.environ.get("LVHENG_RULEBOOK") or ROOT / "rulebook")
DATA_FOLDER = ROOT / "data"
ENGINE = os.environ.get("LVHENG_ENGINE", "duckdb")
PRODUCT_NAME = _("绿衡")
