"""How a delivery's bytes come: the declared sources. Fetching from them is `minhu.feeds.sources.fetch`.

Declarations are read whenever Airflow parses its DAGs, so nothing heavy is imported here. A declaration never holds a
secret: it names one (`minhu.feeds.sources.secrets`). In addresses, paths and parameters ``{date}`` is the business date
as YYYYMMDD; ``{date:%Y-%m-%d}`` writes it otherwise.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, field_validator, model_validator

from minhu.declaration import Declared
from minhu.declaration.slips import Wrong
from minhu.feeds.sources.dated import has_date

SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,60}$")]
_SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie", "x-api-key")
_SECRET_OPTIONS = re.compile(r"(?i)secret|token|passw|credential|signature|sas_|account_key|connection_string")
Seconds = Annotated[float, Field(gt=0, le=3600)]


def _http_address(value: str) -> str:
    """Refuses addresses with a user, a password or a query in them: these are where secrets hide."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Wrong(
            "the address must start with http:// or https:// and name a host",
            "地址要以 http:// 或 https:// 开头并写明主机",
        )
    if "@" in parts.netloc:
        raise Wrong(
            "no user or password in the address: declare `auth` and name the secret",
            "地址里不能写用户名或口令：用 auth 写明密钥的名称",
        )
    if parts.query or parts.fragment:
        raise Wrong("no query in the address: declare `params`", "地址里不能带查询参数：写到 params")
    return value


HttpAddress = Annotated[str, AfterValidator(_http_address)]


class DropFolder(Declared):
    """Files that a sender drops. ``path`` is relative to ``MINHU_DROP``; ``{date}`` is the business date, YYYYMMDD.

    ``*`` and ``?`` stand for what varies in a name; each file that fits is a batch of its own.
    """

    type: Literal["drop_folder"]
    path: str
    settle_seconds: Annotated[float, Field(ge=0, le=600)] = 2
    """A file younger than this may still be growing: it is taken once its size and time have stood still so long."""
    done_suffix: str | None = None
    """A file is taken only when one with this suffix lies beside it (``cases.csv.done``). A number in it is the
    sender's count of rows."""
    archive: str | None = None
    """A folder, relative to ``MINHU_DROP``, into which a file moves once it is loaded. Nothing is ever deleted."""

    @field_validator("path", "archive")
    @classmethod
    def _inside(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith("/") or ".." in Path(value).parts):
            raise Wrong("the path must stay inside the drop folder", "路径不能出投递文件夹")
        return value

    @field_validator("path")
    @classmethod
    def _dated(cls, value: str) -> str:
        if not has_date(value):
            raise Wrong(
                "the path must hold {date}, so that a file tells its business date",
                "路径要有 {date}，文件才说得出自己的业务日期",
            )
        return value


class Bearer(Declared):
    type: Literal["bearer"]
    secret: SecretName


class Basic(Declared):
    type: Literal["basic"]
    user: str
    secret: SecretName


class ApiKey(Declared):
    """A key in a header, or in a query parameter where the sender wants it there."""

    type: Literal["api_key"]
    secret: SecretName
    header: str = "X-API-Key"
    param: str | None = None


class HmacSigned(Declared):
    """A signature over method, path with query, timestamp (s) and the body's sha256, joined by line feeds."""

    type: Literal["hmac"]
    secret: SecretName
    algorithm: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    signature_header: str = "X-Signature"
    timestamp_header: str = "X-Timestamp"
    key_header: str = "X-Key-Id"
    key_id: str | None = None


Auth = Annotated[Bearer | Basic | ApiKey | HmacSigned, Field(discriminator="type")]


class NoPages(Declared):
    type: Literal["none"] = "none"


class ByPage(Declared):
    """Pages by number. The pull ends at an empty page, or once ``total`` rows arrived: never at a merely short page."""

    type: Literal["page"]
    param: str = "page"
    first: int = 1
    size_param: str | None = None
    size: Annotated[int, Field(gt=0)] = 100


class ByOffset(Declared):
    """Pages by the number of rows already received, so that a sender's own cap on a page loses nothing."""

    type: Literal["offset"]
    param: str = "offset"
    size_param: str | None = "limit"
    size: Annotated[int, Field(gt=0)] = 100


class ByCursor(Declared):
    """Each page tells the token of the next one at ``next``; none, or a blank one, ends the pull."""

    type: Literal["cursor"]
    next: str
    param: str = "cursor"


class ByLink(Declared):
    """Each page tells the address of the next one in its ``Link`` header, relation ``next`` (RFC 8288)."""

    type: Literal["link_header"]


Pagination = Annotated[NoPages | ByPage | ByOffset | ByCursor | ByLink, Field(discriminator="type")]


class Increment(Declared):
    """Where the next pull goes on: after the greatest ``field`` of the rows, less an overlap for what comes late."""

    field: str
    format: str = "iso"
    """How the field is written: ``iso``, ``epoch_s``, ``epoch_ms``, ``number``, or a strftime format."""
    lag_minutes: Annotated[float, Field(ge=0)] = 0
    lag: Annotated[int, Field(ge=0)] = 0
    """The overlap where ``format`` is ``number``."""
    initial: str | None = None
    """What the first pull asks for; without it, the first pull asks for everything."""

    @model_validator(mode="after")
    def _one_lag(self) -> "Increment":
        if self.lag if self.format != "number" else self.lag_minutes:
            raise Wrong("`lag` is for numbers, `lag_minutes` for times", "lag 用于数字，lag_minutes 用于时间")
        return self


class RestIncrement(Increment):
    param: str


class Http(Declared):
    """What every source on HTTP declares."""

    auth: Auth | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    format: Literal["json", "xml"] = "json"
    content_types: tuple[str, ...] = ()
    """Content types that are taken; by default whatever says ``json`` or ``xml``, as the format."""
    volatile: tuple[str, ...] = ()
    """Fields that differ from pull to pull although nothing changed; they do not count when contents are compared."""
    connect_seconds: Seconds = 10
    read_seconds: Seconds = 60
    response_seconds: Seconds = 600
    """The longest a whole answer may take."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    backoff_seconds: Annotated[float, Field(ge=0, le=60)] = 1
    """The first wait between attempts; each further one is twice as long, at random from half of it upward."""
    max_wait_seconds: Annotated[float, Field(ge=0, le=3600)] = 120
    """The longest wait. A sender that asks for more (``Retry-After``) is left in peace until the next run."""
    max_response_mb: Annotated[float, Field(gt=0)] = 64
    max_pages: Annotated[int, Field(gt=0)] = 10_000

    @field_validator("headers")
    @classmethod
    def _no_secret(cls, value: dict[str, str]) -> dict[str, str]:
        if kept := sorted(name for name in value if name.lower() in _SECRET_HEADERS):
            raise Wrong(
                f"no {kept[0]} in the declaration: declare `auth` and name the secret",
                f"声明里不能写 {kept[0]}：用 auth 写明密钥的名称",
            )
        return value


class Rest(Http):
    """An HTTP interface that answers in JSON or XML. All pages of a pull are one file, and one batch."""

    type: Literal["rest"]
    url: HttpAddress
    method: Literal["GET", "POST"] = "GET"
    """With POST the parameters travel as a JSON object in the body."""
    params: dict[str, str] = Field(default_factory=dict)
    records: str = ""
    """JSON: the dotted path to the array; empty: the answer is the array. XML: the name of a record's element."""
    total: str | None = None
    """The path of the sender's count of all rows, which must then all arrive."""
    pagination: Pagination = NoPages()
    cursor: RestIncrement | None = None

    @model_validator(mode="after")
    def _xml_names_its_record(self) -> "Rest":
        if self.format == "xml" and not self.records:
            raise Wrong("`records` must name the element that holds one record", "records 要写明一条记录的元素名")
        return self


class Open311(Http):
    """An Open311 GeoReport v2 server: the requests of the last days, in windows of at most 90 days."""

    type: Literal["open311"]
    endpoint: HttpAddress
    jurisdiction: str | None = None
    service_codes: tuple[str, ...] = ()
    lookback_days: Annotated[int, Field(ge=0, le=3650)] = 30
    """How many days before the business date are asked for again, for requests that changed since."""
    window_days: Annotated[int, Field(ge=1, le=90)] = 90
    paged: bool = False
    """The server knows ``page`` and ``page_size``."""
    page_size: Annotated[int, Field(gt=0)] = 100
    most: Annotated[int, Field(gt=0)] = 1000
    """As many requests as a server without pages gives at once; a window that fills it is asked for in halves."""


class Password(Declared):
    type: Literal["password"]
    secret: SecretName


class KeyFile(Declared):
    type: Literal["key"]
    file: str
    """Path of the private key, readable by the loader alone."""
    passphrase: SecretName | None = None


class Sftp(Declared):
    """Files on an SSH server. They are read only; nothing there is ever moved or deleted."""

    type: Literal["sftp"]
    host: str
    port: Annotated[int, Field(gt=0, lt=65536)] = 22
    user: str
    auth: Annotated[Password | KeyFile, Field(discriminator="type")]
    host_key: Annotated[str, StringConstraints(pattern=r"SHA256:\S+$|(ssh|ecdsa)-\S+ \S+")]
    """The server's key: ``ssh-ed25519 AAAA…`` (as in known_hosts), or its fingerprint ``SHA256:…``."""
    path: str
    settle_seconds: Annotated[float, Field(ge=0, le=600)] = 2
    done_suffix: str | None = None
    connect_seconds: Seconds = 20
    read_seconds: Seconds = 60

    @field_validator("path")
    @classmethod
    def _dated(cls, value: str) -> str:
        if not has_date(value):
            raise Wrong(
                "the path must hold {date}, so that a file tells its business date",
                "路径要有 {date}，文件才说得出自己的业务日期",
            )
        return value


class ObjectStore(Declared):
    """Objects of a store, or files of whatever else fsspec reaches by an address. They are read only.

    Each object that fits the pattern is a batch of its own; nothing there is ever moved or deleted.
    """

    type: Literal["object"]
    url: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*://[^:]")]
    """The address with its bucket: ``s3://bucket/out/cases_{date}*.csv``, and so ``gs://``, ``oss://``, ``abfs://``."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """How the store is reached, as its fsspec backend calls it: ``endpoint_url``, ``anon``, ``key`` (the key's id)."""
    secrets: dict[str, SecretName] = Field(default_factory=dict)
    """Option of the backend → the secret that fills it: ``{key: bureau_id, secret: bureau_key}``."""
    settle_seconds: Annotated[float, Field(ge=0, le=600)] = 2
    """How long size and version must have stood still. A store that shows only whole objects needs no wait: 0."""
    done_suffix: str | None = None
    """An object is taken only when one with this suffix lies beside it. A number in it is the sender's count."""

    @property
    def path(self) -> str:
        """The pattern of the names, under the name that other sources of files give it."""
        return self.url

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        if not has_date(value):
            raise Wrong(
                "the address must hold {date}, so that an object tells its business date",
                "地址要有 {date}，对象才说得出自己的业务日期",
            )
        if "::" in value:
            raise Wrong(
                "one address, not a chain of them; what is packed is declared in `format`",
                "只写一个地址，不写连环地址；压缩方式写到 format",
            )
        if ":" in value.partition("://")[2].partition("/")[0].rpartition("@")[0]:
            raise Wrong(
                "no password in the address: name it with `secrets`", "地址里不能写口令：用 secrets 写明密钥的名称"
            )
        return value

    @model_validator(mode="after")
    def _no_secret(self) -> "ObjectStore":
        if kept := [name for name in _names(self.options) if _SECRET_OPTIONS.search(name)]:
            raise Wrong(
                f"no {kept[0]} in the declaration: name it with `secrets`",
                f"声明里不能写 {kept[0]}：用 secrets 写明密钥的名称",
            )
        if twice := sorted(self.options.keys() & self.secrets.keys()):
            raise Wrong(
                f"{twice[0]} is given twice, in `options` and in `secrets`",
                f"{twice[0]} 在 options 和 secrets 里各写了一次",
            )
        return self


def _names(value: JsonValue) -> Iterator[str]:
    """The keys of nested objects."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _names(inner)


class SqlQuery(Declared):
    """A query on another database. ``:date`` is the business date, ``:cursor`` where the last pull ended."""

    type: Literal["sql"]
    url: str | None = None
    """SQLAlchemy's address without the password, such as ``postgresql://reader@host/base``; ``secret`` is the password.
    Without it ``secret`` names the whole address."""
    secret: SecretName | None = None
    query: Annotated[str, StringConstraints(pattern=r"(?is)^\s*(select|with)\b")]
    cursor: Increment | None = None

    @model_validator(mode="after")
    def _reachable(self) -> "SqlQuery":
        if self.url is None and self.secret is None:
            raise Wrong("give `url`, or a `secret` that holds it", "写 url，或写存有地址的 secret")
        if self.url and ":" in urlsplit(self.url).netloc.rpartition("@")[0]:
            raise Wrong(
                "no password in the address: name it with `secret`", "地址里不能写口令：用 secret 写明密钥的名称"
            )
        if self.cursor and ":cursor" in self.query and self.cursor.initial is None:
            raise Wrong("the first pull needs `cursor.initial`", "第一次取数要有 cursor.initial")
        return self


class Push(Declared):
    """Deliveries that a sender posts; `minhu.load.push.receive` takes them. There is nothing to fetch."""

    type: Literal["push"]
    max_mb: Annotated[float, Field(gt=0)] = 64


Source = Annotated[
    DropFolder | Rest | Open311 | Sftp | ObjectStore | SqlQuery | Push,
    Field(discriminator="type"),
]
