"""What axe-core, the accessibility checker, finds wrong with a page."""

from typing import Any

from playwright.async_api import Page

from tests.real.parts import axe, need

RUN = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  const told = ({ id, help }, { target }) => `${id}: ${help}: ${target.join(" ")}`;
  return violations.flatMap((one) => one.nodes.map((node) => told(one, node)));
}"""


async def violations(page: Page) -> list[str]:
    """Every rule of axe that an element of the page breaks, with the element; all rules that are on by default."""
    need("axe")
    await page.evaluate(axe().read_text())  # not a script of the page: its security policy would refuse it
    found: Any = await page.evaluate(RUN)
    return list(found)
