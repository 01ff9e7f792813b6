"""The configuration: what is understood, and how each error is told."""

import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from livenps.config import load, parse
from livenps.errors import ConfigError
from livenps.settings import Config
from livenps.words import long_messages, warnings
from scoring.scales import CES, CSAT, NPS
from scoring.segments import Series
from streams.times import DAY, HOUR, MINUTE, rfc3339, to_ms
from streams.topics import RESPONSES, TOUCHPOINTS
from surveys.survey import Survey
from tests.real.livenps import configuration

SCORED = '[[surveys]]\nid = "a"\n[[surveys.questions]]\nid = "effort"\nkind = "ces"\ntext = "How?"\n'
WATCHED = """dimensions = {plan = {show = ["free", "pro"]}, region = {}, age = {bands = [18, 30]}}
pairs = [{dimensions = ["plan", "age"]}, {dimensions = ["plan", "region"]}]
surveys = [{id = "a"}]
[[watch.series]]
survey = "a"
"""
SERVERS = "expected servers such as redis+cluster://redis-1:6379,redis-2:6379, and no database but 0"


def read(text: str, **environment: str) -> Config:
    return parse(tomllib.loads(text), "mine.toml", environment)


def error(text: str, **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, **environment)
    return str(caught.value)


def test_the_default_is_what_the_readme_promises() -> None:
    config = load(None, {})
    assert [survey.id for survey in config.surveys] == ["post-purchase", "relationship", "support"]
    assert [survey.trigger for survey in config.surveys] == ["Order Delivered", None, "Ticket Solved"]
    assert [window.name for window in config.rolling_windows()] == ["1h", "24h", "7d", "30d", "90d"]
    assert config.scored_dimensions().names == ["plan", "region", "age", "plan x region"]
    assert config.asking.quiet_period == 7 * DAY
    assert {survey.quiet_period for survey in config.surveys} == {30 * DAY}


def test_an_empty_file_is_a_configuration() -> None:
    config = read("")
    assert config.surveys == []
    assert config.kafka.bootstrap == "127.0.0.1:9092"


@pytest.mark.parametrize(
    "sender",
    ["", "nobody", "a@example.com, b@example.com", "Shop, Inc <a@example.com>", "a@example.com\nBcc: b@c.de"],
)
def test_a_mail_is_from_one_address(sender: str) -> None:
    assert error(f"mail.sender = {json.dumps(sender)}").startswith("mine.toml: mail.sender: expected one address")


@pytest.mark.parametrize("sender", ["a@example.com", "Müller <a@example.com>", '"Shop, Inc" <a@localhost>'])
def test_who_sends_may_have_a_name(sender: str) -> None:
    assert read(f"mail.sender = {json.dumps(sender, ensure_ascii=False)}").mail.sender == sender


def test_windows_that_nobody_names_are_those_that_alerts_and_targets_go_by() -> None:
    assert read("").windows == load(None, {}).windows
    assert [window.name for window in read('[windows]\n2h = "5m"').rolling_windows()] == ["2h"]
    assert read("windows = {}").rolling_windows() == []


def test_the_tests_write_the_default_as_it_is() -> None:
    assert read(configuration()) == load(None, {})
    changed = read(configuration({"http": {"brand": 'A "b" é'}, "surveys": [{"id": "x"}]}))
    assert (changed.http.brand, changed.http.link_valid) == ('A "b" é', 30 * DAY)
    assert [survey.id for survey in changed.surveys] == ["x"]


WEB = '[[surveys]]\nid = "a"\nchannel = "web"\n'


def test_the_site_says_who_may_ask() -> None:
    secret = "s" * 32
    site = read(WEB + '[web]\norigins = ["https://shop.example", "capacitor://localhost"]').site()
    assert (site.origins, site.secret) == ({"https://shop.example", "capacitor://localhost"}, None)
    assert site.show_for == 14 * DAY
    assert read(WEB, LIVENPS_WEB_SECRET=secret).site().secret == secret
    assert error(WEB).startswith("mine.toml: surveys[0].channel: web needs to know whom to answer: ")


@pytest.mark.parametrize(
    "origin", ["*", "null", "shop.example", "https://shop.example/", "https://Shop.example", "https://*.example"]
)
def test_an_origin_is_exact(origin: str) -> None:
    message = error(f'[web]\norigins = ["https://shop.example", "{origin}"]')
    assert message.startswith("mine.toml: web.origins[")
    assert f"found '{origin}'" in message


@pytest.mark.parametrize("show_for", ["0s", "91d"])
def test_a_survey_waits_on_the_site_as_long_as_it_is_known(show_for: str) -> None:
    message = error(f'[web]\nshow_for = "{show_for}"')
    assert message.startswith("mine.toml: web.show_for: expected at most 90d, as long as survey.requests are kept")


def test_a_secret_of_the_site_is_long_and_not_told() -> None:
    message = error("", LIVENPS_WEB_SECRET="short-and-secret")
    assert message.startswith("LIVENPS_WEB_SECRET: ")
    assert "short-and-secret" not in message


def test_every_survey_is_watched_unless_series_are_named() -> None:
    surveys = '[dimensions.plan]\n[[surveys]]\nid = "a"\n[[surveys]]\nid = "b"\nmetric = "ces"\n'
    assert read(surveys).watching().series == {Series("a"): NPS, Series("b"): CES}
    assert read(f"{surveys}[watch]\nseries = []").watching().series == {}
    named = (
        '[[watch.series]]\nsurvey = "b"\n[[watch.series]]\nsurvey = "a"\ndimension = "plan"\nsegments = ["x", "y"]'
    )
    assert read(surveys + named).watching().series == {
        Series("b"): CES,
        Series("a", "plan", "x"): NPS,
        Series("a", "plan", "y"): NPS,
    }


def test_a_survey_has_a_scale_and_its_words() -> None:
    config = read(
        '[[surveys]]\nid = "a"\n[[surveys]]\nid = "b"\nmetric = "csat"\nwording = {low = "Bad", neutral = "Why?"}'
    )
    assert config.scales() == {"a": NPS, "b": CSAT}
    nps, csat = config.surveys
    words = nps.words("en")
    assert (words["low"], words["passive"]) == ("Not at all likely", "Thank you. What would make it a 10?")
    words = csat.words("en")
    assert (words["low"], words["high"]) == ("Bad", "Very satisfied")
    assert words[csat.scale.group(3)] == "Why?"


def test_more_than_five_questions_are_warned_of() -> None:
    question = '[[surveys.questions]]\nid = "q{}"\nkind = "text"\ntext = "?"\n'
    three = "".join(question.format(n) for n in range(3))
    survey = f'[[surveys]]\nid = "a"\n{three}'
    assert warnings(read(survey).surveys) == []
    happy = 'when = {group = ["promoter"]}\n'
    assert warnings(read(f"{survey}{question.format(3)}{happy}").surveys) == [
        "surveys[0].questions: a asks up to 6 questions (promoter); after 5 many customers give up"
    ]


def test_words_that_nobody_has_in_a_language_are_warned_of() -> None:
    survey = '[[surveys]]\nid = "a"\ntranslations = {de = {}, pt = {question = "?", low = "x"}}'
    [warning] = warnings(read(survey).surveys)
    assert warning.startswith("surveys[0]: a has no words in pt for high, promoter, passive, ")


def test_a_code_stands_in_one_list_once_and_the_message_does_not_tell_it(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("SAVE-1\n\n  SAVE-2  \n")
    (tmp_path / "two.txt").write_text("SAVE-3\nSAVE-2\n")
    (tmp_path / "none.txt").write_text("\n")
    file = tmp_path / "mine.toml"
    survey = '[[surveys]]\nid = "{0}"\nincentive = {{codes = "{0}.txt"}}\n'
    file.write_text(survey.format("one"))
    assert load(file, {}).incentives()["one"].codes == ("SAVE-1", "SAVE-2")
    for second, message in (
        ("two", "expected each code once, one of one is here again"),
        ("none", "expected codes of up to 200 characters, one on each line"),
    ):
        file.write_text(survey.format("one") + survey.format(second))
        with pytest.raises(ConfigError) as caught:
            load(file, {})
        assert str(caught.value) == f"{file}: surveys[1].incentive.codes: {message}"


def test_durations() -> None:
    config = read('[[surveys]]\nid = "x"\nmax_age = "90m"\ndelay = "2h"\nquiet_period = "0s"')
    (survey,) = config.surveys
    assert (survey.max_age, survey.delay, survey.quiet_period) == (90 * MINUTE, 2 * HOUR, 0)


def test_limits_over_all_and_of_one_survey() -> None:
    config = read(
        '[asking]\nafter_decline = "60d"\nat_most = 3\nat_most_in = "80d"\nmin_account_age = "30d"\n'
        '[[surveys]]\nid = "x"\nafter_answer = "90d"\nafter_ignored = "45d"\ndefer = "14d"'
    )
    asking, (survey,) = config.rules().asking, config.surveys
    assert (asking.quiet_period, asking.after_decline, asking.after_answer) == (7 * DAY, 60 * DAY, 0)
    assert (asking.at_most, asking.at_most_in, asking.min_account_age) == (3, 80 * DAY, 30 * DAY)
    assert (survey.quiet_period, survey.after_answer, survey.after_ignored) == (30 * DAY, 90 * DAY, 45 * DAY)
    assert survey.defer == 14 * DAY


def test_a_suppression_list_is_found_beside_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[asking.exclude]\nsuppression_list = "left.txt"\n')
    with pytest.raises(ConfigError, match=r"left\.txt: the suppression list cannot be read: No such file"):
        load(file, {})
    (tmp_path / "left.txt").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"left\.txt: the suppression list is no text"):
        load(file, {})
    (tmp_path / "left.txt").write_text("c1\nAnn@example.com\n")
    assert load(file, {}).rules().suppressed == {"c1", "Ann@example.com", "ann@example.com"}


def test_files_of_a_spreadsheet_begin_with_a_mark_that_is_no_part_of_them(tmp_path: Path) -> None:
    """A first customer who is not found on the list would be asked; a first code would open nothing."""
    file = tmp_path / "mine.toml"
    texts = {
        file: '[asking.exclude]\nsuppression_list = "left.txt"\n'
        '[[surveys]]\nid = "a"\nincentive = {codes = "codes.txt"}\n',
        tmp_path / "left.txt": "ann@example.com\r\nc1\r\n",
        tmp_path / "codes.txt": "SAVE-1\r\nSAVE-2\r\n",
    }
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8-sig")
    config = load(file, {})
    assert config.suppressed() == {"ann@example.com", "c1"}
    assert config.incentives()["a"].codes == ("SAVE-1", "SAVE-2")


def test_topics_have_the_prefix_and_the_retention() -> None:
    topics = read('[kafka]\nprefix = "shop."\npartitions = 8\nretention = {touchpoints = "2d"}').topics()
    assert topics[TOUCHPOINTS].name == "shop.touchpoints"
    assert topics[TOUCHPOINTS].retention == 2 * DAY
    assert {topic.partitions for topic in topics.values()} == {8}
    assert topics[RESPONSES].retention is None


def test_the_environment_goes_over_the_file() -> None:
    config = read(
        '[redis]\nurl = "redis://file:6379/0"',
        LIVENPS_REDIS_URL="redis://:password@environment:6379/0",
        LIVENPS_KAFKA_BOOTSTRAP="a:9092, b:9092",
        LIVENPS_API_KEYS=f"{'k' * 16}, ,{'l' * 16}",
        LIVENPS_SECRET="s" * 32,
        LIVENPS_PUBLIC_URL="https://feedback.example.com",
        LIVENPS_SMTP_URL="smtp://mail:25",
    )
    assert config.redis.url == "redis://:password@environment:6379/0"
    assert config.kafka.bootstrap == "a:9092, b:9092"
    assert config.http.keys == ["k" * 16, "l" * 16]
    assert config.http.public_url == "https://feedback.example.com"
    assert config.mail.url == "smtp://mail:25"


@pytest.mark.parametrize("url", ["redis+cluster://a:1,b:2", "rediss+cluster://user:p%40ss,word@a,[::1]:2/0?a=b"])
def test_a_redis_cluster_is_named_by_some_of_its_servers(url: str) -> None:
    assert read(f'[redis]\nurl = "{url}"').redis.url == url


def test_a_report_is_sent_to_those_who_are_named() -> None:
    assert read("").report.mail == []
    text = 'surveys = []\nwindows = {7d = "2h", 30d = "8h"}\n[report]\ndays = ["mon", "fri"]\nat = "07:30"\n'
    config = read(
        f'{text}time_zone = "Europe/Berlin"\nmail = ["ann@example.com"]', LIVENPS_SMTP_URL="smtp://mail:25"
    )
    noon = to_ms(datetime(2026, 7, 1, 12, tzinfo=UTC))  # a Wednesday
    assert rfc3339(config.report.schedule.last(noon)) == "2026-06-29T05:30:00Z"
    assert rfc3339(config.report.schedule.next(noon)) == "2026-07-03T05:30:00Z"
    assert [one.name for one in config.compared()["7d"]] == ["7d", "30d"]


REPORT = 'windows = {7d = "2h", 30d = "8h"}\n[report]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('days = ["monday"]', "report.days[0]: expected one of fri, mon, sat, sun, thu, tue, wed, found 'monday'"),
        ("days = []", "report.days: expected a list of length >= 1"),
        ('at = "8"', "report.at: expected a time such as 08:00"),
        ('at = "24:00"', "report.at: expected a time such as 08:00"),
        ('time_zone = "Berlin"', "report.time_zone: expected a time zone such as Europe/Berlin, found 'Berlin'"),
        ('time_zone = "../secret"', "report.time_zone: expected a time zone such as Europe/Berlin"),
        ('time_zone = "Europe"', "report.time_zone: expected a time zone such as Europe/Berlin"),
        ('mail = ["ann"]', "report.mail[0]: expected an address, found 'ann'"),
        ('mail = ["a@b.example, c@d.example"]', "report.mail[0]: expected an address, found "),
        (
            'mail = ["ann@example.com"]\nsince = "30d"',
            "report.since: expected a window with one of 4 times its length (7d)",
        ),
        (
            'webhook_url = "ftp://x"',
            "report.webhook_url: expected an address such as https://example.com/messages",
        ),
    ],
)
def test_a_report_that_cannot_be_sent_is_refused(text: str, message: str) -> None:
    told = error(REPORT + text, LIVENPS_SMTP_URL="smtp://mail:25")
    assert told.startswith(f"mine.toml: {message}")
    assert "ftp" not in told, "an address may hold a key"


def test_a_report_by_mail_needs_a_server() -> None:
    assert "report.mail: mail needs a server: set LIVENPS_SMTP_URL" in error(f'{REPORT}mail = ["ann@example.com"]')


def test_an_empty_variable_is_none() -> None:
    assert read("", LIVENPS_SECRET="").http.secret is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo = 1", "object contains unknown field `foo`, expected some of kafka, redis, http, branding, "),
        ("kafka = 1", "kafka: expected a table, found 1"),
        (
            "[kafka]\npartitons = 4",
            "kafka: object contains unknown field `partitons`, expected some of bootstrap, ",
        ),
        ("[kafka]\npartitions = 0", "kafka.partitions: expected a whole number >= 1, found 0"),
        ('[kafka]\nprefix = "a b"', "kafka.prefix: expected a text matching regex"),
        ('[kafka]\nbootstrap = "kafka"', 'kafka.bootstrap: expected addresses such as "kafka-1:9092,'),
        ('[kafka]\nbootstrap = "kafka:99999"', 'kafka.bootstrap: expected addresses such as "kafka-1:9092,'),
        ('[kafka]\nbootstrap = "a:9092,,b:9092"', "kafka.bootstrap: expected addresses such as"),
        (
            '[kafka.retention]\ncontacts = "1d"\ntouchpoints = "1y"',
            "kafka.retention.touchpoints: expected a duration",
        ),
        ('[kafka.retention]\ntouchpoint = "1d"', "kafka.retention.touchpoint: expected one of touchpoints, "),
        ('[redis]\nurl = "127.0.0.1:6379"', "redis.url: expected an address such as redis://127.0.0.1:6379/0"),
        (
            "[http]\nlink_valid = 30",
            'http.link_valid: expected a duration such as "90s", "15m", "24h" or "30d", found 30',
        ),
        (
            '[http]\npublic_url = "https://x/"',
            "http.public_url: expected an address such as https://feedback.example.com, without / at its end",
        ),
        ('[windows]\n1h = "7m"', "windows: window 1h: the window has to be whole buckets"),
        ('[windows]\n90d = "1d"\n[answers]\nremember = "89d"', "answers.remember: expected at least the longest"),
        ('[windows]\n1h = "0s"', "windows: window 1h: the bucket has to be whole minutes"),
        ('[windows]\n1h = "1m"\n7d = "2 h"', "windows.7d: expected a duration such as"),
        ('[windows]\nall = "1d"', 'windows.all: "all" is always there, leave it out'),
        ('[windows]\nweek = "1d"', "windows: Expected a duration such as"),
        (
            '[dimensions.plan]\n[dimensions.age]\nbands = ["a"]',
            "dimensions.age.bands[0]: expected a whole number, found 'a'",
        ),
        (
            f"[dimensions.plan]\nshow = {[str(n) for n in range(2_001)]}",
            "dimensions.plan.show: expected a list of length <= 2000",
        ),
        ("[dimensions.age]\nbands = [3, 1]", "dimensions: dimension age: the bands have to rise"),
        ('[dimensions."a b"]', "dimensions: expected a text matching regex"),
        (
            f'{SCORED}survey = "b"\n[[surveys]]\nid = "c"\nmetric = "ces"',
            "surveys[0].questions[0].survey: expected one of the other ces surveys (c), found 'b'",
        ),
        (SCORED, "surveys[0].questions[0]: expected the survey that the answer to a ces question counts in"),
        (
            '[[watch.series]]\nsurvey = "a"',
            "watch.series[0].survey: expected one of the surveys (none), found 'a'",
        ),
        (
            '[[surveys]]\nid = "a"\n[[watch.series]]\nsurvey = "a"\ndimension = "plan"',
            "watch.series[0].dimension: expected one of the dimensions (none), found 'plan'",
        ),
        (
            '[dimensions.plan]\n[[surveys]]\nid = "a"\n[[watch.series]]\nsurvey = "a"\ndimension = "plan"',
            "watch.series[0]: expected a dimension and its segments together, or neither",
        ),
        (
            f'{WATCHED}dimension = "plan"\nsegments = ["pro", "prof"]',
            "watch.series[0].segments: expected one of the segments (free, pro), found 'prof'",
        ),
        (
            f'{WATCHED}dimension = "age"\nsegments = ["18-24"]',
            "watch.series[0].segments: expected one of the segments (under 18, 18-29, 30+), found '18-24'",
        ),
        (
            f'{WATCHED}dimension = "plan x age"\nsegments = ["pro"]',
            "watch.series[0].segments: expected one of the segments (free|under 18, free|18-29, free|30+, pro|",
        ),
        (
            f'{WATCHED}dimension = "plan x region"\nsegments = ["pro|eu", "pro"]',
            "watch.series[0].segments: expected a pair such as a|b, found 'pro'",
        ),
        (
            '[[surveys]]\nid = "a"\n[[watch.series]]\nsurvey = "a"\n[[watch.series]]\nsurvey = "a"',
            'watch.series: expected each series once, found ["a"] a second time',
        ),
        ('[[pairs]]\ndimensions = ["plan"]', "pairs[0].dimensions: expected a list of length 2, found ['plan']"),
        ('[[pairs]]\ndimensions = ["a", "b"]', "pairs[0]: expected two of the dimensions (none), found 'a'"),
        ("[[surveys]]\ntrigger = 1", "surveys[0]"),
        ('[[surveys]]\ntrigger = "x"', "surveys[0]: object missing required field `id`"),
        (
            '[[surveys]]\nid = "A b"',
            "surveys[0].id: expected lower-case letters, digits, - and _, up to 64 of them",
        ),
        (
            '[[surveys]]\nid = "a"\n[[surveys]]\nid = "a"',
            "surveys[1].id: expected a new id, found 'a' a second time",
        ),
        (
            '[[surveys]]\nid = "a"\nsample = 1e-9',
            "surveys[0].sample: expected 0, or at least 0.000001, found 1e-09",
        ),
        (
            '[[surveys]]\nid = "a"\nsampling = {margin = 5, dimension = "plan"}',
            "surveys[0].sampling.dimension: expected one of the dimensions (none), found 'plan'",
        ),
        (
            '[[surveys]]\nid = "a"\nsample = 0.5\nsampling = {margin = 5}',
            "surveys[0].sample: expected either sample or sampling, found both",
        ),
        (
            '[[surveys]]\nid = "a"\nsampling = {margin = 101}',
            "surveys[0].sampling.margin: expected at most 100 points, found 101",
        ),
        (
            '[[surveys]]\nid = "a"\nsampling = {margin = 5, period = "60d"}',
            "surveys[0].sampling.period: expected 1d to 30d, as long as touchpoints are kept, found 60d",
        ),
        ('[[surveys]]\nid = "a"\nsampling = {dimension = "plan"}', "surveys[0].sampling: object missing required"),
        ("[asking]\nper_day = -1", "asking.per_day: expected a whole number >= 0, found -1"),
        ('[[surveys]]\nid = "a"\nper_day = 0.5', "surveys[0].per_day: expected a whole number, found 0.5"),
        ('[[surveys]]\nid = "a"\nsample = 2', "surveys[0].sample: expected a number <= 1.0, found 2"),
        (
            '[[surveys]]\nid = "a"\nchannel = "fax"',
            "surveys[0].channel: expected one of link, log, mail, sms, web, webhook, found 'fax'",
        ),
        (
            '[[surveys]]\nid = "a"\nchannel = ["link", "log"]',
            "surveys[0].channel: expected link alone, because nobody is invited by it",
        ),
        (
            '[[surveys]]\nid = "a"\nchannel = "link"\ntrigger = "Paid"',
            "surveys[0].trigger: expected none, because whoever has the plain link answers, as often as they like",
        ),
        (
            '[[surveys]]\nid = "a"\nchannel = "link"\nvariables = ["order"]\nwording = {thanks = "{{ order }}!"}',
            "surveys[0].wording: expected words that need nothing of a customer (en): ",
        ),
        (
            '[[surveys]]\nid = "a"\nchannel = "sms"',
            "surveys[0].channel: sms needs a gateway: set sms.url or LIVENPS_SMS_URL",
        ),
        ('[sms]\nbody = {to = "{to}"}', "sms.body: expected {text} in one of its texts"),
        ("[sms]\nbody = {at = 2026-01-01}", "sms.body: expected texts, numbers, booleans, lists and tables only"),
        ("[sms]\nper_second = -1", "sms.per_second: expected a number >= 0.0, found -1"),
        (
            '[sms]\nurl = "http://a"\nheaders = {authorization = "Bearer {secret}"}\n'
            '[[surveys]]\nid = "a"\nchannel = ["log", "sms"]',
            "sms.headers.authorization: expected a secret: set LIVENPS_SMS_SECRET",
        ),
        (
            '[[surveys]]\nid = "a"\nwording = {sms = "Hello"}',
            "surveys[0].wording.sms: expected {link} in it, where the survey's page is put in",
        ),
        (
            '[[surveys]]\nid = "a"\nchannel = "mail"',
            "surveys[0].channel: mail needs a server: set LIVENPS_SMTP_URL",
        ),
        ('[[surveys]]\nid = "a"\nchannel = "webhook"', "surveys[0].webhook_url: expected an address"),
        (
            '[[surveys]]\nid = "a"\nwhere = [{property = "x", op = "like"}]',
            "surveys[0].where[0].op: expected one of exact, gt, gte, ",
        ),
        ('[asking.sending]\nhours = "9-18"', "asking.sending.hours: expected hours such as 09:00-18:00"),
        (
            '[asking.sending]\nhours = "18:00-09:00"',
            "asking.sending: expected hours of one day, such as 09:00-18:00, found 18:00-09:00",
        ),
        (
            '[[surveys]]\nid = "a"\nsending = {timezone = "Berlin"}',
            "surveys[0].sending: expected a time zone such as Europe/Berlin, found 'Berlin'",
        ),
        (
            '[[surveys]]\nid = "a"\nsending = {days = ["monday"]}',
            "surveys[0].sending.days[0]: expected one of fri, mon, sat, sun, thu, tue, wed, found 'monday'",
        ),
        (
            '[[surveys]]\nid = "a"\ndelay = "2d"\ndefer = "21d"',
            "surveys[0].defer: expected at most 22d for delay, defer and reminder together, because ",
        ),
        (
            '[[surveys]]\nid = "a"\ndelay = "2d"\nreminder = "21d"',
            "surveys[0].reminder: expected at most 22d for delay, defer and reminder together, because ",
        ),
        (
            f'[web]\norigins = ["https://shop.example.com"]\n{WEB}reminder = "5d"',
            "surveys[0].reminder: expected none, because on the site a survey waits by itself, found 5d",
        ),
        (
            '[[surveys]]\nid = "a"\nreminder = "soon"',
            "surveys[0].reminder: expected a duration such as",
        ),
        (
            '[kafka.retention]\ntouchpoints = "3d"\n[[surveys]]\nid = "a"\ndelay = "1h"',
            "surveys[0].delay: expected at most 0d for delay, defer and reminder together, because ",
        ),
        (
            '[[surveys]]\nid = "a"\nsending = {hour = "09:00-18:00"}',
            "surveys[0].sending: object contains unknown field `hour`, expected some of hours, days, timezone",
        ),
        (
            '[asking.exclude]\nwhere = [{property = "test", op = "regex", value = "("}]',
            "asking.exclude.where[0]: expected a regular expression (RE2): missing ): (, found ",
        ),
        (
            '[asking.exclude]\ndomains = ["@example.com"]',
            "asking.exclude.domains[0]: expected a domain such as example.com",
        ),
        ('[asking]\nexclude = "c1"', "asking.exclude: expected a table, found 'c1'"),
        ('[[surveys]]\nid = "a"\nevery = "90d"', "surveys[0].starts: expected a day from which on everybody is"),
        (
            '[[surveys]]\nid = "a"\nevery = "90d"\nstarts = 2026-12-01\ntrigger = "Paid"',
            "surveys[0].trigger: expected a day from which on everybody is asked, such as 2026-12-01, and no ",
        ),
        (
            '[asking]\nquiet_period = "0s"\n[[surveys]]\nid = "a"\nquiet_period = "1h"\n'
            'every = "90d"\nstarts = 2026-12-01',
            "surveys[0].quiet_period: expected at least 1d here or in [asking], because everybody is asked again",
        ),
        (
            '[[surveys]]\nid = "a"\nevery = "23h"\nstarts = 2026-12-01',
            "surveys[0].every: expected at least 1d, found 23h",
        ),
        (
            '[[surveys]]\nid = "a"\nevery = "90d"\nstarts = 1969-12-31',
            "surveys[0].starts: expected a day from 1970 on, found 1969-12-31",
        ),
        (
            '[[surveys]]\nid = "a"\nstarts = 2026-12-01',
            'surveys[0].starts: expected how often as well, such as every = "90d", or no day',
        ),
        (
            '[[surveys]]\nid = "a"\ntrigger = "Paid"\nmax_age = "0s"',
            "surveys[0].max_age: expected more than 0s, because every event is older than that",
        ),
        (
            '[[surveys]]\nid = "a"\nwhere = [{property = "plan", value = "pro"}]',
            "surveys[0].where: expected none without a trigger or every, because who is asked by hand",
        ),
        (
            '[[surveys]]\nid = "a"\nstarts = "soon"',
            "surveys[0].starts: invalid RFC3339 encoded date, found 'soon'",
        ),
        ("[asking]\nat_most = 21", "asking.at_most: expected a whole number <= 20, found 21"),
        (
            '[asking]\nat_most = 3\nat_most_in = "91d"',
            "asking.at_most_in: expected at most 90d, as long as survey.requests are kept, and more than 0s",
        ),
        (
            '[asking]\nat_most = 3\nat_most_in = "0s"',
            "asking.at_most_in: expected at most 90d, as long as survey.requests are kept, and more than 0s",
        ),
        ('[asking]\nafter_anser = "3d"', "asking: object contains unknown field `after_anser`, expected some of "),
        ('[[surveys]]\nid = "a"\ndefer = 3', "surveys[0].defer: expected a duration such as"),
        (
            '[[surveys]]\nid = "a"\nwhere = [{property = "x", op = "regex", value = "(?=y)"}]',
            "surveys[0].where[0]: expected a regular expression (RE2): invalid perl operator: (?=, found ",
        ),
        (
            '[[surveys]]\nid = "a"\nwhere = [{property = "x", op = "not_regex", value = ["y"]}]',
            "surveys[0].where[0]: expected one value as value of 'not_regex', found ",
        ),
        (
            '[[surveys]]\nid = "a"\ntrigger = "Paid"\ncancel = ["Refunded", "Paid"]',
            "surveys[0].cancel: expected events other than the trigger, found 'Paid'",
        ),
        (
            '[[surveys]]\nid = "a"\nwording = {questoin = "x"}',
            "surveys[0].wording.questoin: unknown for nps, expected some of question, low, high, promoter, ",
        ),
        (
            '[[surveys]]\nid = "a"\nmetric = "csat"\nwording = {satisfied = "x", promoter = "y"}',
            "surveys[0].wording.promoter: unknown for csat, expected some of question, low, high, satisfied, ",
        ),
        (
            '[[surveys]]\nid = "a"\n[[surveys]]\nid = "b"\nwording = {low = "x", high = 5}',
            "surveys[1].wording.high: expected a text, found 5",
        ),
        (
            '[[surveys]]\nid = "a"\nwording = {thanks = " "}',
            "surveys[0].wording.thanks: expected words, found none",
        ),
        (
            '[[surveys]]\nid = "a"\nquestions = [{id = "x", kind = "stars", text = "?"}]',
            "surveys[0].questions[0].kind: expected one of multiple, rating, single, text, ces, csat, nps",
        ),
        (
            '[[surveys]]\nid = "a"\nquestions = [{id = "x", kind = "single", text = "?"}]',
            "surveys[0].questions[0]: expected 2 to 50 options of a single question, found ",
        ),
        (
            '[[surveys]]\nid = "a"\nquestions = [{id = "x", kind = "text", text = "?", when = {y = ["z"]}}]',
            "surveys[0].questions[0].when.y: expected group or an earlier question with options (group), ",
        ),
        (
            '[[surveys]]\nid = "a"\nquestions = [{id = "thanks", kind = "text", text = "?"}]',
            "surveys[0].questions[0].id: expected a new id, found 'thanks', which is taken",
        ),
        (
            '[[surveys]]\nid = "a"\nwording = {question = "Do you like {{ produkt }}?"}\nvariables = ["product"]',
            "surveys[0].wording.question: expected some of the variables name, brand, product, found 'produkt'",
        ),
        (
            '[[surveys]]\nid = "a"\nquestions = [{id = "x", kind = "text", text = "{{ name"}]',
            "surveys[0].questions[0].text: cannot be read: unexpected end of template",
        ),
        (
            '[[surveys]]\nid = "a"\ntranslations = {de = {question = "{{ name.__class__ }}"}}',
            "surveys[0].translations.de.question: expected variables, filters and conditions only, found getattr",
        ),
        (
            '[[surveys]]\nid = "a"\nvariables = ["product", "name"]',
            "surveys[0].variables: expected names other than name, brand, found 'name'",
        ),
        (
            '[[surveys]]\nid = "a"\nincentive = {codes = "/no/such/codes.txt"}',
            "surveys[0].incentive.codes: cannot be read: [Errno 2] No such file or directory",
        ),
        ('[[surveys]]\nid = "a"\nlanguage = "xx"', "surveys[0].language: expected a language, found 'xx'"),
        (
            '[[surveys]]\nid = "a"\ntranslations = {xx = {}}',
            "surveys[0].translations.xx: expected a language other than the survey's 'en', found 'xx'",
        ),
        (
            '[[surveys]]\nid = "a"\ntranslations = {en = {}}',
            "surveys[0].translations.en: expected a language other than the survey's 'en', found 'en'",
        ),
        (
            '[[surveys]]\nid = "a"\ntranslations = {de = {qestion = "?"}}',
            "surveys[0].translations.de.qestion: unknown for nps, expected some of question, low",
        ),
        (
            '[[surveys]]\nid = "a"\nwording = {question = "?"}\ntranslations = {de = {low = "schlecht"}}',
            "surveys[0].translations.de: expected all that the survey words itself, 'question' is missing",
        ),
        (
            '[[surveys]]\nid = "a"\nquestions = [{id = "x", kind = "rating", text = "?", options = {y = "Y"}}]\n'
            'translations = {de = {x = "?"}}',
            "surveys[0].translations.de: expected all that the survey words itself, 'x.y' is missing",
        ),
        (
            '[[surveys]]\nid = "a"\ntranslations = {de = {passive = ""}}',
            "surveys[0].translations.de.passive: expected words, found none",
        ),
        (
            '[[surveys]]\nid = "a"\nmetric = "nsp"',
            "surveys[0].metric: expected one of ces, csat, nps, found 'nsp'",
        ),
    ],
)
def test_an_error_names_file_key_expectation_and_what_stands_there(text: str, message: str) -> None:
    assert error(text).startswith(f"mine.toml: {message}")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "LIVENPS_KAFKA_BOOTSTRAP",
            "kafka",
            "expected addresses such as \"kafka-1:9092,kafka-2:9092\", found 'kafka'",
        ),
        ("LIVENPS_REDIS_URL", "kafka", "expected an address such as redis://127.0.0.1:6379/0"),
        ("LIVENPS_REDIS_URL", "redis://host:x/0", "expected a URL whose port is a number up to 65535"),
        ("LIVENPS_REDIS_URL", "redis://a:1,b:2", "expected a URL whose port is a number up to 65535"),
        ("LIVENPS_REDIS_URL", "redis+cluster://a:1,b:x", "expected a URL whose port is a number up to 65535"),
        ("LIVENPS_REDIS_URL", "redis+cluster://a:1,", SERVERS),
        ("LIVENPS_REDIS_URL", "redis+cluster://a:1,b:1/1", SERVERS),
        ("LIVENPS_SMTP_URL", "smtp://host:99999", "expected a URL whose port is a number up to 65535"),
        ("LIVENPS_API_KEYS", "short", "expected a text of length >= 16"),
    ],
)
def test_an_error_names_the_variable(variable: str, value: str, message: str) -> None:
    assert error("", **{variable: value}) == f"{variable}: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "translations = {german = {}}",
            "translations: expected a language such as de, or pt-BR, found {'german': {}}",
        ),
        ('language = "german"', "language: expected a language such as de, or pt-BR, found 'german'"),
        (
            'variables = ["first name"]',
            "variables[0]: expected a name of letters, digits and _, found 'first name'",
        ),
        ('target = "high"', "target: expected a number, found 'high'"),
        ("channel = 3", "channel: expected a text or a list, found 3"),
        ('sending = {timezone = "Berln"}', "sending: expected a time zone such as Europe/Berlin, found 'Berln'"),
    ],
)
def test_who_writes_a_survey_is_told_in_words_not_in_types(text: str, message: str) -> None:
    assert error(f'[[surveys]]\nid = "a"\n{text}') == f"mine.toml: surveys[0].{message}"


def test_a_variable_of_a_table_that_is_none_is_told_of_the_file() -> None:
    assert error("kafka = 1", LIVENPS_KAFKA_BOOTSTRAP="k:1") == "mine.toml: kafka: expected a table, found 1"


@pytest.mark.parametrize(
    "text",
    [
        '[http]\nsecret = "geheim"',
        '[http]\nkeys = ["geheim"]',
        '[http]\nkeys = "geheim"',
        '[mail]\nurl = "http://user:geheim@host"',
        '[mail]\nurl = "smtp://user:geheim@host:x"',
        '[redis]\nurl = "http://:geheim@host"',
        '[redis]\nurl = "redis://:geheim@host:x/0"',
        '[redis]\nurl = "redis+cluster://:geheim@a:1,b:x"',
        '[redis]\nurl = "redis+cluster://:geheim@a:1,b:1/1"',
    ],
)
def test_no_secret_in_a_message(text: str) -> None:
    assert "geheim" not in error(text)


def test_a_file_that_is_not_there_or_no_toml(tmp_path: Path) -> None:
    for content, message in ((b"x", "is no TOML"), (b"\xff", "is no TOML"), (None, "cannot be read")):
        file = tmp_path / f"{message}.toml"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ConfigError, match=f"^{re.escape(str(file))}: {message}"):
            load(file, {})
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_an_error_of_the_environment_over_the_default_says_so() -> None:
    with pytest.raises(ConfigError, match=r"^LIVENPS_SECRET: "):
        load(None, {"LIVENPS_SECRET": "short"})


def test_a_gateway_of_text_messages() -> None:
    text = '[sms]\nheaders = {authorization = "Bearer {secret}"}\nper_second = 2\n[webhook]\nper_second = 0.5\n'
    config = read(text, LIVENPS_SMS_URL="https://sms.example/send", LIVENPS_SMS_SECRET="geheim")
    assert config.sms.url == "https://sms.example/send"
    assert config.sms.told_headers == {"authorization": "Bearer geheim"}
    assert config.rates() == {"sms": 2, "webhook": 0.5}


@pytest.mark.parametrize("text", ['[sms]\nurl = "geheim"', '[sms]\nsecret = "geheim\\n"'])
def test_no_message_shows_what_a_gateway_is_asked_with(text: str) -> None:
    assert "geheim" not in error(text)


def test_a_text_message_that_takes_several_is_warned_of() -> None:
    short = Survey(id="short", channel="sms")
    long = Survey(
        id="long",
        channel="sms",
        wording={"sms": "Ł" + "x" * 60 + "{link}"},
        translations={"de": {"sms": "{link}"}},
    )
    mail = Survey(id="mail", channel="mail", wording=long.wording)
    assert long_messages([short, long, mail], "Shop", "https://example.com/s/x") == [
        "surveys[1]: the sms of long in en takes 2 messages, its 84 characters with the link"
    ]
