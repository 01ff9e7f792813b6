"""The one place that wires everything: which parts a worker has, what each is given, in which order they start."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import faust
import httpx
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from mode import Service

from livenps.collector import expect_batches
from livenps.errors import UsageError
from livenps.reports import Reports, ReportsService, made, recipients
from livenps.settings import Config
from scoring.board import Count
from scoring.segments import Series
from scoring.trend import Bucket
from scoring.windows import ALL
from sinks.log import LogSender
from sinks.mail import MailSender, MailServer
from sinks.prometheus import Pipeline
from sinks.redis import client
from sinks.redis.answers import AnswersStore
from sinks.redis.board import BoardReader, Position
from sinks.redis.comments import CommentsReader, CommentsStore
from sinks.redis.customers import ContactReader, CustomersStore
from sinks.redis.incentives import IncentiveReader, IncentivesStore
from sinks.redis.incidents import IncidentsStore, TimelineReader
from sinks.redis.rates import Rates
from sinks.redis.reports import ReportsStore
from sinks.redis.requests import REACTIONS, RequestsStore
from sinks.redis.trend import TrendReader
from sinks.redis.watch import WatchReader, WatchStore
from sinks.sms import SmsSender
from sinks.web import WebSender
from sinks.webhook import WebhookSender
from streams import app as shell
from streams.answers import CountAnswers
from streams.attempts import Attempts
from streams.channel import ChannelReader
from streams.comments import KeepComments
from streams.customer_memory import CustomerMemory
from streams.customers import DecideSurveys
from streams.customers_tick import customers_tick
from streams.decision_log import DecisionLog, Found
from streams.delivery import Delivery, Sender
from streams.errors import BrokerUnavailable, LivenpsError
from streams.incentive_memory import IncentiveMemory
from streams.incentives import GrantIncentives
from streams.incidents import KeepIncidents
from streams.lane import Lane, Memory
from streams.log_ends import LogEnds
from streams.outbox import Relay
from streams.publisher import Publisher
from streams.times import DAY, SECOND
from streams.topics import (
    ALERTS,
    ATTEMPTS,
    BASELINES,
    DECISIONS,
    INCENTIVES,
    INCREMENTS,
    REQUESTS,
    RESPONSES,
    TOUCHPOINTS,
    Topic,
)
from streams.watch import Reading, WatchScores, reading
from streams.watch_memory import WatchMemory
from web.app import create
from web.bounces import KINDS
from web.edge import Edge, Health
from web.links import Links
from web.server import Server

Role = Literal["collect", "decide", "deliver", "score", "project", "export"]
ROLES: tuple[Role, ...] = get_args(Role)

YEAR = 365 * DAY
OUTCOMES = ("sent", "failed", "unknown")
REACH = 200_000  # decisions of a partition that a search of the API looks through
SEARCH_S = 30.0
STALLED_S = 60.0  # a consumer that has not polled for so long is not alive

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the worker listens, and what its pages are reached under."""

    listener: socket.socket
    url: str
    public_url: str

    @classmethod
    def of(cls, config: Config, host: str, port: int) -> Address:
        """Listen, on a free port where ``port`` is 0. Raises UsageError where that cannot be."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, port), family=family, backlog=2_048)
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise UsageError(f"cannot listen on {host}:{port} ({why}); choose with --host and --port") from error
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what listens everywhere is asked here
        name = f"[{reached}]" if family == socket.AF_INET6 else reached
        url = f"http://{name}:{listener.getsockname()[1]}"
        return cls(listener, url, config.http.public_url or url)


class Program:
    """All parts of one worker. Building it opens no connection."""

    def __init__(
        self, config: Config, roles: Sequence[Role], address: Address, *, secret: str, kept: bool
    ) -> None:
        self.config = config
        self._roles = frozenset(roles)
        self._worker = uuid.uuid4().hex
        self._topics = config.topics()
        self._windows = config.rolling_windows()
        self._dimensions = config.scored_dimensions()
        self._watch = config.watching()
        self._bootstrap = config.kafka.bootstrap
        self._prefix = config.redis.prefix
        self._public_url = address.public_url
        self._links = Links(secret, address.public_url, config.http.link_valid)
        self.redis = client.connect(config.redis.url)
        self.http = httpx.AsyncClient()
        self._hooks = WebhookSender(self.http, config.http.webhook_secret)
        self.publisher = Publisher(self._bootstrap, self._topics)
        self.relay = Relay(self.publisher)
        self.requests = RequestsStore(self.redis, self._prefix, config.web.show_for)
        self.contacts = ContactReader(self.redis, self._prefix, config.kafka.partitions)
        self.comments = CommentsReader(self.redis, self._prefix, range(config.kafka.partitions))
        self.board = BoardReader(self.redis, self._prefix, self._windows, config.kafka.partitions, now)
        self.trends = TrendReader(self.redis, self._prefix, config.kafka.partitions, now)
        self.timeline = TimelineReader(self.redis, self._prefix, range(config.kafka.partitions))
        self.incentives = IncentiveReader(self.redis, self._prefix, config.kafka.partitions)
        self.watch = WatchReader(self.redis, self._prefix, range(config.kafka.partitions))
        self._attempts = Attempts(self._bootstrap, self._topics[ATTEMPTS])
        self._decisions = DecisionLog(self._bootstrap, self._topics[DECISIONS], REACH)
        self._searching = asyncio.Lock()
        self.log_ends = LogEnds(self._bootstrap)
        self.lanes = self._lanes()
        self.draining = False
        self.server = Server(create(self._edge(kept)), address.listener)
        self.channels = self._channels() if "deliver" in self._roles else []
        self.app = shell.create(self._bootstrap, f"{config.kafka.prefix}livenps")

    @property
    def services(self) -> list[Service]:
        """In the order of their start; they stop in the opposite one, the edge first."""
        parts = [self.publisher, self.relay, self.log_ends, *self.lanes, *self.channels, *self._reports()]
        return [Connections(self), *parts, self.server]

    def _lanes(self) -> list[Lane[Any, Any]]:
        lanes: list[Lane[Any, Any]] = []
        scales = self.config.scales()
        if "decide" in self._roles:
            # What stands on the topic may be sent twice; what does not is older than any survey asks for.
            remember = (self._topics[TOUCHPOINTS].retention or 0) + 7 * DAY
            rules = self.config.rules()
            customers = CustomersStore(
                self.redis, self._prefix, remember, lambda: rules.counted(now()), self._windows
            )
            memory = CustomerMemory(self._bootstrap, self._topics, customers, self.requests, rules.caps, now)
            rule = DecideSurveys(rules, memory, self._dimensions)
            tick = customers_tick(rule, customers)
            lanes.append(self._lane("customers", TOUCHPOINTS, rule, customers, tick, memory))
        if "score" in self._roles:
            answers = AnswersStore(self.redis, self._prefix, self._windows, now, self.config.answers.remember)
            count = CountAnswers(scales, self._dimensions, self._watch.series, self._topics[RESPONSES].name)
            lanes.append(self._lane("answers", RESPONSES, count, answers, answers.tick))
            watch, follow = WatchStore(self.redis, self._prefix), WatchScores(self._watch)
            baselines = WatchMemory(self._bootstrap, self._topics[BASELINES], watch, follow)
            lanes.append(self._lane("watch", INCREMENTS, follow, watch, watch.tick, baselines))
        if "project" in self._roles:
            keep = KeepComments(scales, self._dimensions)
            comments = CommentsStore(self.redis, self._prefix)
            lanes.append(self._lane("comments", RESPONSES, keep, comments, comments.tick))
            if codes := self.config.incentives():
                given = IncentivesStore(self.redis, self._prefix)
                grant = GrantIncentives(codes, self.config.kafka.partitions)
                grants = IncentiveMemory(self._bootstrap, self._topics[INCENTIVES], given)
                lanes.append(self._lane("incentives", INCENTIVES, grant, given, given.tick, grants))
            incidents = IncidentsStore(self.redis, self._prefix)
            lanes.append(self._lane("incidents", ALERTS, KeepIncidents(), incidents, incidents.tick))
        return lanes

    def _lane(
        self, name: str, role: str, rule: Any, store: Any, tick: Any, memory: Memory | None = None
    ) -> Lane[Any, Any]:
        group = f"{self.config.kafka.prefix}livenps-{name}"
        return Lane(
            name=name,
            topic=self._topics[role],
            consumer=lambda: consumer(self._bootstrap, group),
            rule=rule,
            store=store,
            relay=self.relay,
            worker=self._worker,
            tick=tick,
            memory=memory,
        )

    def _reports(self) -> list[Service]:
        config = self.config
        to = recipients(config, self._hooks)
        if not to or "deliver" not in self._roles:
            return []
        store = ReportsStore(self.redis, self._prefix)
        reports = Reports(config.report.schedule, to, store, lambda: made(config, self.board.board))
        return [ReportsService(reports, now)]

    def _channels(self) -> list[ChannelReader]:
        """One for each channel that surveys are sent by, and one for the rest: what is logged, what no channel is
        there for, and what cannot be read."""
        delivery = self._delivery()
        own = {channel for survey in self.config.surveys for channel in survey.channels} - {"log"}
        group = f"{self.config.kafka.prefix}livenps-delivery"
        rest = self._channel("log", group, lambda channel: channel not in own, delivery)
        return [rest, *(self._channel(one, f"{group}-{one}", one.__eq__, delivery) for one in sorted(own))]

    def _channel(self, name: str, group: str, mine: Callable[[str], bool], delivery: Delivery) -> ChannelReader:
        return ChannelReader(
            name,
            self._topics[REQUESTS].name,
            lambda: consumer(self._bootstrap, group, "earliest"),
            mine,
            delivery.handle,
            self._attempts.forget,
            self._hook if name == "webhook" else lambda _: name,
        )

    def _hook(self, survey_id: str) -> str:
        """The server that takes a survey's requests by webhook."""
        survey = self.config.survey(survey_id)
        return urlsplit(survey.webhook_url or "").netloc if survey else ""

    def _delivery(self) -> Delivery:
        mail = self.config.mail
        senders: dict[str, Sender] = {"log": LogSender(), "webhook": self._hooks, "web": WebSender(self.requests)}
        if (sms := self.config.sms).url:
            brand = self.config.http.brand
            senders["sms"] = SmsSender(self.http, sms.url, sms.method, sms.body, sms.told_headers, brand)
        if mail.url:
            logo = f"{self._public_url}/brand/logo" if self.config.branding.logo else ""
            senders["mail"] = MailSender(MailServer.parse(mail.url), mail.sender, self.config.http.brand, logo)
        return Delivery(
            self.config.survey,
            senders,
            self.requests,
            self.publisher,
            self._attempts,
            self._topics[REQUESTS].name,
            self._links.link,
            self.config.http.brand,
            Rates(self.redis, self._prefix, self.config.rates()).turn,
            self.contacts.state,
        )

    def _edge(self, kept: bool) -> Edge:
        return Edge(
            roles=self._roles,
            brand=self.config.http.brand,
            branding=self.config.look(),
            surveys={survey.id: survey for survey in self.config.surveys},
            dimensions=self._dimensions,
            windows=[*(window.name for window in self._windows), ALL],
            kept=kept,
            keys=self.config.http.keys,
            links=self._links,
            site=self.config.site(),
            change_for=self.config.http.change_for,
            publisher=self.publisher,
            requests=self.requests,
            contact=self.contacts.state,
            board=self.board.board,
            comments=self.comments.newest,
            incentive=self.incentives.code,
            timeline=self.timeline.timeline,
            decisions=self.decisions,
            trend=self.trend,
            watched=self.watched,
            pipeline=self.pipeline,
            zeros=zeros(self.config),
            health=Health(alive=self.alive, ready=self.ready),
            clock=now,
            draining=lambda: self.draining,
        )

    def alive(self) -> Mapping[str, str]:
        """The loop turns, or nobody would answer; a lane that stopped polling is told by name."""
        silent = {lane.name: time.monotonic() - lane.polled_at for lane in self.lanes}
        return {
            f"lane {name}": f"has not polled for {seconds:.0f} s" if seconds > STALLED_S else ""
            for name, seconds in silent.items()
        }

    async def ready(self) -> Mapping[str, str]:
        checks = {"draining": "the program is stopping" if self.draining else ""}
        try:
            await client.ask(self.redis.ping())
            checks["redis"] = ""
        except LivenpsError as error:
            checks["redis"] = str(error)
        for lane in self.lanes:
            stopped = "; ".join(f"partition {p}: {why}" for p, why in lane.stopped_partitions.items())
            checks[f"lane {lane.name}"] = stopped or ("" if lane.ready else "partitions are not claimed yet")
        return checks

    async def decisions(self, customer_id: str, limit: int) -> Found:
        """The newest decisions on a customer, one search at a time. Raises BrokerUnavailable."""
        try:
            async with asyncio.timeout(SEARCH_S), self._searching:
                return await self._decisions.last(customer_id, limit)
        except (KafkaError, TimeoutError) as error:
            raise BrokerUnavailable("the log of decisions cannot be read now, try again") from error

    async def trend(self, series: Series, window: str) -> list[Bucket]:
        """A series' buckets of a window, by its name."""
        return await self.trends.trend(series, next(one for one in self._windows if one.name == window))

    async def watched(self) -> Mapping[Series, Reading]:
        """What the detectors say, of the series that have a baseline."""
        known = await self.watch.series()
        found = {series: reading(self._watch, known[series]) for series in self._watch.series if series in known}
        return {series: one for series, one in found.items() if one}

    async def _standing(self, lane: str, topic: Topic) -> tuple[dict[int, Position], dict[int, tuple[int, int]]]:
        """Where a lane's partitions stand, and where their logs begin and end."""
        partitions = range(topic.partitions)
        return await asyncio.gather(
            self.board.positions(lane, partitions), self.log_ends.bounds(topic.name, partitions)
        )

    async def pipeline(self) -> Pipeline:
        """Lag and progress of the lanes, of all workers; topics go by their role, which no prefix changes."""
        lag: dict[tuple[str, int], int] = {}
        last: dict[str, float] = {}
        outbox: dict[tuple[str, int], int] = {}
        lanes = {"c": TOUCHPOINTS, "a": RESPONSES, "w": INCREMENTS}
        asked = [self._standing(letter, self._topics[role]) for letter, role in lanes.items()]
        for role, (positions, bounds) in zip(lanes.values(), await asyncio.gather(*asked), strict=True):
            for partition, (first, end) in bounds.items():
                offset = positions[partition].offset
                lag[role, partition] = end - (first if offset is None else offset)
            outbox |= {(role, partition): position.returned for partition, position in positions.items()}
            last[role] = max(position.applied_at for position in positions.values()) / SECOND
        stopped: dict[tuple[str, int], bool] = {}
        for lane in self.lanes:  # two of them may read one topic
            for partition in lane.partitions:
                place = lane.role, partition
                stopped[place] = stopped.get(place, False) or partition in lane.stopped_partitions
        delivery = {(one.channel, partition): n for one in self.channels for partition, n in one.lag.items()}
        return Pipeline(lag=lag, last_processed=last, stopped=stopped, outbox=outbox, delivery=delivery)


class Connections(Service):
    """Closed last: everything else uses them."""

    def __init__(self, program: Program, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._program = program

    async def on_stop(self) -> None:
        await self._program.redis.aclose()
        await self._program.http.aclose()


class Worker(faust.Worker):
    """Runs a program until a signal or a crash; exit code 0 or 1."""

    def __init__(
        self,
        program: Program,
        *services: Service,
        loop: asyncio.AbstractEventLoop,
        ended: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(
            program.app,
            *program.services,
            *services,
            loop=loop,
            quiet=True,
            override_logging=False,
            redirect_stdouts=False,
        )
        self.spinner = None  # the terminal is ours
        self._program = program
        self._ended = ended

    async def on_first_start(self) -> None:
        self.install_signal_handlers()
        expect_batches()

    async def on_started(self) -> None:
        if self._ended():
            self._schedule_shutdown(signal.SIGTERM)
        await super().on_started()

    def _schedule_shutdown(self, number: Any) -> None:
        self._program.draining = True
        super()._schedule_shutdown(number)


def zeros(config: Config) -> list[Count]:
    """The counters that start at 0: a rate over the first event needs a sample before it."""
    found: list[Count] = [("survey_touchpoints_total", "other")]
    found += [("livenps_bounces_total", kind) for kind in KINDS]
    named = {"mail": config.report.mail, "webhook": config.report.webhook_url}
    found += [("livenps_reports_total", channel, one) for channel, to in named.items() if to for one in OUTCOMES]
    for survey in config.surveys:
        if survey.trigger:
            found.append(("survey_touchpoints_total", survey.trigger))
        found.append(("survey_answered_total", survey.id))
        if survey.incentive:
            found += [("survey_incentives_total", survey.id, outcome) for outcome in ("granted", "dry")]
        names = ["survey_deliveries_total", *(["survey_reminders_total"] if survey.reminder else [])]
        for channel in survey.channels:
            found.append(("survey_requests_total", survey.id, channel))
            found += [(f"survey_{reaction}_total", survey.id, channel) for reaction in REACTIONS]
            found += [(name, survey.id, channel, outcome) for name in names for outcome in OUTCOMES]
    return found


def consumer(bootstrap: str, group: str, reset: Literal["none", "earliest"] = "none") -> AIOKafkaConsumer:
    """A lane's consumer; Redis decides the position, so Kafka never resets it. That of a channel begins with all
    there is."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset=reset,
        max_partition_fetch_bytes=4 << 20,
        fetch_min_bytes=16 << 10,
        fetch_max_wait_ms=50,
        session_timeout_ms=15_000,
        heartbeat_interval_ms=3_000,
        rebalance_timeout_ms=30_000,
        # A lane does not poll while Redis is away or where it has no partitions; one that leaves its group for it
        # never comes back. A lane that hangs is told by /healthz.
        max_poll_interval_ms=YEAR,
        isolation_level="read_committed",  # what a producer took back is no answer
    )


def now() -> int:
    """Wall-clock time in ms; the only clock that is handed to the pure parts."""
    return int(time.time() * SECOND)
