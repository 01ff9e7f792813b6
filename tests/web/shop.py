"""A shop's site of another origin than the program's, with styles, shortcuts and a strict policy of its own."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

from tests.real.http_server import served

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/site.css"><script src="/site.js" defer></script>
<script src="{program}/livenps.js"{who} async></script></head>
<body><main><h1>Coffee</h1><label>Search <input id="search" autofocus></label></main></body></html>"""
# As sites have them, and worse.
STYLE = """html { font-size: 10px; }
body { font: 1.6rem serif; direction: ltr; }
h2, p, label, button, input, textarea, livenps-card {
  display: inline; color: red !important; background: yellow !important; font: 60px monospace; opacity: 0.5;
}"""
SCRIPT = """window.shortcuts = 0;
document.addEventListener("keydown", (event) => { if (event.target.tagName !== "INPUT") window.shortcuts++; });"""


class Shop:
    """``page`` is the address of its one page, for whoever is signed in."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
                program = query.get("program", [""])[0]
                names = [("customer", "data-customer"), ("signature", "data-signature")]
                who = "".join(f' {name}="{escape(query[key][0])}"' for key, name in names if key in query)
                bodies = {
                    "/": ("text/html", PAGE.format(program=escape(program), who=who)),
                    "/site.css": ("text/css", STYLE),
                    "/site.js": ("text/javascript", SCRIPT),
                }
                kind, body = bodies.get(path, ("text/plain", ""))
                self.send_response(200 if body else 404)
                self.send_header("content-type", f"{kind}; charset=utf-8")
                self.send_header(
                    "content-security-policy",
                    f"default-src 'none'; style-src 'self'; script-src 'self' {program}; connect-src {program}; "
                    f"img-src {program}; require-trusted-types-for 'script'",
                )
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing: pytest shows what matters."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"

    def page(self, program: str, customer: str = "", secret: str = "") -> str:
        """The page with the card of a program at this address; without a customer nobody is signed in."""
        address = f"{self.origin}/?program={quote(program)}"
        if not customer:
            return address
        signature = hmac.new(secret.encode(), customer.encode(), "sha256").hexdigest()
        return f"{address}&customer={quote(customer)}&signature={signature}"

    @contextmanager
    def running(self) -> Iterator[Shop]:
        with served(self._server):
            yield self
