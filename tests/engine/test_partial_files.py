"""A file goes on only with what it is a part of."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.contract.media_options import DownloadOptions
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine.protocol import Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from tests.support.changing_site import NEW, OLD, Answer, Site
from tests.support.named import download

OPEN = SecuritySettings(allow_private_addresses=True)
ARRIVED = 100_000  # bytes that the server sends in the first attempt; not all are written


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.stop()


class Attempts:
    """One job's attempts, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def broken(self, url: str, **options: Any) -> None:
        """Make an attempt that fails after a part of the file has arrived."""
        with pytest.raises(DownloadError):
            self.whole(url, retries=0, **options)

    def whole(self, url: str, **options: Any) -> bytes:
        downloads = DownloadSettings(ytdlp_options=options)
        task = Task("job", url, self.folder, DownloadOptions())
        (file,) = download(YtdlpEngine(downloads, OPEN), task, downloads)
        return Path(file.temp_path or "").read_bytes()


@pytest.fixture
def attempts(tmp_path: Path) -> Attempts:
    return Attempts(tmp_path / "temp")


def went_on(site: Site) -> bool:
    """Whether the last request was for the rest of a file."""
    asked = site.asked[-1][1] or ""
    return asked.endswith("-") and not asked.startswith("bytes=0-") and bool(asked)


def dated(day: int) -> dict[str, str]:
    return {"Last-Modified": formatdate(1_700_000_000 + 86_400 * day, usegmt=True)}


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": '"one"', **dated(1)},
        {"ETag": '"one"'},
        {"ETag": 'W/"one"'},
        dated(1),
        {},
    ],
    ids=["both", "etag", "weak", "date", "size only"],
)
@pytest.mark.parametrize("if_range", [True, False])
def test_the_same_file_goes_on_where_it_stopped(
    headers: dict[str, str],
    if_range: bool,  # noqa: FBT001 - a parameter of the test
    site: Site,
    attempts: Attempts,
) -> None:
    site.answers["/x.mp4"] = Answer(headers=headers, cut=ARRIVED)
    attempts.broken(site.url("/x.mp4"))
    site.answers["/x.mp4"] = Answer(headers=headers, if_range=if_range)
    site.asked.clear()
    assert attempts.whole(site.url("/x.mp4")) == OLD
    strong = headers.get("ETag") if headers.get("ETag") == '"one"' else None
    expected = strong or headers.get("Last-Modified")
    assert went_on(site)
    assert site.asked[-1][2] == expected


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (Answer(headers={"ETag": '"1"'}), Answer(NEW, {"ETag": '"2"'})),
        (Answer(headers={"ETag": '"1"'}), Answer(NEW[: len(OLD)], {"ETag": '"2"'})),
        (Answer(headers={"ETag": '"1"'}), Answer(NEW[: len(OLD)], {})),
        (Answer(headers={"ETag": 'W/"1"'}), Answer(NEW[: len(OLD)], {"ETag": 'W/"2"'})),
        (Answer(headers=dated(1)), Answer(NEW[: len(OLD)], dated(2))),
        (Answer(), Answer(NEW)),
        (Answer(), Answer(NEW[:ARRIVED])),
        (Answer(), Answer(NEW[: ARRIVED // 2])),
    ],
    ids=["etag", "same size", "etag gone", "weak", "date", "size", "shorter", "much shorter"],
)
@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_was_replaced_begins_anew(
    before: Answer,
    now: Answer,
    if_range: bool,  # noqa: FBT001 - a parameter of the test
    site: Site,
    attempts: Attempts,
) -> None:
    site.answers["/x.mp4"] = Answer(before.body, before.headers, cut=ARRIVED)
    attempts.broken(site.url("/x.mp4"))
    site.answers["/x.mp4"] = Answer(now.body, now.headers, if_range=if_range)
    assert attempts.whole(site.url("/x.mp4")) == now.body


def test_a_file_that_is_replaced_within_an_attempt_begins_anew(
    site: Site, attempts: Attempts
) -> None:
    changing = Answer(headers={"ETag": '"1"'}, cut=ARRIVED)
    site.answers["/x.mp4"] = changing

    def replaced(start: int, end: int, total: int) -> tuple[int, dict[str, str], slice]:
        site.answers["/x.mp4"] = Answer(NEW, {"ETag": '"2"'})
        raise ConnectionResetError

    changing.distort = replaced
    assert attempts.whole(site.url("/x.mp4")) == NEW


def test_a_redirect_that_leads_elsewhere_begins_anew(site: Site, attempts: Attempts) -> None:
    site.answers |= {
        "/latest.mp4": Answer(redirect="/one.mp4"),
        "/one.mp4": Answer(cut=ARRIVED),
        "/two.mp4": Answer(NEW[: len(OLD)]),
    }
    attempts.broken(site.url("/latest.mp4"))
    site.answers["/latest.mp4"] = Answer(redirect="/two.mp4")
    assert attempts.whole(site.url("/latest.mp4")) == NEW[: len(OLD)]


def test_another_signature_is_not_another_file(site: Site, attempts: Attempts) -> None:
    site.answers["/x.mp4"] = Answer(cut=ARRIVED)
    page = site.page("/film.html", "/x.mp4?id=7&amp;expires=1&amp;signature=a")
    attempts.broken(page)
    site.answers["/x.mp4"] = Answer()
    site.page("/film.html", "/x.mp4?id=7&amp;expires=2&amp;signature=b")
    assert attempts.whole(page) == OLD
    assert went_on(site)


def test_a_cdn_s_other_url_with_the_same_validator_goes_on(site: Site, attempts: Attempts) -> None:
    known = {"ETag": '"one"'}
    site.answers["/node1/x.mp4"] = Answer(headers=known, cut=ARRIVED)
    page = site.page("/film.html", "/node1/x.mp4?r=1")
    attempts.broken(page)
    site.answers["/node2/x.mp4"] = Answer(headers=known)
    site.page("/film.html", "/node2/x.mp4?r=2")
    assert attempts.whole(page) == OLD
    assert went_on(site)


def test_another_format_of_a_page_begins_anew(site: Site, attempts: Attempts) -> None:
    site.answers["/hi.mp4"] = Answer(cut=ARRIVED)
    page = site.page("/film.html", "/hi.mp4")
    attempts.broken(page)
    site.answers["/lo.mp4"] = Answer(NEW[: len(OLD)])
    site.page("/film.html", "/lo.mp4")
    assert attempts.whole(page) == NEW[: len(OLD)]


def test_a_partial_file_of_which_nothing_is_known_begins_anew(
    site: Site, attempts: Attempts
) -> None:
    (attempts.folder / "media.mp4.part").write_bytes(NEW[:ARRIVED])
    site.answers["/x.mp4"] = Answer()
    assert attempts.whole(site.url("/x.mp4")) == OLD


@pytest.mark.parametrize(
    "distort",
    [
        # razzamatazm/mustarrd#146: a 206 without Content-Range, with the whole file
        lambda _, __, total: (206, {}, slice(total)),
        # jizhi0v0/duo-updater#225: a 206 that begins elsewhere, or ends early
        lambda _, __, total: (206, {"Content-Range": f"bytes 0-{total - 1}/{total}"}, slice(total)),
        lambda start, _, total: (
            206,
            {"Content-Range": f"bytes {start}-{start + 999}/{total}"},
            slice(start, start + 1000),
        ),
        # v0l/zap-stream-core#100: the right header on the whole file
        lambda start, end, total: (
            206,
            {"Content-Range": f"bytes {start}-{end}/{total}"},
            slice(total),
        ),
        lambda start, _, total: (206, {"Content-Range": f"items {start}-9/9"}, slice(start, total)),
        lambda _, __, total: (200, {}, slice(total)),
        lambda _, __, total: (416, {"Content-Range": f"bytes */{total}"}, slice(0)),
    ],
    ids=["no range", "other start", "other end", "other length", "nonsense", "200", "416"],
)
def test_an_answer_that_is_not_the_part_begins_anew(
    distort: Any, site: Site, attempts: Attempts
) -> None:
    site.answers["/x.mp4"] = Answer(headers={"ETag": '"1"'}, cut=ARRIVED)
    attempts.broken(site.url("/x.mp4"))
    site.answers["/x.mp4"] = Answer(headers={"ETag": '"1"'}, distort=distort)
    assert attempts.whole(site.url("/x.mp4")) == OLD


def test_a_whole_file_is_asked_for_again_before_it_counts(site: Site, attempts: Attempts) -> None:
    site.answers["/x.mp4"] = Answer(headers={"ETag": '"1"'})
    assert attempts.whole(site.url("/x.mp4")) == OLD
    site.asked.clear()
    assert attempts.whole(site.url("/x.mp4")) == OLD
    assert site.asked[-1][1] == f"bytes={len(OLD) - 1}-"
    site.answers["/x.mp4"] = Answer(NEW, {"ETag": '"2"'})
    assert attempts.whole(site.url("/x.mp4")) == NEW


def test_sections_of_one_file_are_of_one_file(site: Site, attempts: Attempts) -> None:
    changing = Answer(headers={"ETag": '"1"'})
    site.answers["/x.mp4"] = changing

    def replaced(start: int, end: int, total: int) -> tuple[int, dict[str, str], slice]:
        if start:
            site.answers["/x.mp4"] = Answer(NEW, {"ETag": '"2"'})
        return 206, {"Content-Range": f"bytes {start}-{end}/{total}"}, slice(start, end + 1)

    changing.distort = replaced
    assert attempts.whole(site.url("/x.mp4"), http_chunk_size=60_000) == NEW


def sections(site: Site) -> str:
    """Serve a stream whose segments are sections of one file; return its URL."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:4", "#EXT-X-TARGETDURATION:1"]
    for start in range(0, len(OLD), 100_000):
        lines += ["#EXTINF:1,", f"#EXT-X-BYTERANGE:100000@{start}", "/all.ts"]
    body = "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()
    site.answers["/x.m3u8"] = Answer(body, {"Content-Type": "application/vnd.apple.mpegurl"})
    return site.url("/x.m3u8")


def test_a_stream_of_sections_is_put_together(site: Site, attempts: Attempts) -> None:
    url = sections(site)
    site.answers["/all.ts"] = Answer()
    assert attempts.whole(url) == OLD


@pytest.mark.parametrize(
    "answer",
    [
        Answer(ranges=False),
        # video-dev/hls.js#1830: a section that is shorter than what was asked for
        Answer(
            distort=lambda start, _, total: (
                206,
                {"Content-Range": f"bytes {start}-{start + 9}/{total}"},
                slice(start, start + 10),
            )
        ),
        Answer(distort=lambda start, end, _: (206, {}, slice(start, end + 1))),
        Answer(OLD[:250_000]),
    ],
    ids=["whole file", "shorter", "no range", "shorter file"],
)
def test_a_stream_of_sections_that_do_not_come_is_no_success(
    answer: Answer, site: Site, attempts: Attempts
) -> None:
    url = sections(site)
    site.answers["/all.ts"] = answer
    with pytest.raises(DownloadError) as caught:
        attempts.whole(url)
    assert caught.value.code in {"unavailable", "network"}
