"""What no type says of a configuration: what it names has to be there, and fit together."""

from __future__ import annotations

import json
from collections.abc import Sequence

from livenps.errors import ConfigError
from livenps.settings import Config
from livenps.words import check_words
from scoring.digest import TIMES
from scoring.segments import PAIR, PAIR_VALUE
from scoring.windows import ALL
from sinks.address import sender, usable
from streams.times import DAY, Duration, from_ms
from streams.topics import DECISIONS, REQUESTS, ROLES, TOUCHPOINTS
from surveys.personal import WordsFailed, personal
from surveys.sampling import LEAST
from surveys.survey import Survey
from web.branding import DARK, LIGHT, MAX_LOGO, media_type, unreadable


def check(config: Config, source: str) -> None:
    """Raise ConfigError where something does not."""
    for checked in (
        _check_windows,
        _check_dimensions,
        _check_asking,
        _check_surveys,
        _check_watched,
        _check_report,
        _check_retention,
        _check_mail,
        _check_sms,
        _check_branding,
        _check_web,
        _check_incentives,
    ):
        checked(config, source)


def _check_mail(config: Config, source: str) -> None:
    if not sender(config.mail.sender):
        message = f'expected one address, such as "Our shop <feedback@example.com>", found {config.mail.sender!r}'
        raise ConfigError(source, "mail.sender", message)


def _check_sms(config: Config, source: str) -> None:
    try:
        body = json.dumps(config.sms.body, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            source, "sms.body", "expected texts, numbers, booleans, lists and tables only"
        ) from error
    if missing := next((one for one in ("{to}", "{text}") if one not in body), None):
        raise ConfigError(source, "sms.body", f"expected {missing} in one of its texts")


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


def _check_web(config: Config, source: str) -> None:
    kept = Duration(config.topics()[REQUESTS].retention or 0)
    if not 0 < config.web.show_for <= kept:
        message = f"expected at most {kept}, as long as survey.requests are kept, found {config.web.show_for}"
        raise ConfigError(source, "web.show_for", message)


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
    if asking.at_most and not 0 < asking.at_most_in <= kept:
        # A state that is lost is filled again from them.
        message = (
            f"expected at most {Duration(kept)}, as long as survey.requests are kept, and more than 0s,"
            f" found {asking.at_most_in}"
        )
        raise ConfigError(source, "asking.at_most_in", message)


def _check_surveys(config: Config, source: str) -> None:
    seen: set[str] = set()
    for number, survey in enumerate(config.surveys):
        key = f"surveys[{number}]"
        if survey.id in seen:
            raise ConfigError(source, f"{key}.id", f"expected a new id, found {survey.id!r} a second time")
        seen.add(survey.id)
        _check_channels(config, survey, source, key)
        worst, best = survey.scale.ends
        if survey.target is not None and not worst <= survey.target <= best:
            message = f"expected {worst:g} to {best:g}, as a {survey.metric} is, found {survey.target:g}"
            raise ConfigError(source, f"{key}.target", message)
        if 0 < survey.sample < LEAST:
            message = f"expected 0, or at least {LEAST:f}, found {survey.sample:g}"
            raise ConfigError(source, f"{key}.sample", message)
        _check_sampling(config, survey, source, key)
        _check_waiting(config, survey, source, key)
        _check_rhythm(config, survey, source, key)
        if not survey.max_age:
            raise ConfigError(
                source, f"{key}.max_age", "expected more than 0s, because every event is older than that"
            )
        if survey.where and not (survey.trigger or survey.every):
            message = "expected none without a trigger or every, because who is asked by hand meets no conditions"
            raise ConfigError(source, f"{key}.where", message)
        if survey.trigger in survey.cancel:
            raise ConfigError(
                source, f"{key}.cancel", f"expected events other than the trigger, found {survey.trigger!r}"
            )
        _check_scores(config, survey, source, key)
        check_words(survey, source, key)


def _check_rhythm(config: Config, survey: Survey, source: str, key: str) -> None:
    if not survey.every:
        if survey.starts:
            raise ConfigError(
                source, f"{key}.starts", 'expected how often as well, such as every = "90d", or no day'
            )
        return
    if survey.trigger or not survey.starts:
        message = "expected a day from which on everybody is asked, such as 2026-12-01, and no trigger"
        raise ConfigError(source, f"{key}.{'trigger' if survey.trigger else 'starts'}", message)
    if survey.starts < from_ms(0).date():
        raise ConfigError(source, f"{key}.starts", f"expected a day from 1970 on, found {survey.starts}")
    if survey.every < DAY:
        raise ConfigError(source, f"{key}.every", f"expected at least 1d, found {survey.every}")
    if max(survey.quiet_period, config.asking.quiet_period) < DAY:
        message = "expected at least 1d here or in [asking], because everybody is asked again and again"
        raise ConfigError(source, f"{key}.quiet_period", message)


def _check_scores(config: Config, survey: Survey, source: str, key: str) -> None:
    """A further score counts in a survey of its own, of that scale."""
    for number, question in enumerate(survey.questions):
        if not question.scale:
            continue
        fitting = [one.id for one in config.surveys if one.scale == question.scale and one.id != survey.id]
        if question.survey not in fitting:
            message = _expected(f"other {question.kind} surveys", fitting, str(question.survey))
            raise ConfigError(source, f"{key}.questions[{number}].survey", message)


def _check_channels(config: Config, survey: Survey, source: str, key: str) -> None:
    channels = survey.channels
    if len({*channels}) < len(channels):
        raise ConfigError(source, f"{key}.channel", f"expected each channel once, found {', '.join(channels)}")
    if "mail" in channels and not config.mail.url:
        message = "mail needs a server: set LIVENPS_SMTP_URL, e.g. smtp://localhost:25"
        raise ConfigError(source, f"{key}.channel", message)
    if "sms" in channels and not config.sms.url:
        message = "sms needs a gateway: set sms.url or LIVENPS_SMS_URL, e.g. https://gateway.example.com/messages"
        raise ConfigError(source, f"{key}.channel", message)
    secret = next((name for name, value in config.sms.headers.items() if "{secret}" in value), None)
    if "sms" in channels and secret and not config.sms.secret:
        raise ConfigError(source, f"sms.headers.{secret}", "expected a secret: set LIVENPS_SMS_SECRET")
    if "web" in channels and not (config.web.origins or config.web.secret):
        message = "web needs to know whom to answer: set web.origins, LIVENPS_WEB_SECRET, or both"
        raise ConfigError(source, f"{key}.channel", message)
    if "link" in channels:
        _check_link(survey, source, key)
    if survey.reminder and channels == ["web"]:
        message = f"expected none, because on the site a survey waits by itself, found {survey.reminder}"
        raise ConfigError(source, f"{key}.reminder", message)
    if "webhook" in channels and not survey.webhook_url:
        raise ConfigError(source, f"{key}.webhook_url", "expected an address, because the channel is webhook")


def _check_sampling(config: Config, survey: Survey, source: str, key: str) -> None:
    if survey.sampling is None:
        return
    sampling, dimensions = survey.sampling, [*config.dimensions]
    worst, best = survey.scale.ends
    kept = Duration(config.topics()[TOUCHPOINTS].retention or 0)  # where a state is lost, counts are made of them
    if survey.sample != 1:
        raise ConfigError(source, f"{key}.sample", "expected either sample or sampling, found both")
    if sampling.dimension and sampling.dimension not in dimensions:
        raise ConfigError(
            source, f"{key}.sampling.dimension", _expected("dimensions", dimensions, sampling.dimension)
        )
    if sampling.margin > (best - worst) / 2:
        message = f"expected at most {(best - worst) / 2:g} points, found {sampling.margin:g}"
        raise ConfigError(source, f"{key}.sampling.margin", message)
    if not DAY <= sampling.period <= kept:
        message = f"expected 1d to {kept}, as long as touchpoints are kept, found {sampling.period}"
        raise ConfigError(source, f"{key}.sampling.period", message)


def _check_link(survey: Survey, source: str, key: str) -> None:
    if survey.channels != ["link"]:
        raise ConfigError(source, f"{key}.channel", "expected link alone, because nobody is invited by it")
    for name in ("trigger", "every", "reminder", "incentive"):
        if getattr(survey, name):
            message = "expected none, because whoever has the plain link answers, as often as they like"
            raise ConfigError(source, f"{key}.{name}", message)
    nobody = dict.fromkeys([*survey.variables, "name"]) | {"brand": ""}
    for language in survey.languages:
        try:
            personal(survey.words(language), nobody)
        except WordsFailed as error:
            message = f"expected words that need nothing of a customer ({language}): {error}"
            raise ConfigError(source, f"{key}.wording", message) from error


def _check_waiting(config: Config, survey: Survey, source: str, key: str) -> None:
    """What waits is scheduled anew from the log where a state is lost, and may wait a week more for its hours."""
    topics = config.topics()
    kept = min(topics[role].retention or 0 for role in (TOUCHPOINTS, DECISIONS))
    most = Duration(max(0, kept - 8 * DAY))
    waits = Duration(survey.delay + survey.defer + survey.reminder)
    if waits > most:
        message = (
            f"expected at most {most} for delay, defer and reminder together, because touchpoints and decisions"
            f" are kept for {Duration(kept)} (kafka.retention), found {waits}"
        )
        last = "reminder" if survey.reminder else "defer" if survey.defer else "delay"
        raise ConfigError(source, f"{key}.{last}", message)


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
