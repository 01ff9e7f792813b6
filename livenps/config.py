"""The configuration: one TOML file, overridden by a few variables of the environment."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from importlib.resources import files
from itertools import chain
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

_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "date": "a date",
}
_TYPES = re.compile(rf"`((?:{'|'.join([*_WORDS, 'null'])})(?: \| \w+)*)`")

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
            if isinstance(values.setdefault(table, {}), dict):  # what is none is refused below
                values[table][key] = wanted
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
    match = re.fullmatch(r"(?s)(.*?)(?:, got .*?)?(?: - at (`key` in )?`\$\.?(.*)`)?", str(error))
    expected, of_key, key = (match[1], match[2], match[3] or "") if match else (str(error), None, "")
    key = _named(key, values)
    found = _at(values, key)
    if " matching regex " in expected and (described := _described(key, of_key=bool(of_key))):
        expected = f"expected {described}"
    if "enum value" in expected:
        expected = f"expected one of {', '.join(_choices(key))}"
    if "unknown field" in expected:
        expected += f", expected some of {', '.join(_choices(key))}"
    hidden = re.sub(r"\[\d+\]", "", key) in SECRET or found in (None, values) or "field" in expected
    shown = "" if hidden or ", found " in expected else f", found {_shown(found)}"
    expected = _TYPES.sub(lambda types: _spoken(types[1]), expected)
    return _wrong(key, f"{expected[0].lower()}{expected[1:]}{shown}", source, origin)


def _spoken(types: str) -> str:
    """Such as ``float | null``, in words; whoever writes a survey need not know what a float is."""
    return " or ".join(_WORDS[one] for one in types.split(" | ") if one != "null")


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
    match _plain(_kind(key)):
        case inspect.StructType(fields=fields):
            return [one.name for one in fields]
        case inspect.LiteralType(values=literals):
            return [str(one) for one in literals]
    return []


def _described(key: str, *, of_key: bool) -> str:
    """What the pattern of the value at a key means, or that of the keys of the table there, where it says so."""
    kind = _kind(key)
    if of_key and isinstance(table := _plain(kind), inspect.DictType):
        kind = table.key_type
    if isinstance(kind, inspect.UnionType):
        kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    told = kind.extra_json_schema if isinstance(kind, inspect.Metadata) else None
    return str((told or {}).get("description", ""))


def _kind(key: str) -> inspect.Type:
    """The type of what stands at a key."""
    kind: inspect.Type = inspect.type_info(Config)
    for part in re.findall(r"[^.\[\]]+", key):
        match _plain(kind):
            case inspect.StructType(fields=fields):
                kind = next((one.type for one in fields if one.name == part), kind)
            case inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner):
                kind = inner
    return kind


def _plain(kind: inspect.Type) -> inspect.Type:
    """What a type says besides its bounds, and besides that it may be left out."""
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        if isinstance(kind, inspect.Metadata):
            kind = kind.type
            continue
        kinds = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        literals = [one for one in kinds if isinstance(one, inspect.LiteralType)]
        if literals == kinds:
            return inspect.LiteralType(tuple(chain.from_iterable(one.values for one in literals)))
        kind = kinds[0]
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
