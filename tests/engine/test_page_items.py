"""An item of a page that has no URL of its own is found again when the page has changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine.page_items import follow, identities
from mediarip_mqtt.engine.protocol import Listed, Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from tests.support.changing_site import NEW, OLD, Answer, Site
from tests.support.named import download

OPEN = SecuritySettings(allow_private_addresses=True)
FILES = {"/one.mp4": OLD, "/two.mp4": OLD[1:], "/new.mp4": NEW}


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    site.answers |= {path: Answer(body) for path, body in FILES.items()}
    yield site
    site.stop()


def listed(url: str, folder: Path) -> dict[int, Listed]:
    engine = YtdlpEngine(DownloadSettings(), OPEN)
    page = engine.extract(Task("list", url, folder), engine.control())
    return dict(enumerate(page.listed, start=1))


def get(url: str, number: int, item: Listed, folder: Path) -> bytes:
    folder.mkdir(exist_ok=True)
    options = DownloadOptions(playlist_items=str(number))
    task = Task("item", url, folder, options, listed=item)
    (file,) = download(YtdlpEngine(DownloadSettings(), OPEN), task)
    return Path(file.temp_path or "").read_bytes()


@pytest.mark.parametrize(
    ("now", "first", "second"),
    [
        (["/one.mp4", "/two.mp4"], OLD, OLD[1:]),
        (["/new.mp4", "/one.mp4", "/two.mp4"], OLD, OLD[1:]),
        (["/two.mp4", "/one.mp4"], OLD, OLD[1:]),
        (["/new.mp4", "/one.mp4"], OLD, None),
        (["/two.mp4"], None, OLD[1:]),
        (["/new.mp4"], None, None),
    ],
    ids=["same", "grew", "turned", "rolled", "only one", "all new"],
)
def test_an_item_known_by_number_is_followed_or_fails_with_a_reason(
    now: list[str], first: bytes | None, second: bytes | None, site: Site, tmp_path: Path
) -> None:
    page = site.page("/clips.html", "/one.mp4", "/two.mp4")
    known = listed(page, tmp_path)
    site.page("/clips.html", *now)
    for number, expected in enumerate((first, second), start=1):
        if expected is not None:
            assert get(page, number, known[number], tmp_path / str(number)) == expected
            continue
        with pytest.raises(DownloadError, match="not on it any more") as caught:
            get(page, number, known[number], tmp_path / str(number))
        assert not caught.value.transient


def test_a_signature_in_a_query_is_no_part_of_an_identity(site: Site, tmp_path: Path) -> None:
    page = site.page("/clips.html", "/one.mp4?expires=1&amp;sig=a", "/two.mp4?expires=1&amp;sig=b")
    known = listed(page, tmp_path)
    site.page("/clips.html", "/new.mp4", "/one.mp4?expires=2&amp;sig=c")
    assert get(page, 1, known[1], tmp_path / "1") == OLD


def entry(identifier: str, *urls: str, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "formats": [{"url": url} for url in urls], **more}


def test_an_extractor_s_id_counts_where_urls_change_and_a_number_is_no_id() -> None:
    before = [entry("abc77", "https://a.example/1"), entry("def88", "https://a.example/2")]
    now = [entry("new66", "https://a.example/5"), entry("abc77", "https://a.example/6")]
    assert follow(identities(before)[0], 1, now[0], lambda: now) == now[1]
    before = [entry("page-1", "https://a.example/1"), entry("page-2", "https://a.example/2")]
    now = [entry("page-1", "https://a.example/5"), entry("page-2", "https://a.example/1")]
    assert follow(identities(before)[0], 1, now[0], lambda: now) == now[1]


def test_the_number_counts_where_nothing_else_is_the_same_at_two_visits() -> None:
    def visit(token: str) -> list[dict[str, Any]]:
        return [entry(f"page-{n}", f"https://a.example/{token}/{n}.mp4") for n in (1, 2)]

    identity = identities(visit("a"))[1]
    at_number = visit("b")[1]
    assert follow(identity, 2, at_number, lambda: visit("c")) == at_number
    with pytest.raises(DownloadError):
        follow(identity, 2, at_number, lambda: visit("b"))
    with pytest.raises(DownloadError):
        follow(identity, 2, at_number, lambda: [*visit("c"), entry("page-3", "https://a.example/")])
