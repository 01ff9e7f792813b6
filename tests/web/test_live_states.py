"""What the live page says where numbers cannot be shown, or are old."""

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.conftest import Serve
from tests.real.axe import violations
from tests.real.livenps import Livenps
from tests.real.redis import Redis
from tests.web.api import Api

SURVEY = "support"


@pytest.fixture
async def program(serve: Serve, page: Page) -> Livenps:
    """A program of the test's own with three answers, and the page on it."""
    program = serve()
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=10) as client:
        api = Api(client)
        await api.answer(SURVEY, 10, 10, 0)
        await api.counted(SURVEY, 2, 0, 1)
    await page.goto(f"{program.url}/?survey={SURVEY}")
    await expect(page.locator("#state")).to_have_text("Live")
    await expect(page.locator("#score")).to_have_text("33")
    return program


async def test_a_lost_connection_is_told_with_the_age_of_what_is_shown(program: Livenps, page: Page) -> None:
    seen = await page.locator("#as-of").text_content()
    program.kill()
    notice = page.locator("#trouble")
    await expect(notice).to_contain_text("The connection is lost. What you see is as of ")
    assert seen is not None
    await expect(page.locator("#state")).to_have_text("Reconnecting")
    await expect(page.locator("#score")).to_have_text("33")
    assert await violations(page) == []
    program.start()
    await expect(page.locator("#state")).to_have_text("Live", timeout=20_000)
    await expect(notice).to_be_hidden()


async def test_scores_that_cannot_be_read_are_not_shown(program: Livenps, page: Page, redis_server: Redis) -> None:
    redis_server.stop()
    notice = page.locator("#trouble")
    await expect(notice).to_contain_text("The scores cannot be read at the moment.", timeout=20_000)
    await expect(page.locator("#state")).to_have_text("No data")
    await expect(page.locator("#content")).to_be_hidden()
    assert await violations(page) == []
    redis_server.start()
    await expect(page.locator("#score")).to_have_text("33", timeout=20_000)
    await expect(notice).to_be_hidden()
