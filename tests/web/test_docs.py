"""The API docs, and that the running program does as they say."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from playwright.async_api import Page, expect

from tests.real.livenps import Livenps
from tests.web.api import Api

OPERATIONS = {"/v1/touchpoints", "/v1/responses", "/v1/scores", "/v1/live", "/metrics", "/healthz", "/readyz"}


async def test_the_page_lists_the_operations_without_an_error(program: Livenps, page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    page.on("requestfailed", lambda request: complaints.append(request.url))
    await page.goto(f"{program.url}/docs")
    await expect(page.locator(".opblock-summary-path")).to_have_count(len(OPERATIONS))
    found = {await path.get_attribute("data-path") for path in await page.locator(".opblock-summary-path").all()}
    assert found == OPERATIONS
    assert complaints == []


async def test_the_schema_names_what_has_to_be_sent(api: Api) -> None:
    schema: dict[str, Any] = (await api.client.get("/docs/openapi.json")).json()
    assert schema["paths"].keys() == OPERATIONS
    components = schema["components"]["schemas"]
    assert set(components["Response"]["required"]) == {"survey_id", "score"}
    assert set(components["Touchpoint"]["required"]) == {"event", "customer_id"}
    score = components["Response"]["properties"]["score"]
    assert (score["type"], score["minimum"], score["maximum"]) == ("integer", 0, 10)


@pytest.fixture
def api_schema(program: Livenps) -> Any:
    schema = schemathesis.openapi.from_url(f"{program.url}/docs/openapi.json")
    return schema.exclude(path="/v1/live")  # a stream does not end


described = schemathesis.pytest.from_fixture("api_schema")


@described.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_program_does_as_described(case: Any) -> None:
    case.call_and_validate()
