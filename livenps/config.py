"""The configuration: one TOML file, overridden by a few variables of the environment."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import time
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct, field, inspect

from livenps.errors import ConfigError
from livenps.schedule import Schedule
from livenps.words import check_words
from scoring.digest import TIMES, reference
from scoring.scales import Scale
from scoring.segments import PAIR, PAIR_VALUE, Dimension, Dimensions, Series
from scoring.windows import ALL, Window
from sinks.address import usable
from streams.incentives import Incentive
from streams.times import DAY, HOUR, Duration
from streams.topics import DECISIONS, REQUESTS, ROLES, TOUCHPOINTS, Topic, topics
from streams.watch import Watch
from surveys.decide import Rules
from surveys.exclusions import suppression_list
from surveys.survey import Asking, Survey
from web.branding import DARK, LIGHT, MAX_LOGO, Branding, media_type, unreadable

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
}

# Values that may hold a password or a key, which no message shows.
SECRET = ("http.secret", "http.webhook_secret", "http.keys", "mail.url", "redis.url", "report.webhook_url")

Prefix = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9._-]{0,100}$")]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


class Kafka(Struct, frozen=True, forbid_unknown_fields=True):
    bootstrap: str = "127.0.0.1:9092"
    prefix: Prefix = ""
    partitions: Annotated[int, Meta(ge=1, le=1_000)] = 4
    replication: Annotated[int, Meta(ge=1, le=10)] = 1
    retention: dict[str, Duration] = field(default_factory=dict)


class Redis(Struct, frozen=True, forbid_unknown_fields=True):
    url: Annotated[str, Meta(pattern="^(rediss?([+]cluster)?|unix)://")] = "redis://127.0.0.1:6379/0"
    prefix: Prefix = "livenps"


class Http(Struct, frozen=True, forbid_unknown_fields=True):
    brand: str = "Feedback"
    public_url: Annotated[str, Meta(pattern="^https?://[^/]+.*[^/]$")] | None = None
    link_valid: Duration = Duration(30 * DAY)
    change_for: Duration = Duration(HOUR)
    secret: Annotated[str, Meta(min_length=32)] | None = None
    keys: list[Annotated[str, Meta(min_length=16)]] = field(default_factory=list)
    webhook_secret: Annotated[str, Meta(min_length=24)] | None = None  # its receivers know it, so not ``secret``


class BrandingConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The look of the survey pages; ``logo`` is a file, named from where the configuration is."""

    accent: str | None = None
    accent_dark: str | None = None
    logo: str | None = None


class Mail(Struct, frozen=True, forbid_unknown_fields=True):
    url: Annotated[str, Meta(pattern="^smtps?://")] | None = None
    sender: str = "feedback@localhost"


class Answers(Struct, frozen=True, forbid_unknown_fields=True):
    remember: Duration = Duration(365 * DAY)


class WatchedConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A survey as a whole, or some segments of one of its dimensions."""

    survey: str
    dimension: str = ""
    segments: list[Annotated[str, Meta(min_length=1)]] = field(default_factory=list)

    @property
    def watched(self) -> list[Series]:
        if not self.dimension:
            return [Series(self.survey)]
        return [Series(self.survey, self.dimension, segment) for segment in self.segments]


class WatchConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which series are watched for a drop or a rise, and how; None: every survey as a whole."""

    series: list[WatchedConfig] | None = None
    horizon: Duration = Duration(90 * DAY)
    dead_band: Annotated[float, Meta(gt=0, le=50)] = 5.0  # points of an NPS or a CSAT; 0.15 of a CES
    learn: Annotated[int, Meta(ge=100, le=100_000)] = 500
    learn_for: Duration = Duration(7 * DAY)


class ReportConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A report that is sent by itself: when, over which window, and to whom; nobody unless somebody is named."""

    days: Annotated[list[Weekday], Meta(min_length=1)] = field(default_factory=lambda: ["mon"])
    at: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "08:00"
    time_zone: str = "UTC"
    since: str = "7d"
    mail: Annotated[list[str], Meta(max_length=100)] = field(default_factory=list)
    webhook_url: Annotated[str, Meta(pattern="^https?://[^/]")] | None = None

    @property
    def schedule(self) -> Schedule:
        """Raises ValueError, KeyError or OSError where there is no such time zone."""
        days = {WEEKDAYS.index(day) for day in self.days}
        return Schedule(days, time.fromisoformat(self.at), ZoneInfo(self.time_zone))


class DimensionConfig(Struct, frozen=True, forbid_unknown_fields=True):
    bands: list[int] = field(default_factory=list)
    show: list[str] = field(default_factory=list)
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 50


class Pair(Struct, frozen=True, forbid_unknown_fields=True):
    dimensions: tuple[str, str]


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration, checked. ``source`` is the file it came from, for messages."""

    kafka: Kafka = field(default_factory=Kafka)
    redis: Redis = field(default_factory=Redis)
    http: Http = field(default_factory=Http)
    branding: BrandingConfig = field(default_factory=BrandingConfig)
    mail: Mail = field(default_factory=Mail)
    asking: Asking = field(default_factory=Asking)
    answers: Answers = field(default_factory=Answers)
    watch: WatchConfig = field(default_factory=WatchConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    windows: dict[str, Duration] = field(default_factory=dict)
    dimensions: dict[Key, DimensionConfig] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    surveys: list[Survey] = field(default_factory=list)

    def topics(self) -> dict[str, Topic]:
        kafka = self.kafka
        return topics(
            prefix=kafka.prefix,
            partitions=kafka.partitions,
            replication=kafka.replication,
            retention=kafka.retention,
        )

    def rules(self) -> Rules:
        """Raises ConfigError where the suppression list cannot be read."""
        return Rules(tuple(self.surveys), self.asking, self.suppressed())

    def suppressed(self) -> frozenset[str]:
        """The ids and addresses of the suppression list. Raises ConfigError where it cannot be read."""
        path = self.asking.exclude.suppression_list
        if path is None:
            return frozenset()
        try:
            return suppression_list(Path(path).read_text())
        except OSError as error:
            raise ConfigError(path, "", f"the suppression list cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(path, "", f"the suppression list is no text: {error}") from error

    def scored_dimensions(self) -> Dimensions:
        single = (
            Dimension(name, tuple(one.bands), tuple(one.show), one.limit) for name, one in self.dimensions.items()
        )
        return Dimensions(tuple(single), tuple(pair.dimensions for pair in self.pairs))

    def scales(self) -> dict[str, Scale]:
        """The surveys' scales by their ids."""
        return {survey.id: survey.scale for survey in self.surveys}

    def look(self) -> Branding:
        """Raises OSError where the logo cannot be read."""
        branding = self.branding
        logo = Path(branding.logo).read_bytes() if branding.logo else None
        return Branding(branding.accent, branding.accent_dark, logo)

    def incentives(self) -> dict[str, Incentive]:
        """The codes of the surveys that have some. Raises OSError or UnicodeDecodeError."""
        found = {}
        for survey in self.surveys:
            if survey.incentive:
                lines = Path(survey.incentive.codes).read_text(encoding="utf-8").splitlines()
                codes = tuple(line.strip() for line in lines if line.strip())
                found[survey.id] = Incentive(codes, survey.incentive.period)
        return found

    def watched(self) -> list[Series]:
        if self.watch.series is None:
            return [Series(survey.id) for survey in self.surveys]
        return [series for one in self.watch.series for series in one.watched]

    def watching(self) -> Watch:
        watch, scales = self.watch, self.scales()
        series = {series: scales[series.survey] for series in self.watched()}
        return Watch(series, watch.horizon / DAY, watch.dead_band / 100, watch.learn, watch.learn_for / DAY)

    def rolling_windows(self) -> list[Window]:
        found = [Window(name, Duration.parse(name), bucket) for name, bucket in self.windows.items()]
        return sorted(found, key=lambda window: window.length)

    def compared(self) -> dict[str, tuple[Window, Window]]:
        """The windows that a report may be over, by name, each with the one that it is compared with."""
        windows = self.rolling_windows()
        pairs = {one.name: (one, reference(windows, one)) for one in windows}
        return {name: (recent, longer) for name, (recent, longer) in pairs.items() if longer}

    def survey(self, survey_id: str) -> Survey | None:
        return next((survey for survey in self.surveys if survey.id == survey_id), None)


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Config:
    """Read and check a configuration, the default one without a path. Raises ConfigError."""
    source = str(path) if path else DEFAULT
    try:
        text = path.read_text() if path else files("livenps").joinpath("default.toml").read_text()
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
    _check(config, source)
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


def _check(config: Config, source: str) -> None:
    """What no type says. Raises ConfigError."""
    for check in (
        _check_windows,
        _check_dimensions,
        _check_asking,
        _check_surveys,
        _check_watched,
        _check_report,
        _check_retention,
        _check_branding,
        _check_incentives,
    ):
        check(config, source)


def _check_branding(config: Config, source: str) -> None:
    branding = config.branding
    for key, accent, card in (("accent", branding.accent, LIGHT), ("accent_dark", branding.accent_dark, DARK)):
        if accent and (message := unreadable(accent, card)):
            raise ConfigError(source, f"branding.{key}", message)
    try:
        logo = config.look().logo
    except OSError as error:
        raise ConfigError(source, "branding.logo", f"cannot be read: {error.strerror}, {branding.logo}") from error
    if logo is not None and (len(logo) > MAX_LOGO or not media_type(logo)):
        raise ConfigError(source, "branding.logo", f"expected a PNG, JPEG or SVG of at most {MAX_LOGO:,} bytes")


def _check_incentives(config: Config, source: str) -> None:
    seen: dict[str, str] = {}
    for number, survey in enumerate(config.surveys):
        if survey.incentive is None:
            continue
        key = f"surveys[{number}].incentive.codes"
        try:
            codes = config.incentives()[survey.id].codes
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(source, key, f"cannot be read: {error}") from error
        if not codes or max(map(len, codes)) > 200:
            raise ConfigError(source, key, "expected codes of up to 200 characters, one on each line")
        for code in codes:
            if code in seen:  # which one is not said: a code is worth money
                raise ConfigError(source, key, f"expected each code once, one of {seen[code]} is here again")
            seen[code] = survey.id


def _check_windows(config: Config, source: str) -> None:
    for name in config.windows:
        if name == ALL:
            raise ConfigError(source, "windows.all", '"all" is always there, leave it out')
    try:
        config.rolling_windows()
    except ValueError as error:
        raise ConfigError(source, "windows", str(error)) from error
    for window in config.rolling_windows():
        # A version of a forgotten answer counts as another answer; in a window it has to take the old one's place.
        if window.length > config.answers.remember:
            message = f"expected at least the longest window, {window.name}, found {config.answers.remember}"
            raise ConfigError(source, "answers.remember", message)


def _check_dimensions(config: Config, source: str) -> None:
    try:
        config.scored_dimensions()
    except ValueError as error:
        raise ConfigError(source, "dimensions", str(error)) from error
    for number, pair in enumerate(config.pairs):
        for name in pair.dimensions:
            if name not in config.dimensions:
                known = ", ".join(config.dimensions) or "none"
                raise ConfigError(
                    source, f"pairs[{number}]", f"expected two of the dimensions ({known}), found {name!r}"
                )
        if PAIR.join(pair.dimensions) in config.dimensions:
            raise ConfigError(source, f"pairs[{number}]", "a dimension has the name of this pair")


def _check_asking(config: Config, source: str) -> None:
    config.suppressed()
    asking, kept = config.asking, config.topics()[REQUESTS].retention or 0
    if asking.at_most and asking.at_most_in > kept:
        # A state that is lost is filled again from them.
        message = (
            f"expected at most {Duration(kept)}, as long as survey.requests are kept, found {asking.at_most_in}"
        )
        raise ConfigError(source, "asking.at_most_in", message)


def _check_surveys(config: Config, source: str) -> None:
    seen: set[str] = set()
    for number, survey in enumerate(config.surveys):
        key = f"surveys[{number}]"
        if survey.id in seen:
            raise ConfigError(source, f"{key}.id", f"expected a new id, found {survey.id!r} a second time")
        seen.add(survey.id)
        if survey.channel == "mail" and not config.mail.url:
            raise ConfigError(
                source, f"{key}.channel", "mail needs a server: set LIVENPS_SMTP_URL, e.g. smtp://localhost:25"
            )
        worst, best = survey.scale.ends
        if survey.target is not None and not worst <= survey.target <= best:
            message = f"expected {worst:g} to {best:g}, as a {survey.metric} is, found {survey.target:g}"
            raise ConfigError(source, f"{key}.target", message)
        _check_waiting(config, survey, source, key)
        if survey.every and (survey.trigger or not survey.starts):
            message = "expected a day from which on everybody is asked, such as 2026-12-01, and no trigger"
            raise ConfigError(source, f"{key}.{'trigger' if survey.trigger else 'starts'}", message)
        if survey.every and survey.every < DAY:
            raise ConfigError(source, f"{key}.every", f"expected at least 1d, found {survey.every}")
        if survey.trigger in survey.cancel:
            raise ConfigError(
                source, f"{key}.cancel", f"expected events other than the trigger, found {survey.trigger!r}"
            )
        if survey.channel == "webhook" and not survey.webhook_url:
            raise ConfigError(source, f"{key}.webhook_url", "expected an address, because the channel is webhook")
        check_words(survey, source, key)


def _check_waiting(config: Config, survey: Survey, source: str, key: str) -> None:
    """What waits is scheduled anew from the log where a state is lost, and may wait a week more for its hours."""
    topics = config.topics()
    kept = min(topics[role].retention or 0 for role in (TOUCHPOINTS, DECISIONS))
    most = Duration(max(0, kept - 8 * DAY))
    if survey.delay + survey.defer > most:
        message = (
            f"expected at most {most} for delay and defer together, because touchpoints and decisions are kept"
            f" for {Duration(kept)} (kafka.retention), found {Duration(survey.delay + survey.defer)}"
        )
        raise ConfigError(source, f"{key}.{'defer' if survey.defer else 'delay'}", message)


def _check_watched(config: Config, source: str) -> None:
    surveys, dimensions = [survey.id for survey in config.surveys], config.scored_dimensions().names
    for number, one in enumerate(config.watch.series or ()):
        key = f"watch.series[{number}]"
        if one.survey not in surveys:
            raise ConfigError(source, f"{key}.survey", _expected("surveys", surveys, one.survey))
        if one.dimension and one.dimension not in dimensions:
            raise ConfigError(source, f"{key}.dimension", _expected("dimensions", dimensions, one.dimension))
        if bool(one.dimension) != bool(one.segments):
            raise ConfigError(source, key, "expected a dimension and its segments together, or neither")
        named = config.scored_dimensions().named(one.dimension) if one.dimension else []
        for segment in one.segments:
            if named and segment not in named:
                raise ConfigError(source, f"{key}.segments", _expected("segments", named, segment))
            if PAIR in one.dimension and PAIR_VALUE not in segment:
                raise ConfigError(source, f"{key}.segments", f"expected a pair such as a|b, found {segment!r}")
    watched = config.watched()
    if doubled := next((series for series in watched if watched.count(series) > 1), None):
        raise ConfigError(source, "watch.series", f"expected each series once, found {doubled.key} a second time")


def _check_report(config: Config, source: str) -> None:
    report = config.report
    try:
        _ = report.schedule
    except (KeyError, ValueError, OSError) as error:
        message = f"expected a time zone such as Europe/Berlin, found {report.time_zone!r}"
        raise ConfigError(source, "report.time_zone", message) from error
    if not (report.mail or report.webhook_url):
        return
    if report.since not in config.compared():
        known = ", ".join(config.compared()) or "none"
        message = f"expected a window with one of {TIMES} times its length ({known}), found {report.since!r}"
        raise ConfigError(source, "report.since", message)
    if report.mail and not config.mail.url:
        message = "mail needs a server: set LIVENPS_SMTP_URL, e.g. smtp://localhost:25"
        raise ConfigError(source, "report.mail", message)
    for number, address in enumerate(report.mail):
        if not usable(address):
            raise ConfigError(source, f"report.mail[{number}]", f"expected an address, found {address!r}")


def _expected(what: str, known: Sequence[str], found: str) -> str:
    return f"expected one of the {what} ({', '.join(known) or 'none'}), found {found!r}"


def _check_retention(config: Config, source: str) -> None:
    for role in config.kafka.retention:
        if role not in ROLES:
            raise ConfigError(source, f"kafka.retention.{role}", f"expected one of {', '.join(ROLES)}")
