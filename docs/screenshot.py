"""Take the README's pictures from a running program: ``make demo``, and then ``make screenshots``."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from playwright.async_api import APIRequestContext, Browser, async_playwright, expect

IMAGES = Path(__file__).with_name("images")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SURVEY, TITLE = "post-purchase", "new checkout"


async def mark(api: APIRequestContext, url: str) -> None:
    """Mark something that was done six hours ago, once: the page tells what changed since."""
    timeline = await (await api.get(f"{url}/v1/timeline?survey={SURVEY}")).json()
    if TITLE not in [one["title"] for one in timeline["markers"]]:
        at = datetime.now(UTC) - timedelta(hours=6)
        marker = {"title": TITLE, "at": at.isoformat(), "survey_id": SURVEY}
        await api.post(f"{url}/v1/markers", data=marker)


async def take(
    browser: Browser, url: str, name: str, width: int, height: int, scheme: Literal["light", "dark"]
) -> None:
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        device_scale_factor=1.5,
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await page.goto(f"{url}/?survey={SURVEY}&window=24h")
    for part in ("#comments li", "#events li", "#change-rows tr", "#segment-rows tr"):
        await expect(page.locator(part).first).to_be_visible()
    await expect(page.locator("#since-verdict")).not_to_have_text("")
    await page.screenshot(path=IMAGES / name)
    await context.close()


async def main(url: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        api = await playwright.request.new_context()
        await mark(api, url)
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        await take(browser, url, "live.png", 1280, 1180, "light")
        await take(browser, url, "live-phone.png", 390, 1180, "dark")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"))
