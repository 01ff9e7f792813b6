"""Ids for rows that have none: the same file read again gives the same ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import Any

import msgspec


class RowIds(AbstractContextManager["RowIds"]):
    """An id is a hash of the survey, the row's content, and how often this content came before.

    The counts of millions of rows do not fit the memory: they stand in SQLite's private temporary database.
    """

    def __init__(self, survey: str) -> None:
        self._survey = survey
        self._seen = sqlite3.connect("", isolation_level=None)
        self._seen.executescript(
            """
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            PRAGMA cache_size = -65536; -- KiB
            CREATE TABLE seen (content BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
            """
        )

    def __exit__(self, *_: object) -> None:
        self._seen.close()

    def of(self, values: Mapping[str, Any]) -> str:
        """The id of the next row with these values."""
        content = _hash(msgspec.json.encode([self._survey, values], order="sorted"))
        [(times,)] = self._seen.execute(
            "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times", [content]
        )
        return f"import-{_hash(content, str(times).encode()).hex()}"


def _hash(*parts: bytes) -> bytes:
    return blake2b(b"".join(parts), digest_size=16).digest()
