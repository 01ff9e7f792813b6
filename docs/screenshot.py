"""Take the README's pictures from a running program: ``make demo``, and then ``make screenshots``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, async_playwright, expect

IMAGES = Path(__file__).with_name("images")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


async def take(browser: Browser, url: str, name: str, width: int, scheme: Literal["light", "dark"]) -> None:
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, device_scale_factor=1.5
    )
    page = await context.new_page()
    await page.goto(f"{url}/?survey=post-purchase&window=24h")
    await expect(page.locator("#state")).to_have_text("Live")
    await expect(page.locator("#comments li").first).to_be_visible()
    await page.wait_for_timeout(15_000)  # the trend on the page begins when it is opened
    await page.screenshot(path=IMAGES / name)
    await context.close()


async def main(url: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        await asyncio.gather(
            take(browser, url, "live.png", 1280, "light"),
            take(browser, url, "live-dark.png", 1280, "dark"),
        )
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"))
