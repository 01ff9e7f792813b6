"""What axe-core, the accessibility checker, finds wrong with a page."""

from typing import Any

from playwright.async_api import Page

from tests.real.parts import axe, need

# What still fades in has less contrast than what people read; a shadow tree's animations are not the document's.
RUN = """async () => {
  const trees = [document, ...[...document.querySelectorAll("*")].flatMap((one) => one.shadowRoot ?? [])];
  const moving = trees.flatMap((tree) => tree.getAnimations());
  const ending = moving.filter((one) => one.effect.getComputedTiming().endTime < Infinity);
  await Promise.allSettled(ending.map((one) => one.finished));
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
