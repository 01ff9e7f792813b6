"""What can be configured, with its defaults, and what follows from it."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct, field

from livenps.errors import ConfigError
from livenps.schedule import Schedule
from scoring.digest import reference
from scoring.scales import Scale
from scoring.segments import Dimension, Dimensions, Series
from scoring.windows import DEFAULT_WINDOWS, Window
from streams.incentives import Incentive
from streams.times import DAY, HOUR, Duration
from streams.topics import Topic, topics
from streams.watch import Watch
from surveys.exclusions import suppression_list
from surveys.rules import Rules
from surveys.survey import Asking, Survey
from web.branding import Branding
from web.site import Site

Prefix = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9._-]{0,100}$")]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
FILE = "utf-8-sig"  # spreadsheets and editors of Windows begin a file with a mark, which is no part of it


class Kafka(Struct, frozen=True, forbid_unknown_fields=True):
    bootstrap: str = "127.0.0.1:9092"
    prefix: Prefix = ""
    partitions: Annotated[int, Meta(ge=1, le=1_000)] = 4
    replication: Annotated[int, Meta(ge=1, le=10)] = 1
    retention: dict[str, Duration] = field(default_factory=dict)


class Redis(Struct, frozen=True, forbid_unknown_fields=True):
    url: Annotated[
        str,
        Meta(pattern="^(rediss?([+]cluster)?|unix)://", description="an address such as redis://127.0.0.1:6379/0"),
    ] = "redis://127.0.0.1:6379/0"
    prefix: Prefix = "livenps"


class Http(Struct, frozen=True, forbid_unknown_fields=True):
    brand: str = "Feedback"
    public_url: (
        Annotated[
            str,
            Meta(
                pattern="^https?://[^/]+.*[^/]$",
                description="an address such as https://feedback.example.com, without / at its end",
            ),
        ]
        | None
    ) = None
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


PerSecond = Annotated[float, Meta(ge=0, le=10_000)]  # requests sent by all workers together; 0: no limit


class Mail(Struct, frozen=True, forbid_unknown_fields=True):
    url: (
        Annotated[
            str,
            Meta(pattern="^smtps?://", description="an address such as smtp://user:password@mail.example.com:587"),
        ]
        | None
    ) = None
    sender: str = "feedback@localhost"
    per_second: PerSecond = 0


class Sms(Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway of text messages: what stands in braces is put into the texts of the body and of the headers."""

    url: (
        Annotated[
            str, Meta(pattern="^https?://[^/]", description="an address such as https://example.com/messages")
        ]
        | None
    ) = None
    method: Literal["POST", "PUT"] = "POST"
    body: dict[str, Any] = field(
        default_factory=lambda: {"to": "{to}", "text": "{text}", "reference": "{request_id}"}
    )
    headers: dict[
        Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,100}$")], Annotated[str, Meta(pattern=r"^[\x20-\x7e]*\Z")]
    ] = field(default_factory=dict)
    secret: Annotated[str, Meta(pattern=r"^[\x21-\x7e]+\Z")] | None = None
    per_second: PerSecond = 0

    @property
    def told_headers(self) -> dict[str, str]:
        """The headers with the secret put in."""
        return {name: value.replace("{secret}", self.secret or "") for name, value in self.headers.items()}


class Webhook(Struct, frozen=True, forbid_unknown_fields=True):
    per_second: PerSecond = 0


class Web(Struct, frozen=True, forbid_unknown_fields=True):
    """Surveys on the operator's own site and in its app: whose pages may ask, and what says who is there."""

    origins: list[
        Annotated[
            str,
            Meta(
                pattern=r"^[a-z][a-z0-9+.-]*://[a-z0-9.-]+(:[0-9]{1,5})?$",
                description="an origin such as https://shop.example.com, without a path",
            ),
        ]
    ] = field(default_factory=list)
    show_for: Duration = Duration(14 * DAY)
    secret: Annotated[str, Meta(min_length=32)] | None = None  # the operator's backend signs customer ids with it


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
    at: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="a time such as 08:00")] = "08:00"
    time_zone: str = "UTC"
    since: str = "7d"
    mail: Annotated[list[str], Meta(max_length=100)] = field(default_factory=list)
    webhook_url: (
        Annotated[
            str, Meta(pattern="^https?://[^/]", description="an address such as https://example.com/messages")
        ]
        | None
    ) = None

    @property
    def schedule(self) -> Schedule:
        """Raises ValueError, KeyError or OSError where there is no such time zone."""
        days = {WEEKDAYS.index(day) for day in self.days}
        return Schedule(days, time.fromisoformat(self.at), ZoneInfo(self.time_zone))


class DimensionConfig(Struct, frozen=True, forbid_unknown_fields=True):
    bands: list[int] = field(default_factory=list)
    show: Annotated[list[str], Meta(max_length=2_000)] = field(default_factory=list)
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 50
    export: bool = True  # to Prometheus, for which many segments are many series


class Pair(Struct, frozen=True, forbid_unknown_fields=True):
    dimensions: tuple[str, str]


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration, checked. ``source`` is the file it came from, for messages."""

    kafka: Kafka = field(default_factory=Kafka)
    redis: Redis = field(default_factory=Redis)
    http: Http = field(default_factory=Http)
    branding: BrandingConfig = field(default_factory=BrandingConfig)
    mail: Mail = field(default_factory=Mail)
    web: Web = field(default_factory=Web)
    sms: Sms = field(default_factory=Sms)
    webhook: Webhook = field(default_factory=Webhook)
    asking: Asking = field(default_factory=Asking)
    answers: Answers = field(default_factory=Answers)
    watch: WatchConfig = field(default_factory=WatchConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    # Length: bucket. Targets, alerts, reports and the live page's trend go by the default ones.
    windows: dict[str, Duration] = field(
        default_factory=lambda: {window.name: Duration(window.width) for window in DEFAULT_WINDOWS}
    )
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

    def rates(self) -> dict[str, float]:
        """How many requests a second go out by each channel that is limited."""
        wanted = {"mail": self.mail.per_second, "sms": self.sms.per_second, "webhook": self.webhook.per_second}
        return {channel: rate for channel, rate in wanted.items() if rate}

    def rules(self) -> Rules:
        """Raises ConfigError where the suppression list cannot be read."""
        partitions, dimensions = self.kafka.partitions, self.scored_dimensions()
        return Rules(tuple(self.surveys), self.asking, self.suppressed(), partitions, dimensions)

    def suppressed(self) -> frozenset[str]:
        """The ids and addresses of the suppression list. Raises ConfigError where it cannot be read."""
        path = self.asking.exclude.suppression_list
        if path is None:
            return frozenset()
        try:
            return suppression_list(Path(path).read_text(encoding=FILE))
        except OSError as error:
            raise ConfigError(path, "", f"the suppression list cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(path, "", f"the suppression list is no text: {error}") from error

    def scored_dimensions(self) -> Dimensions:
        single = (
            Dimension(name, tuple(one.bands), tuple(one.show), one.limit, one.export)
            for name, one in self.dimensions.items()
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

    def site(self) -> Site:
        return Site(frozenset(self.web.origins), self.web.secret, self.web.show_for)

    def incentives(self) -> dict[str, Incentive]:
        """The codes of the surveys that have some. Raises OSError or UnicodeDecodeError."""
        found = {}
        for survey in self.surveys:
            if survey.incentive:
                lines = Path(survey.incentive.codes).read_text(encoding=FILE).splitlines()
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
