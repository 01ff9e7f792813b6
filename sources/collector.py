"""Sends answers to a livenps collector over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import httpx
import msgspec

from sources.errors import SendFailed
from sources.rows import Refusal
from sources.target import FIRST_PAUSE, TRIES, Entry, pause

_AGAIN = {408, 429}
_HINTS = {
    401: "give a key that may write answers: --key or LIVENPS_API_KEY",
    403: "give a key that may write answers: --key or LIVENPS_API_KEY",
    404: "is this the address of a livenps collector?",
}


class _Problem(msgspec.Struct):
    index: int
    message: str
    path: str = ""


class _Problems(msgspec.Struct):
    errors: list[_Problem]


class Collector:
    """POSTs batches to ``/v1/responses``. Ids make it safe to send again what may have arrived."""

    def __init__(self, url: str, key: str | None = None, *, first_pause: float = FIRST_PAUSE) -> None:
        self._url = f"{url.rstrip('/')}/v1/responses"
        self._first_pause = first_pause
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(headers=self._headers, timeout=30)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def send(self, entries: Sequence[Entry]) -> list[Refusal]:
        """A refused item keeps its batch from being written, so the others are sent again without it."""
        pending = list(entries)
        refusals: list[Refusal] = []
        while pending:
            answer = await self._post(b"[" + b",".join(entry.value for entry in pending) + b"]")
            if answer.is_success:
                break
            refused = self._refused(answer, len(pending))
            refusals += [Refusal(pending[index].line, reason) for index, reason in sorted(refused.items())]
            pending = [entry for index, entry in enumerate(pending) if index not in refused]
        return refusals

    async def _post(self, body: bytes) -> httpx.Response:
        """The answer, if it is success or 400."""
        for tries in range(1, TRIES + 1):
            try:
                answer = await self._client.post(self._url, content=body)
            except httpx.TransportError as error:
                problem = (
                    f"cannot be reached ({str(error) or type(error).__name__}): is livenps serve running there?"
                )
            else:
                if answer.is_success or answer.status_code == httpx.codes.BAD_REQUEST:
                    return answer
                problem = _describe(answer)
                if not (answer.is_server_error or answer.status_code in _AGAIN):
                    break
            if tries < TRIES:
                await pause(tries, self._first_pause)
        raise SendFailed(f"{self._url} {problem}")

    def _refused(self, answer: httpx.Response, sent: int) -> dict[int, str]:
        """Index -> reason of the items that a 400 names; without one there is nothing to leave out."""
        try:
            problems = msgspec.json.decode(answer.content, type=_Problems).errors
        except msgspec.DecodeError:
            problems = []
        refused = {p.index: _printable(_reason(p)) for p in problems if 0 <= p.index < sent}
        if not refused:
            raise SendFailed(f"{self._url} {_describe(answer)}")
        return refused


def _reason(problem: _Problem) -> str:
    path = problem.path.removeprefix("$").removeprefix(".")
    return f"{path}: {problem.message}" if path else problem.message


def _describe(answer: httpx.Response) -> str:
    hint = _HINTS.get(answer.status_code) or _printable(answer.text[:200])
    return f"answers {answer.status_code} {answer.reason_phrase}: {hint}"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
