"""The house's own look: colours that can be read, and a logo that is one."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.async_api import Browser

from livenps.config import load
from livenps.errors import ConfigError
from tests.conftest import Serve
from tests.real import axe
from tests.real.wait import until
from tests.web.api import Api
from web.branding import Branding, contrast, media_type

SVG = (
    '<?xml version="1.0"?>\n'
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><script>alert(1)</script></svg>'
)
PURPLE, LILAC = "#7a1fa2", "#d79bf0"

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    # the first two by definition, the third is the example that WebAIM's checker is known by
    [("#000000", "#ffffff", 21), ("#123456", "#123456", 1), ("#777777", "#ffffff", 4.48)],
)
def test_contrast(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


@given(colours)
def test_what_stands_on_a_button_can_be_read(accent: str) -> None:
    style = Branding(accent=accent).style
    on = style.partition("--on-accent: ")[2][:7]
    assert contrast(on, accent) >= 4.5


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (SVG.encode(), "image/svg+xml"),
        (b"\xef\xbb\xbf<svg/>", "image/svg+xml"),
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff...", "image/jpeg"),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_a_logo_is_known_by_its_content(content: bytes, kind: str | None) -> None:
    assert media_type(content) == kind


@pytest.mark.parametrize(
    ("branding", "message"),
    [
        ('accent = "#4ecdc0"', "branding.accent: expected a contrast of 4.5 to #ffffff, found 1.9 (#4ecdc0)"),
        ('accent_dark = "#0a716c"', "branding.accent_dark: expected a contrast of 4.5 to #151d1c, found "),
        ('accent = "red"', "branding.accent: expected a colour such as \"#0a716c\", found 'red'"),
        ('accent = "#0a716c;}"', "branding.accent: expected a colour such as"),
        ('logo = "none.svg"', "branding.logo: cannot be read: No such file or directory, "),
        ('logo = "mine.toml"', "branding.logo: expected a PNG, JPEG or SVG of at most 200,000 bytes"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, branding: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f"[branding]\n{branding}\n")
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert str(caught.value).startswith(f"{file}: {message}")


@pytest.fixture
async def branded(serve: Serve, tmp_path: Path) -> AsyncIterator[tuple[Api, str]]:
    """A program with colours and a logo, and a link of its."""
    logo = tmp_path / "logo.svg"
    logo.write_text(SVG)
    branding = {"accent": PURPLE, "accent_dark": LILAC, "logo": str(logo)}
    program = serve({"http": {"brand": "Ann & Bob"}, "branding": branding})
    async with httpx.AsyncClient(base_url=program.url, trust_env=False) as client:
        api = Api(client)
        await api.post("/v1/touchpoints", {"event": "Order Delivered", "customer_id": "ann"})
        sent = await until(
            lambda: [line["link"] for line in program.lines() if line["event"] == "survey"],
            message="the log has the link",
        )
        yield api, sent[0]


async def test_the_page_wears_colours_and_logo_in_light_and_dark(
    branded: tuple[Api, str], browser: Browser
) -> None:
    api, link = branded
    for scheme, colour in (("light", "rgb(122, 31, 162)"), ("dark", "rgb(215, 155, 240)")):
        context = await browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
        page = await context.new_page()
        await page.goto(f"{link}?score=9")
        background = "element => getComputedStyle(element).backgroundColor"
        assert await page.locator("button.send").evaluate(background) == colour
        assert await page.get_by_role("img", name="Ann & Bob").evaluate("image => image.naturalWidth") == 40
        assert await axe.violations(page) == []
        await context.close()
    logo = await api.client.get("/brand/logo")
    assert logo.headers["content-type"] == "image/svg+xml"
    assert "default-src 'self'" in logo.headers["content-security-policy"]
    assert "--accent: #7a1fa2" in (await api.client.get("/brand/style.css")).text


async def test_without_a_logo_there_is_none(api: Api) -> None:
    assert (await api.client.get("/brand/logo")).status_code == 404
    assert (await api.client.get("/brand/style.css")).text == ""
