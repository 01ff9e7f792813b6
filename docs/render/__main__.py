"""Take pictures of the Grafana dashboards without a Grafana: ``make pictures``.

The demo's shop trades with a program on embedded parts, a real Prometheus with the shipped rules scrapes it, and
`docs.render.page` draws what the queries of each panel find, about as Grafana would.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import yaml
from playwright.async_api import Browser

from docs.render.page import COLUMN, page
from docs.render.view import Mark, Series, View
from livenps.shop import Shop
from tests.deploy.dashboards import DASHBOARDS, charts, filled
from tests.deploy.files import RULES, load
from tests.real.browser import chromium
from tests.real.livenps import Livenps, configuration
from tests.real.prometheus import Prometheus

Scheme = Literal["light", "dark"]
PICTURES: list[tuple[str, Scheme]] = [*((uid, "light") for uid in DASHBOARDS), ("livenps-overview", "dark")]
IMAGES = Path(__file__).parents[1] / "images"
SECONDS = 240
STEPS = 120
VALUES = {
    "metric": "nps",
    "survey": "post-purchase",
    "window": "1h",
    "dimension": "region",
    "__range": f"{SECONDS}s",
    "__rate_interval": "15s",
}
WATCHED = [
    {"survey": "post-purchase"},
    {"survey": "post-purchase", "dimension": "region", "segments": ["eu", "us"]},
]


@asynccontextmanager
async def trading() -> AsyncIterator[Livenps]:
    """A program that the shop trades with: its parcels are late from 40 % of the time on."""
    program = Livenps(arguments=["--embedded"])
    shop = Shop(program.url, on_news=print)
    await shop.start()
    try:
        program.config.write_text(configuration(asking(shop.receiver_url)))
        with program:
            living = asyncio.create_task(shop.run(SECONDS))
            yield program
            await living
    finally:
        await shop.close()


def asking(url: str) -> dict[str, Any]:
    to_shop = {"channel": "webhook", "webhook_url": url}
    return {
        "surveys": [
            {"id": "post-purchase", "trigger": "Order Delivered", "target": 40, **to_shop},
            {"id": "support", "trigger": "Ticket Solved", **to_shop},
            {"id": "relationship"},
            {"id": "checkout", "metric": "csat", "trigger": "Checkout Completed", **to_shop},
            {"id": "returns", "metric": "ces", "trigger": "Return Completed", **to_shop},
        ],
        "watch": {"learn": 150, "learn_for": "1s", "series": WATCHED},
    }


async def view(client: httpx.AsyncClient, dashboard: dict[str, Any], start: float, end: float) -> View:
    """What the queries of a dashboard find, from start to end (s)."""
    span = {"start": start, "end": end, "step": (end - start) / STEPS}
    found: dict[int, list[list[Series]]] = {}
    for panel in charts(dashboard):
        found[panel["id"]] = [
            await ask(client, target["expr"], span if target["range"] else {"time": end})
            for target in panel["targets"]
        ]
    marks = []
    for annotation in dashboard["annotations"]["list"]:
        for series in await ask(client, annotation["expr"], span):
            at, value = series.points[0]
            marks.append(Mark(value / 1_000 if annotation["useValueForTime"] else at, annotation["iconColor"]))
    names = [variable["name"] for variable in dashboard["templating"]["list"][1:]]
    return View(start, end, {name: VALUES[name] for name in names}, found, marks)


async def ask(client: httpx.AsyncClient, expression: str, when: Mapping[str, float]) -> list[Series]:
    path = "/api/v1/query_range" if "step" in when else "/api/v1/query"
    answer = await client.post(path, data={"query": filled(expression, VALUES), **when})
    result = answer.raise_for_status().json()["data"]["result"]
    return [
        Series(one["metric"], [(at, float(text)) for at, text in one.get("values") or [one["value"]]])
        for one in result
    ]


async def take(browser: Browser, name: str, text: str, scheme: Scheme) -> None:
    context = await browser.new_context(viewport={"width": 24 * COLUMN + 32, "height": 400}, color_scheme=scheme)
    sheet = await context.new_page()
    await sheet.set_content(text)
    await sheet.screenshot(path=IMAGES / name, full_page=True)
    await context.close()


async def collected() -> dict[str, View]:
    """Trade for a while, and ask the queries of all dashboards at the end."""
    rules = yaml.safe_dump({"groups": [group for path in RULES for group in load(path)["groups"]]})
    start = time.time()
    async with trading() as program:
        with Prometheus.scraping([program.url.removeprefix("http://")], rules=rules, every="1s") as prometheus:
            async with httpx.AsyncClient(base_url=program.url, trust_env=False) as client:
                await asyncio.sleep(0.3 * SECONDS)
                (await client.post("/v1/markers", json={"title": "Release 2.4"})).raise_for_status()
                await asyncio.sleep(start + SECONDS - 5 - time.time())
            async with httpx.AsyncClient(base_url=prometheus.url, trust_env=False) as client:
                end = time.time()
                return {uid: await view(client, one, start + 10, end) for uid, one in DASHBOARDS.items()}


async def main() -> None:
    views = await collected()
    async with chromium() as browser:
        for uid, scheme in PICTURES:
            name = f"{uid}.png" if scheme == "light" else f"{uid}-dark.png"
            await take(browser, name, page(DASHBOARDS[uid], views[uid]), scheme)


if __name__ == "__main__":
    asyncio.run(main())
