"""The house's own look of the survey pages: its colours, checked to be readable, and its logo."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.exceptions import NotFoundException

READABLE = 4.5  # WCAG 2.2, 1.4.3: text against what is behind it
LIGHT, DARK = "#ffffff", "#151d1c"  # --card in base.css
MAX_LOGO = 200_000  # bytes
_HEX = re.compile("#[0-9a-fA-F]{6}")
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"<svg": "image/svg+xml"}


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours such as ``#0a716c``, 1 to 21: WCAG 2.2, "contrast ratio"."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    """WCAG 2.2, "relative luminance"."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def unreadable(colour: str, card: str) -> str:
    """What is wrong with an accent colour on pages whose cards have this colour."""
    if not _HEX.fullmatch(colour):
        return f'expected a colour such as "#0a716c", found {colour!r}'
    ratio = contrast(colour, card)
    return "" if ratio >= READABLE else f"expected a contrast of 4.5 to {card}, found {ratio:.1f} ({colour})"


def media_type(logo: bytes) -> str | None:
    """The media type of a logo, None where it is no PNG, JPEG or SVG."""
    start = logo.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<?xml"):
        start = start.partition(b"?>")[2].lstrip()
    return next((kind for mark, kind in _KINDS.items() if start.startswith(mark)), None)


@dataclass(frozen=True, slots=True)
class Branding:
    """``accent`` is for buttons and links, ``accent_dark`` the same in dark mode; None: the standard one."""

    accent: str | None = None
    accent_dark: str | None = None
    logo: bytes | None = None

    @property
    def style(self) -> str:
        """What base.css says of accents, in the house's colours."""
        schemes = (("light", self.accent, LIGHT), ("dark", self.accent_dark, DARK))
        return "".join(_accents(scheme, accent, card) for scheme, accent, card in schemes if accent)

    @property
    def accents(self) -> dict[str, dict[str, str]]:
        """The colours alone, for who paints by itself."""
        schemes = {"light": self.accent, "dark": self.accent_dark}
        return {
            scheme: {"accent": accent, "on_accent": _on(accent)} for scheme, accent in schemes.items() if accent
        }


def _on(accent: str) -> str:
    """What can be read best on it."""
    return max(("#ffffff", "#000000"), key=lambda one: contrast(one, accent))


def _accents(scheme: str, accent: str, card: str) -> str:
    on = _on(accent)
    soft = f"color-mix(in srgb, {accent} 15%, {card})"
    rule = f":root {{ --accent: {accent}; --on-accent: {on}; --accent-soft: {soft}; }}"
    return f"@media (prefers-color-scheme: {scheme}) {{ {rule} }}\n"


@get("/brand/style.css", include_in_schema=False, media_type="text/css")
async def get_style(request: Request[Any, Any, Any]) -> Response[str]:
    branding: Branding = request.app.state.edge.branding
    return Response(branding.style, media_type="text/css", headers={"cache-control": "no-cache"})


@get("/brand/logo", include_in_schema=False)
async def get_logo(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The logo; the security policy of all pages keeps a script in an SVG from running."""
    branding: Branding = request.app.state.edge.branding
    if branding.logo is None:
        raise NotFoundException("no logo is configured")
    # The card of a survey shows it on the operator's own site.
    headers = {"cache-control": "public, max-age=3600", "cross-origin-resource-policy": "cross-origin"}
    return Response(branding.logo, media_type=media_type(branding.logo) or MediaType.TEXT, headers=headers)
