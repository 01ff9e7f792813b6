"""A code for a finished answer, on the survey's last page."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from streams.partitions import partition_of
from tests.conftest import Serve
from tests.real.livenps import Livenps
from tests.real.redis import Redis
from tests.real.wait import until
from tests.web.api import Api

PARTITIONS = 4
CODES = [f"SAVE-{n:02}" for n in range(20)]
CODE = re.compile(r"Your code: <bdi>(SAVE-\d\d)<")
FULL, EMPTY = (
    next(
        p for p in range(PARTITIONS) if bool([c for c in CODES[:1] if partition_of(c, PARTITIONS) == p]) is wanted
    )
    for wanted in (True, False)
)


def customer(name: str, partition: int) -> str:
    """Somebody of this partition."""
    return next(one for one in (f"{name}-{n}" for n in range(1_000)) if partition_of(one, PARTITIONS) == partition)


@pytest.fixture
def program(serve: Serve, tmp_path: Path) -> Livenps:
    (tmp_path / "codes.txt").write_text("\n".join(CODES[1:]))
    (tmp_path / "more.txt").write_text("\n".join(f"SAVE-{n}" for n in range(30, 90)))
    (tmp_path / "one.txt").write_text(CODES[0])
    asking = {"trigger": "Paid", "quiet_period": "0s", "channel": "log", "wording": {"promoter": ""}}
    surveys = [
        {"id": "many", **asking, "incentive": {"codes": str(tmp_path / "codes.txt")}},
        {
            "id": "asks",
            **asking,
            "trigger": "Asked more",
            "questions": [{"id": "why", "kind": "text", "text": "Why?"}],
            "incentive": {"codes": str(tmp_path / "more.txt")},
        },
        {"id": "one", **asking, "trigger": "Left", "incentive": {"codes": str(tmp_path / "one.txt")}},
    ]
    return serve({"asking": {"quiet_period": "0s"}, "surveys": surveys})


@pytest.fixture
async def api(program: Livenps) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(
        base_url=program.url, trust_env=False, timeout=20, follow_redirects=True
    ) as client:
        yield Api(client)


async def invited(api: Api, program: Livenps, customer: str, event: str = "Paid") -> str:
    """The newest link of a customer, after one more event."""

    def links() -> list[str]:
        return [one["link"] for one in program.lines() if one["event"] == "survey" and one["customer"] == customer]

    before = len(links())
    await api.post("/v1/touchpoints", {"event": event, "customer_id": customer})
    await until(lambda: len(links()) > before, timeout=60, message="the link")
    return httpx.URL(links()[-1]).path


async def finished(api: Api, link: str) -> str:
    """Answer, and return the last page once it knows whether there is a code."""
    page = await api.client.post(link, data={"score": "10"})
    assert page.url.path == f"{link}/thanks"

    async def told() -> str:
        text = (await api.client.get(page.url.path)).text
        return "" if "in a moment" in text else text

    text: str = await until(told, message="the last page knows of the code")
    return text


async def test_a_finished_answer_has_one_code_and_the_contact_gets_no_other(
    api: Api, program: Livenps, redis_server: Redis
) -> None:
    link = await invited(api, program, "ann")
    assert not CODE.search((await api.client.get(link)).text)
    [code] = CODE.findall(await finished(api, link))
    for _ in range(2):
        assert CODE.findall(await finished(api, link)) == [code]
    second = await finished(api, await invited(api, program, "ann"))
    assert "Your code" not in second
    bobs = await invited(api, program, "bob")
    given = [code, *CODE.findall(await finished(api, bobs))]
    assert len(set(given)) == 2
    assert await api.metric("survey_incentives_total", survey="many", outcome="granted") == 2

    redis_server.flush()

    async def restored() -> bool:
        return (await api.client.get(bobs)).status_code == 200

    await until(restored, timeout=40, message="the link is known again")
    assert CODE.findall(await finished(api, bobs)) == given[1:]
    [later] = CODE.findall(await finished(api, await invited(api, program, "zoe")))
    assert later not in given


async def test_who_opens_the_last_page_before_the_last_question_claims_the_code_there(
    api: Api, program: Livenps
) -> None:
    link = await invited(api, program, "asks", "Asked more")
    reply = await api.client.post(link, data={"score": "10"})
    assert reply.url.path == f"{link}/why"
    page = await api.client.get(f"{link}/thanks")
    assert "in a moment" in page.text
    shown = await api.client.post(f"{link}/thanks")
    assert len(CODE.findall(shown.text)) == 1


async def test_a_list_that_has_run_dry_is_counted_and_the_customer_is_thanked(api: Api, program: Livenps) -> None:
    got = await finished(api, await invited(api, program, customer("first", FULL), "Left"))
    assert CODE.findall(got) == CODES[:1]
    for name, partition in (("second", FULL), ("elsewhere", EMPTY)):
        page = await finished(api, await invited(api, program, customer(name, partition), "Left"))
        assert "Thank you!" in page
        assert "Your code" not in page
    assert await api.metric("survey_incentives_total", survey="one", outcome="dry") == 2
