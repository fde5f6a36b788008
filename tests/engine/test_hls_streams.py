"""What can't be downloaded is known before the first segment; what ffmpeg downloads is whole."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mediarip_mqtt.contract.errors import DownloadError
from mediarip_mqtt.contract.settings import DownloadSettings, SecuritySettings
from mediarip_mqtt.engine.protocol import Task
from mediarip_mqtt.engine.ytdlp_engine import YtdlpEngine
from tests.support.named import download
from tests.support.server import MediaServer

OPEN = SecuritySettings(allow_private_addresses=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make fMP4 streams of 4 s: `one` and `two` alike, `wide` of another size."""
    root = tmp_path_factory.mktemp("fmp4")
    wanted = {"one": ("320x180", 440), "two": ("320x180", 880), "wide": ("640x360", 440)}
    for name, (size, tone) in wanted.items():
        (root / name).mkdir()
        subprocess.run(
            [
                *("ffmpeg", "-loglevel", "error", "-y"),
                *("-f", "lavfi", "-i", f"testsrc=size={size}:rate=10:duration=4"),
                *("-f", "lavfi", "-i", f"sine=frequency={tone}:duration=4"),
                *("-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-c:a", "aac"),
                *("-f", "hls", "-hls_time", "2", "-hls_list_size", "0"),
                *("-hls_segment_type", "fmp4", "-hls_segment_filename", "%d.m4s", "i.m3u8"),
            ],
            cwd=root / name,
            check=True,
        )
    return root


@pytest.fixture
def parts(made: Path, media: MediaServer) -> None:
    for path in made.rglob("*.m*"):
        media.text(str(path.relative_to(made)), path.read_bytes(), "video/mp4")


def stream(media: MediaServer, *names: str, gone: str = "") -> str:
    """Serve a stream whose parts follow one another, each with its own EXT-X-MAP."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:2", "#EXT-X-PLAYLIST-TYPE:VOD"]
    for name in names:
        base = f"/text/{name}"
        lines += ["#EXT-X-DISCONTINUITY", f'#EXT-X-MAP:URI="{base}/init.mp4"']
        lines += ["#EXTINF:2,", f"{base}/0.m4s", "#EXTINF:2,", f"{base}/1.m4s"]
    text = "\n".join([*lines, "#EXT-X-ENDLIST", ""])
    return media.text(
        "parts.m3u8", text.replace(f"{gone}/1.m4s", f"{gone}/9.m4s") if gone else text
    )


def get(url: str, folder: Path) -> Path:
    downloads = DownloadSettings()
    (file,) = download(YtdlpEngine(downloads, OPEN), Task("job", url, folder), downloads)
    return Path(file.temp_path or "")


def seconds(path: Path) -> float:
    shown = ["-show_entries", "format=duration", "-of", "csv=p=0"]
    run = subprocess.run(
        ["ffprobe", "-v", "error", *shown, path], capture_output=True, check=True, text=True
    )
    return float(run.stdout)


@pytest.mark.usefixtures("parts")
def test_a_second_init_section_of_the_same_encoding_is_recorded_whole(
    media: MediaServer, tmp_path: Path
) -> None:
    path = get(stream(media, "one", "two", "one"), tmp_path)
    assert seconds(path) == pytest.approx(12, abs=0.3)
    decoded = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-"]
    assert not subprocess.run(decoded, capture_output=True, check=True).stderr


@pytest.mark.usefixtures("parts")
def test_another_encoding_on_the_way_is_a_permanent_error_before_the_first_segment(
    media: MediaServer, tmp_path: Path
) -> None:
    """ffmpeg makes a file whose second part can't be played (tphakala/go-audio-stream#126)."""
    media.requests.clear()
    with pytest.raises(DownloadError, match="changes its encoding") as caught:
        get(stream(media, "one", "wide"), tmp_path)
    assert (caught.value.code, caught.value.transient) == ("unsupported_url", False)
    assert not [one for one in media.requests if one.path.endswith(".m4s")]


@pytest.mark.usefixtures("parts")
def test_a_part_that_ffmpeg_leaves_out_is_no_success(media: MediaServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="Parts of the stream") as caught:
        get(stream(media, "one", "two", gone="two"), tmp_path)
    assert caught.value.transient


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ('METHOD=SAMPLE-AES-CTR,URI="/k"', "drm_protected"),
        ('METHOD=AES-256,URI="/k"', "drm_protected"),
        (
            'METHOD=SAMPLE-AES,URI="data:,x",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"',
            "drm_protected",
        ),
        (
            'METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"',
            "drm_protected",
        ),
        ('METHOD=AES-128,URI="/status/404/key"', "not_found"),
        ('METHOD=AES-128,URI="/status/403/key"', "forbidden_by_site"),
    ],
)
def test_encryption_that_nothing_here_decrypts_is_a_permanent_error(
    key: str, code: str, media: MediaServer, tmp_path: Path
) -> None:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-KEY:{key}", "#EXTINF:1,"]
    text = "\n".join([*lines, "/media/hls/s000.ts", "#EXT-X-ENDLIST", ""])
    with pytest.raises(DownloadError) as caught:
        get(media.text("locked.m3u8", text), tmp_path)
    assert (caught.value.code, caught.value.transient) == (code, False), caught.value.message


@pytest.mark.parametrize(
    ("status", "code", "transient", "retry_after"),
    [
        (403, "forbidden_by_site", False, None),
        (404, "not_found", False, None),
        (410, "not_found", False, None),
        (416, "unavailable", False, None),
        (418, "unavailable", False, None),
        (408, "timeout", True, None),
        (425, "unavailable", True, None),
        (429, "rate_limited", True, 1.0),
        (501, "unavailable", False, None),
        (503, "unavailable", True, 1.0),
    ],
)
@pytest.mark.parametrize("where", ["segment", "file"])
def test_a_status_means_the_same_for_a_segment_as_for_a_page(
    status: int,
    code: str,
    transient: bool,  # noqa: FBT001 - a parameter of the test
    retry_after: float | None,
    where: str,
    media: MediaServer,
    tmp_path: Path,
) -> None:
    """A 404 for a segment was tried again as `network` (as in apache/pinot#1848)."""
    broken = f"/status/{status}/x.mp4"
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", "/media/hls/s000.ts"]
    text = "\n".join([*lines, "#EXTINF:1,", broken, "#EXT-X-ENDLIST", ""])
    url = media.text("s.m3u8", text)
    if where == "file":
        url = media.text("s.html", f'<html><title>x</title><video src="{broken}"></video></html>')
    with pytest.raises(DownloadError) as caught:
        get(url, tmp_path)
    error = caught.value
    assert (error.code, error.transient, error.retry_after) == (code, transient, retry_after)
