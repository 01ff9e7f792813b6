"""Mail over a real SMTP connection: what arrives, and what a refusal means."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from email.header import Header, decode_header, make_header
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from hypothesis import given
from hypothesis import strategies as st

from scoring.scales import Metric
from sinks.mail import MailSender, MailServer
from streams.errors import DeliveryDelayed, DeliveryFailed, DeliveryUnknown
from surveys.survey import Survey
from surveys.wording import SHIPPED, standard
from tests.real.certificate import Certificate, certificate
from tests.real.ports import free_port
from tests.real.smtp import Mailbox
from tests.real.wait import until
from tests.sinks.invitations import LINK, invitation

HOSTILE = '<script>alert(1)</script> & "Ann" {{ brand }}'


def sender(port: int, scheme: str = "smtp", access: str = "") -> MailSender:
    server = MailServer.parse(f"{scheme}://{access}127.0.0.1:{port}")
    return MailSender(server, "Our shop <shop@example.com>", "Our shop")


async def sent(smtp: Mailbox, survey: Survey | None = None, **fields: str | None) -> EmailMessage:
    """The one mail that arrives."""
    await sender(smtp.port).send(invitation(survey, **fields))
    (message,) = smtp.messages
    return message


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    text: str = body.get_content()
    return text


async def test_a_mail_has_text_and_html_with_the_link(smtp: Mailbox) -> None:
    message = await sent(smtp, name="Ann")
    assert smtp.recipients == [["ann@example.com"]]
    assert message["To"] == "ann@example.com"
    assert message["From"] == "Our shop <shop@example.com>"
    assert message["Subject"] == "One question, ten seconds"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"]
    assert "q1" in message["Message-ID"]
    assert message.get_content_type() == "multipart/alternative"
    for kind in ("plain", "html"):
        text = part(message, kind)
        assert "How likely are you to recommend us" in text
        assert "Not at all likely" in text
        assert "Hello Ann," in text
        assert LINK in text
        assert "Our shop" in text


async def test_a_logo_is_called_by_the_brand(smtp: Mailbox) -> None:
    server = MailServer("127.0.0.1", smtp.port, tls=False, username=None, password=None)
    logo = "https://feedback.example.com/brand/logo"
    await MailSender(server, "shop@example.com", "Ann & Bob", logo).send(invitation())
    assert f'<img src="{logo}" alt="Ann &amp; Bob"' in part(smtp.messages[0], "html")


async def test_every_score_is_a_link_of_its_own(smtp: Mailbox) -> None:
    message = await sent(smtp)
    html = part(message, "html")
    for score in range(11):
        assert f'href="{LINK}?score={score}"' in html
        assert f'aria-label="{score} out of 10"' in html
    assert f'href="{LINK}/decline"' in html
    assert f"Not now, thanks: {LINK}/decline\r\n" in part(message, "plain")


@pytest.mark.parametrize(
    ("metric", "ends"),
    [
        ("nps", "0 (Not at all likely) to 10 (Extremely likely)"),
        ("csat", "1 (Very dissatisfied) to 5 (Very satisfied)"),
        ("ces", "1 (Strongly disagree) to 7 (Strongly agree)"),
    ],
)
async def test_a_mail_offers_the_scores_of_the_surveys_scale(smtp: Mailbox, metric: Metric, ends: str) -> None:
    survey = Survey(id="s", metric=metric)
    words = survey.words("en")
    message = await sent(smtp, survey)
    html = part(message, "html")
    assert [int(score) for score in re.findall(r"\?score=(\d+)", html)] == [*survey.scale.scores]
    assert f"{survey.scale.lowest} = {words['low']}, {survey.scale.highest} = {words['high']}" in html
    assert f"Choose a number from {ends} here:" in part(message, "plain")


async def test_without_a_name_nobody_is_greeted(smtp: Mailbox) -> None:
    message = await sent(smtp)
    assert "Hello" not in part(message, "plain") + part(message, "html")


async def test_the_survey_words_the_mail(smtp: Mailbox) -> None:
    wording = {
        "question": "Wie wahrscheinlich …?",
        "low": "gar nicht",
        "high": "äußerst",
        "subject": "Eine Frage ★",
    }
    message = await sent(smtp, Survey(id="nps", wording=wording))
    assert message["Subject"] == "Eine Frage ★"
    for kind in ("plain", "html"):
        assert all(word in part(message, kind) for word in ("Wie wahrscheinlich …?", "gar nicht", "äußerst"))


async def test_a_mail_speaks_the_contacts_language(smtp: Mailbox) -> None:
    message = await sent(smtp, Survey(id="nps", translations={"ar": {}, "de": {}}), name="Ann", locale="ar-EG")
    assert message["Subject"] == "سؤال واحد، عشر ثوانٍ"
    assert '<html lang="ar" dir="rtl">' in part(message, "html")
    assert 'aria-label="9 من 10"' in part(message, "html")
    for kind in ("plain", "html"):
        assert "مرحبًا Ann،" in part(message, kind)


@pytest.mark.parametrize("language", SHIPPED)
async def test_a_reminder_says_that_it_is_one_in_every_language(smtp: Mailbox, language: str) -> None:
    words = standard("nps", language)
    survey = Survey(id="nps", language=language)
    invited, reminded = (invitation(survey, reminds=reminds) for reminds in (None, "q1"))
    for one in (invited, reminded):
        await sender(smtp.port).send(one)
    first, second = smtp.messages
    assert first["Subject"] == words["subject"]
    assert second["Subject"] == words["reminder_subject"].replace("{subject}", words["subject"])
    assert language == "en" or words["reminder"] != standard("nps")["reminder"]
    for kind in ("plain", "html"):
        assert words["reminder"] not in part(first, kind)
        assert words["reminder"] in part(second, kind)
    assert f"<title>{second['Subject']}</title>" in part(second, "html")


async def test_hostile_texts_are_escaped_in_html_and_plain_in_text(smtp: Mailbox) -> None:
    message = await sent(smtp, Survey(id="nps", wording={"question": "{{ name }}"}), name=HOSTILE)
    html = part(message, "html")
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;Ann&#34; {{ brand }}") == 2
    assert part(message, "plain").count(HOSTILE) == 2


# In the shape of RFC 2047: decoded, they end a line.
ENCODED = [
    "=?utf-8?q?a=0D=0ABcc:_all=40example.com?=",
    "=?utf-8?b?DQpCY2M6IGFsbEBleGFtcGxlLmNvbQ==?=",
    "=?utf-8?q?a=0Ab?=",
]


@pytest.mark.parametrize("name", [*ENCODED, "Ü " + ENCODED[0], ENCODED[0] * 3, "=?", "Ann\u2028Lee", "Ann\nLee"])
@pytest.mark.parametrize("email", ["ann@example.com", "jörg@bücher.example"])
async def test_a_subject_is_read_as_it_is_written(smtp: Mailbox, name: str, email: str) -> None:
    """Whoever a customer says they are: no header of theirs comes of it."""
    message = await sent(smtp, Survey(id="nps", wording={"subject": "{{ name }}?"}), name=name, email=email)
    assert " ".join(str(decode(message)).split()) == " ".join(f"{name}?".split())
    assert not {"Bcc", "Cc"} & set(message)
    assert smtp.recipients == [[email]]


def decode(message: EmailMessage) -> Header:
    """The subject as a mail program shows it, of what stands on the wire."""
    [raw] = [value for name, value in message.raw_items() if name == "Subject"]
    return make_header(decode_header(raw))


async def test_a_subject_of_several_lines_is_one(smtp: Mailbox) -> None:
    subject = "\nHow was it,\r\n{% if name %}\n {{ name }}{% endif %}?\n"
    message = await sent(smtp, Survey(id="nps", wording={"subject": subject}), name="Ann")
    assert message["Subject"] == "How was it, Ann?"


async def test_an_international_address_arrives(smtp: Mailbox) -> None:
    message = await sent(smtp, email="jörg@bücher.example")
    assert smtp.recipients == [["jörg@bücher.example"]]
    assert message["To"] == "jörg@bücher.example"


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "ann",
        "ann@",
        "@example.com",
        "ann@example.com, bob@example.com",
        "ann@example.com\r\nBcc: bob@example.com",
        "ann@example.com\nBcc: bob@example.com",
        "ann@example.com\r\n\r\nBuy!",
        "ann@example.com>\r\nRCPT TO:<bob@example.com",
        "=?utf-8?q?ann=0D=0ABcc:_bob=40example.com?=@example.com",
        "friends: ann@example.com, bob@example.com;",
        "ann @example.com",
        "ann@example..com",
        '"',
        "<",
        ".\ud7ff.::;a_>]ä",
        ":;-é]",
    ],
)
async def test_an_address_that_cannot_be_is_refused_and_nothing_is_sent(
    smtp: Mailbox, address: str | None
) -> None:
    with pytest.raises(DeliveryFailed, match="no usable address"):
        await sender(smtp.port).send(invitation(email=address))
    assert smtp.messages == []


PIECES = st.sampled_from([*"ab@<>()[],;:\"\\. \t\r\n\x00ä=?_'", "=?utf-8?q?=0A?=", "a@example.com", "Bcc:"])


@given(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=20))
def test_any_address_is_one_recipient_or_refused(address: str, name: str) -> None:
    try:
        message = sender(25).compose(invitation(email=address, name=name))
    except DeliveryFailed:
        return
    assert [one.addr_spec for one in message["To"].addresses] == [address]
    assert not {"Bcc", "Cc"} & set(message)


@pytest.mark.parametrize("reply", ["550 no such user", "552 mailbox full", "554 spam"])
async def test_a_refusal_for_good_fails(smtp: Mailbox, reply: str) -> None:
    smtp.reply = reply
    with pytest.raises(DeliveryFailed, match=reply):
        await sender(smtp.port).send(invitation())


@pytest.mark.parametrize("reply", ["421 closing", "450 busy", "451 try later", "452 no space"])
async def test_a_refusal_for_now_is_delayed(smtp: Mailbox, reply: str) -> None:
    smtp.reply = reply
    with pytest.raises(DeliveryDelayed, match=reply) as caught:
        await sender(smtp.port).send(invitation())
    assert caught.value.gateway_away == reply.startswith("421")
    smtp.reply = "250 OK"
    await sender(smtp.port).send(invitation())
    assert len(smtp.messages) == 1


async def test_a_refused_recipient_is_told_like_a_refused_mail(
    smtp: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = ["550 no such user: <Ann@Example.com>", "450 greylisted"]

    async def refuse(*_: object) -> str:
        return replies.pop(0)

    monkeypatch.setattr(smtp, "handle_RCPT", refuse, raising=False)
    smtp.stop()
    smtp.start()
    with pytest.raises(DeliveryFailed, match="550 no such user: <…>"):  # logs name no address
        await sender(smtp.port).send(invitation())
    with pytest.raises(DeliveryDelayed, match="450 greylisted"):
        await sender(smtp.port).send(invitation())


async def test_a_server_that_is_away_is_delayed() -> None:
    port = free_port()
    with pytest.raises(DeliveryDelayed, match=f"127.0.0.1:{port}") as caught:
        await sender(port).send(invitation())
    assert caught.value.gateway_away


@pytest.mark.parametrize("greeting", ["421 too busy", "554 no service here", ""])
async def test_a_server_that_greets_with_a_refusal_is_away(greeting: str) -> None:
    """That is no opinion of one mail."""

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if greeting:
            writer.write(f"{greeting}\r\n".encode())
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DeliveryDelayed, match=f"127.0.0.1:{port}") as caught:
            await sender(port).send(invitation())
    assert caught.value.gateway_away


@pytest.fixture
async def unknown(tmp_path: Path) -> AsyncIterator[Certificate]:
    """What a server serves with whom nobody vouches for."""
    yield certificate(tmp_path)
    loop: Any = asyncio.get_running_loop()  # TLS takes its leave after a mail is sent, and needs the loop for it
    await until(lambda: len(loop._selector.get_map()) == 1, message="only the loop's own pipe is open")


@pytest.fixture
def known(unknown: Certificate, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The same of a server that this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(unknown.file))  # read by OpenSSL
    return unknown.server


def serves(how: str, with_: ssl.SSLContext) -> dict[str, Any]:
    """The arguments of a server that speaks TLS from the start, or when it is asked to."""
    return {"ssl_context": with_} if how == "smtps" else {"tls_context": with_}


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
async def test_a_mail_goes_over_tls_where_the_server_speaks_it(
    smtp: Mailbox, known: ssl.SSLContext, scheme: str
) -> None:
    smtp.stop()
    smtp.start(
        **serves(scheme, known),
        authenticator=lambda *_: AuthResult(success=True),
        auth_require_tls=scheme == "smtp",
    )
    await sender(smtp.port, scheme, access="shop:geheim@").send(invitation())
    assert smtp.encrypted == [True]


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
async def test_a_server_that_nobody_vouches_for_is_given_nothing(
    smtp: Mailbox, unknown: Certificate, scheme: str
) -> None:
    smtp.stop()
    smtp.start(**serves(scheme, unknown.server))
    with pytest.raises(DeliveryDelayed, match="certificate") as caught:
        await sender(smtp.port, scheme).send(invitation())
    assert caught.value.gateway_away
    assert smtp.messages == []


async def test_a_password_is_not_sent_for_everybody_to_read(smtp: Mailbox) -> None:
    told: list[object] = []

    def listen(*heard: object) -> AuthResult:
        told.append(heard)
        return AuthResult(success=True)

    smtp.stop()
    smtp.start(authenticator=listen, auth_require_tls=False)
    with pytest.raises(DeliveryDelayed, match="STARTTLS") as caught:
        await sender(smtp.port, access="shop:geheim@").send(invitation())
    assert caught.value.gateway_away
    assert (told, smtp.messages) == ([], [])


async def test_a_server_that_knows_us_no_more_is_away(smtp: Mailbox, known: ssl.SSLContext) -> None:
    """A password that has run out is no opinion of one mail: it would be the end of all that are due."""
    smtp.stop()
    smtp.start(tls_context=known, authenticator=lambda *_: AuthResult(success=False, handled=False))
    with pytest.raises(DeliveryDelayed, match="535") as caught:
        await sender(smtp.port, access="shop:geheim@").send(invitation())
    assert caught.value.gateway_away
    assert "geheim" not in str(caught.value)


async def test_a_server_that_wants_to_know_us_is_away(smtp: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> str:
        return "530 5.7.0 Authentication required"

    monkeypatch.setattr(smtp, "handle_MAIL", refuse, raising=False)
    smtp.stop()
    smtp.start()
    with pytest.raises(DeliveryDelayed, match="530") as caught:
        await sender(smtp.port).send(invitation())
    assert caught.value.gateway_away


async def test_a_server_that_hangs_before_a_mail_has_begun_took_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It greets, and says nothing more: what is slow is no crash in the middle."""
    held: list[asyncio.StreamWriter] = []

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        writer.write(b"220 here\r\n")
        await writer.drain()

    monkeypatch.setattr("sinks.mail.TIMEOUT_S", 0.2)
    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    with pytest.raises(DeliveryDelayed, match="imed out") as caught:
        await sender(server.sockets[0].getsockname()[1]).send(invitation())
    assert caught.value.gateway_away
    for writer in held:
        writer.close()
    server.close()


async def test_a_connection_that_ends_at_the_content_leaves_it_open(
    smtp: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def leave(server: SMTP, *_: object) -> str:
        server.transport.abort()
        return "250 OK"

    monkeypatch.setattr(smtp, "handle_DATA", leave)
    smtp.stop()
    smtp.start()
    with pytest.raises(DeliveryUnknown, match=f"127.0.0.1:{smtp.port}"):
        await sender(smtp.port).send(invitation())


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://localhost", MailServer("localhost", 25, tls=False, username=None, password=None)),
        ("smtp://mail:2525", MailServer("mail", 2525, tls=False, username=None, password=None)),
        ("smtps://mail", MailServer("mail", 465, tls=True, username=None, password=None)),
        (
            "smtps://me%40shop:p%2Fw%3A%23@mail:587",
            MailServer("mail", 587, tls=True, username="me@shop", password="p/w:#"),
        ),
    ],
)
def test_the_address_of_a_server(url: str, server: MailServer) -> None:
    assert MailServer.parse(url) == server


async def test_a_mail_can_be_unsubscribed_from_with_one_click(smtp: Mailbox) -> None:
    """The whole address in angle brackets, in one piece however long it is."""
    message = await sent(smtp, Survey(id="nps", translations={"de": {}}), locale="de")
    assert message["List-Unsubscribe"] == f"<{LINK}/unsubscribe>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"Abmelden: {LINK}/unsubscribe" in part(message, "plain")
    assert f'<a href="{LINK}/unsubscribe">Abmelden</a>' in part(message, "html")


@pytest.mark.parametrize("length", [10, 60, 200])
async def test_a_long_link_stays_whole(smtp: Mailbox, length: int) -> None:
    link = f"https://feedback.example.com/s/{'x' * length}"
    await sender(smtp.port).send(replace(invitation(), link=link))
    [raw] = smtp.raw
    unfolded = raw.replace(b"\r\n ", b" ")
    assert f"List-Unsubscribe: <{link}/unsubscribe>\r\n".encode() in unfolded


async def test_without_https_a_mail_program_has_no_button(smtp: Mailbox) -> None:
    await sender(smtp.port).send(replace(invitation(), link="http://localhost/s/x"))
    [message] = smtp.messages
    assert "List-Unsubscribe" not in message
    assert "http://localhost/s/x/unsubscribe" in part(message, "plain")
