"""The configuration: one TOML file, overridden by a few variables of the environment."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import inspect

from livenps.checks import check
from livenps.errors import ConfigError
from livenps.settings import FILE, Config
from streams.times import Duration

DEFAULT = "the default configuration"

# variable -> where its value goes
ENVIRONMENT = {
    "LIVENPS_KAFKA_BOOTSTRAP": ("kafka", "bootstrap"),
    "LIVENPS_REDIS_URL": ("redis", "url"),
    "LIVENPS_PUBLIC_URL": ("http", "public_url"),
    "LIVENPS_SECRET": ("http", "secret"),
    "LIVENPS_API_KEYS": ("http", "keys"),
    "LIVENPS_WEBHOOK_SECRET": ("http", "webhook_secret"),
    "LIVENPS_SMTP_URL": ("mail", "url"),
    "LIVENPS_WEB_SECRET": ("web", "secret"),
    "LIVENPS_SMS_URL": ("sms", "url"),
    "LIVENPS_SMS_SECRET": ("sms", "secret"),
}

# Values that may hold a password or a key, which no message shows.
SECRET = (
    *("http.secret", "http.webhook_secret", "http.keys", "mail.url", "redis.url", "report.webhook_url"),
    *("sms.url", "sms.secret", "web.secret"),
)


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Config:
    """Read and check a configuration, the default one without a path. Raises ConfigError."""
    source = str(path) if path else DEFAULT
    try:
        text = path.read_text(encoding=FILE) if path else files("livenps").joinpath("default.toml").read_text()
        values = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(source, "", f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(source, "", f"is no TOML: {error}") from error
    if path:
        _find_files(values, path.parent)
    return parse(values, source, environment)


def _find_files(values: dict[str, Any], directory: Path) -> None:
    """Files are named from where the configuration is."""
    surveys, asking = values.get("surveys"), values.get("asking")
    surveys = [one for one in surveys if isinstance(one, dict)] if isinstance(surveys, list) else []
    named = [(values.get("branding"), "logo"), *((one.get("incentive"), "codes") for one in surveys)]
    if isinstance(asking, dict):
        named.append((asking.get("exclude"), "suppression_list"))
    for table, key in named:
        if isinstance(table, dict) and isinstance(table.get(key), str):
            table[key] = str(directory / table[key])


def parse(values: dict[str, Any], source: str, environment: Mapping[str, str]) -> Config:
    """Check a configuration that was read. Raises ConfigError."""
    origin: dict[str, str] = {}
    for variable, (table, key) in ENVIRONMENT.items():
        if value := environment.get(variable):
            wanted = [one.strip() for one in value.split(",") if one.strip()] if key == "keys" else value
            values.setdefault(table, {})[key] = wanted
            origin[f"{table}.{key}"] = variable
    try:
        config = msgspec.convert(values, Config, dec_hook=_hook)
    except msgspec.ValidationError as error:
        raise _explained(error, values, source, origin) from error
    _check_addresses(config, source, origin)
    check(config, source)
    return config


def _hook(kind: type, value: object) -> object:
    if kind is Duration:
        return Duration.parse(value)
    raise NotImplementedError(kind)


def _explained(
    error: msgspec.ValidationError, values: dict[str, Any], source: str, origin: Mapping[str, str]
) -> ConfigError:
    """msgspec's error, in a sentence that names file, key, expectation and what stands there."""
    match = re.fullmatch(r"(?s)(.*?)(?:, got .*?)?(?: - at (?:`key` in )?`\$\.?(.*)`)?", str(error))
    expected, key = (match[1], match[2] or "") if match else (str(error), "")
    key = _named(key, values)
    found = _at(values, key)
    if "enum value" in expected:
        expected = f"expected one of {', '.join(_choices(key))}"
    if "unknown field" in expected:
        expected += f", expected some of {', '.join(_choices(key))}"
    hidden = re.sub(r"\[\d+\]", "", key) in SECRET or found in (None, values) or "field" in expected
    shown = "" if hidden else f", found {_shown(found)}"
    return _wrong(key, f"{expected[0].lower()}{expected[1:]}{shown}", source, origin)


def _wrong(key: str, message: str, source: str, origin: Mapping[str, str]) -> ConfigError:
    """An error of the file's key, or of the variable that took its place."""
    variable = origin.get(key.partition("[")[0])
    return ConfigError(variable, "", message) if variable else ConfigError(source, key, message)


def _named(key: str, values: dict[str, Any]) -> str:
    """msgspec writes ``[...]`` for an entry of a table; it is the first that is wrong when it stands alone."""
    table, unnamed, rest = key.partition("[...]")
    if not unnamed:
        return key
    whole = deepcopy(values)
    entries = _at(whole, table)
    for name, entry in _at(values, table).items():
        entries.clear()
        entries[name] = entry
        try:
            msgspec.convert(whole, Config, dec_hook=_hook)
        except msgspec.ValidationError as error:
            if f"$.{table}[...]" in str(error):
                return f"{table}.{name}{rest}"
    return key


def _choices(key: str) -> list[str]:
    """The fields of the table at a key, or the values that may stand there."""
    kind = inspect.type_info(Config)
    for part in [*re.findall(r"[^.\[\]]+", key), ""]:
        match kind := _plain(kind):
            case inspect.StructType(fields=fields):
                names = {one.name: one.type for one in fields}
                if not part:
                    return list(names)
                kind = names[part]
            case inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner):
                kind = inner
            case inspect.LiteralType(values=literals):
                return [str(one) for one in literals]
    return []


def _plain(kind: inspect.Type) -> inspect.Type:
    """What a type says besides its bounds, and besides that it may be left out."""
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        if isinstance(kind, inspect.Metadata):
            kind = kind.type
        else:
            kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    return kind


def _at(values: Any, key: str) -> Any:
    for part in re.findall(r"[^.\[\]]+", key):
        try:
            values = values[int(part)] if isinstance(values, list) else values[part]
        except (KeyError, IndexError, ValueError, TypeError):
            return None
    return values


def _shown(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _check_addresses(config: Config, source: str, origin: Mapping[str, str]) -> None:
    for address in config.kafka.bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        if not (host and port.isdecimal() and 0 < int(port) < 65_536):
            message = f'expected addresses such as "kafka-1:9092,kafka-2:9092", found {config.kafka.bootstrap!r}'
            raise _wrong("kafka.bootstrap", message, source, origin)
    for key, url in (("redis.url", config.redis.url), ("mail.url", config.mail.url or "")):
        try:
            _ = [server.port for server in _servers(url)]
        except ValueError as error:
            raise _wrong(key, "expected a URL whose port is a number up to 65535", source, origin) from error
    redis = urlsplit(config.redis.url)
    nameless = not all(server.hostname for server in _servers(config.redis.url))
    if redis.scheme.endswith("+cluster") and (nameless or redis.path not in ("", "/", "/0")):
        message = "expected servers such as redis+cluster://redis-1:6379,redis-2:6379, and no database but 0"
        raise _wrong("redis.url", message, source, origin)


def _servers(url: str) -> list[SplitResult]:
    """The servers of a URL; only a cluster's names several."""
    parts = urlsplit(url)
    if not parts.scheme.endswith("+cluster"):
        return [parts]
    return [urlsplit(f"//{address}") for address in parts.netloc.rpartition("@")[2].split(",")]
