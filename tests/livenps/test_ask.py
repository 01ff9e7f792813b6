"""`livenps ask`, on a running program."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from livenps.asking import Contacts
from sources.csv_table import CsvTable
from streams.events import Contact
from tests.conftest import Serve
from tests.livenps.run import run
from tests.make import NOW
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.livenps import Livenps
from tests.real.wait import until

SURVEYS = [{"id": "launch", "quiet_period": "30d", "where": []}]
CUSTOMERS = "customer_id,email,timezone,plan\nann,ann@example.com,Europe/Berlin,pro\nbob,,,\nann,x@example.com,,\n"


@pytest.fixture
def program(serve: Serve) -> Livenps:
    return serve({"surveys": SURVEYS, "asking": {"exclude": {"domains": ["example.org"]}}})


def ask(program: Livenps, file: Path, *arguments: str, code: int = 0) -> Any:
    done = run("ask", "--survey", "launch", "--contacts", str(file), "--config", str(program.config), *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


async def verdicts(web: httpx.AsyncClient, customer: str) -> list[tuple[str, str]]:
    reply = (await web.get("/v1/decisions", params={"customer_id": customer})).raise_for_status().json()
    return [(one["decision"], one["reason"]) for decision in reply["decisions"] for one in decision["verdicts"]]


async def test_who_is_in_the_file_is_asked_once_and_a_dry_run_tells_before(
    program: Livenps, tmp_path: Path
) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(CUSTOMERS + "eve,eve@example.org,,\n" + "x" * 201 + ",,,\n")
    tried = ask(program, file, "--dry-run", "--json", code=1)
    assert (tried["customers"], tried["repeated"]) == (3, 1)
    assert [(one["decision"], one["reason"], one["customers"]) for one in tried["verdicts"]] == [
        ("asked", "triggered", 2),
        ("not_asked", "excluded_domain", 1),
    ]
    [refused] = tried["refused"]
    assert refused["line"] == 6
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=10) as web:
        assert await verdicts(web, "ann") == []
        assert "3 customers are to be asked launch" in ask(program, file, "--name", "autumn", code=1)
        for customer, verdict in (("ann", ("asked", "triggered")), ("eve", ("not_asked", "excluded_domain"))):
            found = await until(lambda c=customer: verdicts(web, c), message=f"{customer} is decided on")  # type: ignore[misc]
            assert found == [verdict]
        ask(program, file, "--name", "autumn", code=1)
        ask(program, file, "--name", "winter", code=1)

        async def twice() -> bool:
            return len(await verdicts(web, "bob")) == 2

        await until(twice, message="bob is decided on for another occasion, and for no repeat")
        assert await verdicts(web, "bob") == [("not_asked", "quiet_period_survey"), ("asked", "triggered")]
    again = ask(program, file, "--dry-run", code=1)
    assert "  2 not asked: this survey was sent lately (the survey's quiet_period) [quiet_period_survey]" in again


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("customer,email\n", [], "expected a column customer_id, found customer, email"),
        ("", [], "the first line has to name the columns, and is empty"),
        (None, [], "No such file or directory"),
        (CUSTOMERS, ["--name", ""], "--name: expected 1 to 100 characters"),
        (CUSTOMERS, ["--name", "\udcff"], "--name: expected 1 to 100 characters of UTF-8"),
        ("customer_id,plan,plan\n", [], "expected each column once, found plan twice"),
        ("c\x1b[31m,b\n", [], r"found c\x1b[31m, b"),
        (CUSTOMERS, ["--survey", "gone"], "--survey: expected one of post-purchase, relationship, support"),
    ],
)
def test_what_cannot_be_used_is_told(
    tmp_path: Path, content: str | None, arguments: list[str], message: str
) -> None:
    file = tmp_path / "customers.csv"
    if content is not None:
        file.write_text(content)
    done = run("ask", "--survey", "support", "--contacts", str(file), "--dry-run", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_is_asked_by_a_plain_link(tmp_path: Path) -> None:
    config, file = tmp_path / "livenps.toml", tmp_path / "customers.csv"
    config.write_text('[[surveys]]\nid = "poster"\nchannel = "link"\n')
    file.write_text(CUSTOMERS)
    done = run("ask", "--survey", "poster", "--contacts", str(file), "--config", str(config))
    assert done.returncode == 2
    assert "--survey: expected one with a channel, poster stands behind a plain link" in done.stderr


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        (b"customer_id,consent.sms\nann,maybe\n", "consent.sms: expected yes or no, found 'maybe'"),
        (
            b"customer_id,name\nann,M\xfcller\n",
            "not readable as utf-8-sig; save it as UTF-8",
        ),
        (b"customer_id,channel\nann,fax\n", "Invalid enum value 'fax' - at `$.contact.channel`"),
        (b"customer_id,plan\nann\n", "expected 2 fields, got 1"),
        (b"customer_id\n" + b"x" * 201, "Expected `str` of length <= 200 - at `$.customer_id`"),
    ],
)
def test_a_row_that_cannot_be_used_says_why_and_the_rest_is_asked(
    tmp_path: Path, content: bytes, refused: str
) -> None:
    found = contacts(tmp_path, content.rstrip() + b"\nbob" + b"," * content.splitlines()[0].count(b","))
    assert [one.ask.customer_id for chunk in found.chunks(2) for one in chunk] == ["bob"]
    [refusal] = found.refusals
    assert refusal.line == 2
    assert refused in refusal.reason


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("between", [b",", b";", b"\t"])
def test_spreadsheets_write_csv_in_many_ways(tmp_path: Path, mark: bytes, between: bytes) -> None:
    header, row = [b"customer_id", b" plan ", b"", b"consent.mail"], [b" ann ", b'"pro, ""gold"""', b"x", b"NO"]
    rows = [header, row, [b"ann"] * 4]
    found = contacts(tmp_path, mark + b"\r\n".join(between.join(row) for row in rows) + b"\r\n\r\n")
    [[one]] = found.chunks(500)
    assert one.ask.customer_id == "ann"
    assert one.identify is not None
    assert one.identify.contact == Contact(consent={"mail": False}, attributes={"plan": 'pro, "gold"'})
    assert (found.asked, found.repeated) == (1, 0)
    assert [refusal.line for refusal in found.refusals] == [3]


def contacts(tmp_path: Path, content: bytes) -> Contacts:
    file = tmp_path / "customers.csv"
    file.write_bytes(content)
    return Contacts(CsvTable(file), "launch", "autumn", NOW)


async def test_who_was_merged_into_another_is_asked_as_that_one_once(
    program: Livenps, kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    file = tmp_path / "customers.csv"
    file.write_text("customer_id\ndevice\nvisitor\nann\nbob\n")
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=10) as web:
        for one, into in (("device", "visitor"), ("visitor", "ann")):
            body = {"type": "merge", "customer_id": one, "into": into}
            (await web.post("/v1/events", json=body)).raise_for_status()

        async def merged() -> bool:
            found = await records.read(kafka.bootstrap, f"{namespace}contacts")
            return {b"device", b"visitor"} <= {
                one.key for one in found if json.loads(one.value).get("merged_into")
            }

        await until(merged, message="both are merged")
        tried = ask(program, file, "--dry-run", "--json")
        assert [(one["reason"], one["customers"]) for one in tried["verdicts"]] == [("triggered", 2)]
        ask(program, file)
        found = await until(lambda: verdicts(web, "ann"), message="ann is asked")
        assert found == [("asked", "triggered")]


async def test_a_dry_run_counts_on_itself_against_a_daily_cap(
    serve: Serve, kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    program = serve({"surveys": [{**SURVEYS[0], "per_day": 8}]})
    file = tmp_path / "customers.csv"
    file.write_text("customer_id\n" + "".join(f"c{n}\n" for n in range(60)))
    tried = ask(program, file, "--dry-run", "--json")
    assert [(one["reason"], one["customers"]) for one in tried["verdicts"]] == [
        ("cap_survey", 52),
        ("triggered", 8),
    ]
    ask(program, file)

    async def decided() -> list[str]:
        found = await records.read(kafka.bootstrap, f"{namespace}survey.decisions")
        return [json.loads(one.value)["verdicts"][0]["reason"] for one in found] if len(found) == 60 else []

    assert (
        sorted(await until(decided, message="everybody is decided on")) == ["cap_survey"] * 52 + ["triggered"] * 8
    )
