"""An option without a column of its own is kept all the same."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.store import Store, job_columns
from tests.support.stores import insert, job


def columns(path: Path, *names: str) -> tuple[Any, ...]:
    with closing(sqlite3.connect(path)) as connection:
        row: tuple[Any, ...] = connection.execute(f"SELECT {', '.join(names)} FROM jobs").fetchone()  # noqa: S608 - a test's
        return row


def more_options(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Treat options as ones without a column, as an option that is added later is."""
    monkeypatch.setattr(job_columns, "MORE_OPTIONS", {*job_columns.MORE_OPTIONS, *names})


async def test_options_without_a_column_stand_together_as_json(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a next option is, which needs no migration; these have columns, which stay untouched."""
    more_options(monkeypatch, "split_chapters", "subtitles", "embed")
    kept = job(
        split_chapters=True, subtitles={"languages": ("de",)}, embed=("metadata",), quality="720p"
    )
    await insert(store, kept)
    assert await store.read(lambda tx: tx.job(kept.id)) == kept
    split, subtitles, embed, quality, more = columns(
        store.path, "split_chapters", "subtitles", "embed", "quality", "more_options"
    )
    assert (split, subtitles, embed, quality) == (0, None, "[]", "720p")
    assert json.loads(more)["split_chapters"] is True
    changed = await store.write(lambda tx: tx.update(kept.id, title="A film"))
    assert changed == kept.model_copy(update={"title": "A film"})


async def test_a_job_from_before_an_option_has_its_default(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await insert(store, job())
    (more,) = columns(store.path, "more_options")
    assert "split_chapters" not in (more or "")
    more_options(monkeypatch, "split_chapters", "rate_limit")
    assert await store.read(lambda tx: tx.job(job().id)) == job()
    await insert(store, job(2, split_chapters=True))
    more_options(monkeypatch, "split_chapters", "rate_limit", "embed")
    assert await store.read(lambda tx: tx.job(job(2).id)) == job(2, split_chapters=True)
