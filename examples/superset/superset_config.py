"""Superset of one home: everything it keeps lies in MINHU_BI_HOME, and nothing leaves the machine."""

import os
from pathlib import Path

HOME = Path(os.environ["MINHU_BI_HOME"])

SECRET_KEY = (HOME / "secret-key").read_text(encoding="utf-8").strip()
DATA_DIR = str(HOME)
SQLALCHEMY_DATABASE_URI = f"sqlite:///{HOME / 'superset.db'}?check_same_thread=false"
SQLALCHEMY_EXAMPLES_URI = f"sqlite:///{HOME / 'examples.db'}?check_same_thread=false"
UPLOAD_FOLDER = f"{HOME}/uploads/"

# Chinese first; English by the switch of the page.
BABEL_DEFAULT_LOCALE = "zh"
LANGUAGES = {"zh": {"flag": "cn", "name": "中文"}, "en": {"flag": "us", "name": "English"}}
APP_NAME = "民呼 · 数据分析"
D3_FORMAT = {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["¥", ""]}
_DAYS = "日一二三四五六"
D3_TIME_FORMAT = {
    "dateTime": "%Y年%-m月%-d日 %H:%M",
    "date": "%Y-%m-%d",
    "time": "%H:%M:%S",
    "periods": ["上午", "下午"],
    "days": [f"星期{day}" for day in _DAYS],
    "shortDays": list(_DAYS),
    "months": [f"{month}月" for month in range(1, 13)],
    "shortMonths": [f"{month}月" for month in range(1, 13)],
}


def _kept(folder: str, seconds: int) -> dict[str, object]:
    """A cache in files of the home: no store beside it."""
    return {
        "CACHE_TYPE": "FileSystemCache",
        "CACHE_DIR": str(HOME / "cache" / folder),
        "CACHE_DEFAULT_TIMEOUT": seconds,
        "CACHE_THRESHOLD": 2000,
    }


CACHE_CONFIG = _kept("metadata", 300)
DATA_CACHE_CONFIG = _kept("data", 300)
FILTER_STATE_CACHE_CONFIG = _kept("filters", 7 * 86400)
EXPLORE_FORM_DATA_CACHE_CONFIG = _kept("explore", 7 * 86400)
RATELIMIT_STORAGE_URI = "memory://"


class CELERY_CONFIG:
    """No worker and no queue."""

    broker_url = "memory://"
    result_backend = "cache+memory://"


RESULTS_BACKEND = None
FEATURE_FLAGS = {
    "ALERT_REPORTS": False,
    "THUMBNAILS": False,
    "GLOBAL_ASYNC_QUERIES": False,
    "ENABLE_TEMPLATE_PROCESSING": False,
    "EMBEDDED_SUPERSET": False,
    "SSH_TUNNELING": False,
    "SLACK_ENABLE_AVATARS": False,
}

# The pages ask a counter elsewhere for a picture, and no setting turns that off: the browser is forbidden to.
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
        "frame-ancestors": ["'self'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": False,
}
CORS_OPTIONS: dict[str, list[str]] = {"origins": []}
ENABLE_CORS = False
MAPBOX_API_KEY = ""
THEME_FONT_URL_ALLOWED_DOMAINS: list[str] = []
DATASET_IMPORT_ALLOWED_DATA_URLS: list[str] = []
AUTH_USER_REGISTRATION = False
SESSION_COOKIE_NAME = "minhu_bi"
SESSION_COOKIE_SAMESITE = "Lax"
WTF_CSRF_ENABLED = True

SUPERSET_WEBSERVER_TIMEOUT = 65  # a statement of a login of the group bi runs sixty seconds at most
SQLLAB_TIMEOUT = 60
ROW_LIMIT = 50000
SQL_MAX_ROW = 100000
SHOW_STACKTRACE = False
FAB_ADD_SECURITY_API = True

# PostgreSQL's date_trunc gives a moment with a zone even of a day, and pages draw moments in UTC, eight hours early.
# The clock as it stands in the city is drawn as it is.
_GRAINS = {"PT1H": "hour", "P1D": "day", "P1W": "week", "P1M": "month", "P3M": "quarter", "P1Y": "year"}
TIME_GRAIN_ADDON_EXPRESSIONS = {
    "postgresql": {grain: f"CAST(DATE_TRUNC('{unit}', {{col}}) AS TIMESTAMP)" for grain, unit in _GRAINS.items()}
}
TIME_GRAIN_DENYLIST = [
    *("PT1S", "PT5S", "PT30S", "PT1M", "PT5M", "PT10M", "PT15M", "PT30M", "PT0.5H", "PT6H"),
    *("1969-12-28T00:00:00Z/P1W", "1969-12-29T00:00:00Z/P1W", "P1W/1970-01-03T00:00:00Z", "P1W/1970-01-04T00:00:00Z"),
]


def FLASK_APP_MUTATOR(app) -> None:
    """The words of the pages are a file of the home, for the page of signing in too, which may not ask for others."""
    from flask import request, send_file

    @app.before_request
    def words():
        if request.path == "/superset/language_pack/zh/":
            return send_file(HOME / "words-zh.json", mimetype="application/json", max_age=300)
        return None
