"""A page does not hold the interpreter: what would freeze the service is refused, the rest read."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine import page_guard
from mediarip_mqtt.engine.protocol import Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from tests.support.server import MediaServer

SIZE = 200_000
HOSTILE = (
    *("<video>", "<video ", "<audio>", "<video></audio>", "<video/", '<iframe src="', "<iframe>"),
    *("<meta ", "<script>", "<object class='BrightcoveExperience'>", 'jwplayer("x").setup({'),
    *('jwplayer("x")\n', "videojs(", '<div class="', "<amp-video "),
)


def seconds(url: str, folder: Path) -> tuple[float, str]:
    """Return how long a page is read, and what is said of it."""
    engine = YtdlpEngine(DownloadSettings(), SecuritySettings(allow_private_addresses=True))
    began = time.perf_counter()
    with pytest.raises(DownloadError) as caught:
        engine.extract(Task("job", url, folder), engine.control())
    return time.perf_counter() - began, caught.value.message


def test_a_hostile_page_is_answered_as_fast_as_any_of_its_size(
    media: MediaServer, tmp_path: Path
) -> None:
    plain = media.text("plain.html", "<html>" + "<p>words</p>" * (SIZE // 12))
    seconds(plain, tmp_path)  # yt-dlp's extractors are imported by the first
    usual, said = seconds(plain, tmp_path)
    assert "no media" in said
    for tag in HOSTILE:
        page = media.text("hostile.html", "<html>" + tag * (SIZE // len(tag)))
        took, said = seconds(page, tmp_path)
        assert "tags without an end" in said, tag
        assert took < 3 * usual + 1, tag


def test_what_is_counted_takes_a_time_that_grows_with_the_page_alone() -> None:
    for tag in (*HOSTILE, ">", "<a>", "\n", " ", "</video>", "<" * 100 + ">"):
        small, great = tag * (500_000 // len(tag)), tag * (5_000_000 // len(tag))
        times = []
        for page in (small, great):
            began = time.perf_counter()
            with contextlib.suppress(DownloadError):
                page_guard.check(page)
            times.append(time.perf_counter() - began)
        assert times[1] < 40 * times[0] + 0.2, (tag, times)


@pytest.mark.parametrize(
    "page",
    [
        "<html>" + '<video src="x.mp4"><source src="y.mp4"></video><script>a</script>' * 5000,
        "<html>" + '<meta property="a" content="b">\n' * 2000,
        "<html><script>" + "for(i=0;i<n;i++){if(a<b&&c>d)e=f=>g}" * 100_000 + "</script>",
        '<html><script>x="' + "A" * 9_000_000 + '</script><video src="x.mp4"></video>',
        "<html>" + "<script src=x.js></script>" * 500 + "<iframe>" * 20 + "<p>word" * 300_000,
        "<rss>" + "<item><title>t</title><link>l</link></item>" * 100_000,
        '{"html": "' + "<b>x</b>" * 100_000 + '"}',
    ],
)
def test_an_ordinary_page_is_read_however_long(page: str) -> None:
    page_guard.check(page)


def test_a_page_of_html_has_a_limit() -> None:
    with pytest.raises(DownloadError, match="MiB"):
        page_guard.check("\n<!DOCTYPE html>" + "<p>" * (page_guard.HTML_LIMIT // 3))
    page_guard.check("<MPD>" + "<S/>" * (page_guard.HTML_LIMIT // 4))
