"""The picture of thumbnails: what a list names is in it, and hostile ones do no harm."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mediarip_mqtt.contract.errors import DownloadError, ErrorCode
from mediarip_mqtt.engine import programs, thumbnail
from mediarip_mqtt.engine.protocol import Control
from mediarip_mqtt.homeassistant import tiles as tiles_module
from mediarip_mqtt.homeassistant.tiles import PLACES, WANTED, Tiles
from tests.support.engine import FakeEngine


@dataclass(frozen=True)
class ListedHere:
    id: str
    thumbnail: str | None
    tile: int | None = None


def picture(color: str, size: str = "640x360") -> bytes:
    """Return a JPEG as the engine does."""
    source = ["-f", "lavfi", "-i", f"{color}:size={size}" if "=" not in color else color]
    if not color.startswith(("testsrc", "nullsrc")):
        source = ["-f", "lavfi", "-i", f"color={color}:size={size}"]
    command = ["ffmpeg", "-v", "error", *source, "-frames:v", "1", "-f", "mjpeg", "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def shape(jpeg: bytes) -> str:
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=width,height,codec_name"]
    command += ["-of", "csv=p=0", "-f", "jpeg_pipe", "-i", "-"]
    return subprocess.run(command, input=jpeg, capture_output=True, check=True).stdout.decode()


def color_at(jpeg: bytes, index: int) -> tuple[int, int, int]:
    """Return the mean color of a tile."""
    x, y = index % 8 * 128, index // 8 * 72
    command = ["ffmpeg", "-v", "error", "-f", "jpeg_pipe", "-i", "-", "-frames:v", "1"]
    command += ["-vf", f"crop=128:72:{x}:{y},scale=1:1:flags=area", "-pix_fmt", "rgb24"]
    command += ["-f", "rawvideo", "-"]
    found = subprocess.run(command, input=jpeg, capture_output=True, check=True).stdout
    return found[0], found[1], found[2]


class Thumbnails(FakeEngine):
    """An engine whose thumbnails are plain colors, named by the end of their URL."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.answers: dict[str, Callable[[], bytes]] = {}

    def picture(self, url: str, _: Control, width: int = 640) -> bytes:
        del width
        self.asked.append(url)
        name = url.rpartition("/")[2]
        return self.answers[name]() if name in self.answers else picture(name)


class Lists:
    """Publishes lists as the publisher does, with the tiles that are known."""

    def __init__(self, engine: Thumbnails) -> None:
        self.pictures: list[bytes | None] = []
        self.named: list[str] = []
        self.jobs: dict[str, list[ListedHere]] = {}
        self.tiles = Tiles(engine, self._changed, self._name)

    def _changed(self) -> None:
        shown = self.tiles.picture
        self.pictures.append(base64.b64decode(shown) if shown else None)

    def _name(self, names: Iterable[str]) -> None:
        self.named += names

    def publish(self, name: str, *jobs: str) -> list[int | None]:
        """Publish a list of the jobs, each with a thumbnail of its name; return their tiles."""
        self.jobs[name] = [ListedHere(one, f"https://a.example/{one}") for one in jobs]
        return self.again(name)

    def again(self, name: str) -> list[int | None]:
        """Publish a list again."""
        self.jobs[name] = [replace(one, tile=self.tiles.tile(one.id)) for one in self.jobs[name]]
        self.tiles.follow(name, self.jobs[name])
        return [one.tile for one in self.jobs[name]]

    async def complete(self, name: str) -> list[int]:
        """Publish a list again until it names a tile of every job; return them."""
        async with asyncio.timeout(60):
            while True:
                shown = self.again(name)
                if None not in shown:
                    return [tile for tile in shown if tile is not None]
                await self.wait_pictures(len(self.pictures) + 1)
                self.tiles.sent()

    async def wait_pictures(self, count: int) -> bytes:
        async with asyncio.timeout(20):
            while len(self.pictures) < count:  # noqa: ASYNC110 - the task does it
                await asyncio.sleep(0.02)
        return self.pictures[-1] or b""


@pytest.fixture
def engine() -> Thumbnails:
    return Thumbnails()


@pytest.fixture
async def lists(engine: Thumbnails, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(tiles_module, "INTERVAL", 0.2)
    made = Lists(engine)
    running = asyncio.create_task(made.tiles.run())
    yield made
    running.cancel()
    await asyncio.wait({running})


@pytest.fixture
def no_ffmpeg() -> Iterator[None]:
    programs.ffmpeg.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thumbnail, "has_ffmpeg", lambda: False)
        yield
    programs.ffmpeg.cache_clear()


async def test_a_list_names_a_tile_only_after_the_picture_with_it_was_sent(lists: Lists) -> None:
    assert lists.publish("now", "red", "blue") == [None, None]
    await lists.wait_pictures(1)
    assert lists.again("now") == [None, None]
    lists.tiles.sent()
    assert lists.named == ["now"]
    first, second = await lists.complete("now")
    shown = lists.pictures[-1] or b""
    assert shape(shown).strip() == "mjpeg,1024,360"
    red, blue = color_at(shown, first), color_at(shown, second)
    assert red[0] > 3 * red[2]
    assert blue[2] > 3 * blue[0]


async def test_a_job_keeps_its_tile_from_list_to_list(lists: Lists) -> None:
    lists.publish("now", "red", "blue")
    _, blue = await lists.complete("now")
    lists.publish("now", "green", "red", "blue")
    lists.publish("finished", "blue")
    assert lists.again("finished") == [blue]
    shown = await lists.complete("now")
    assert shown[2] == blue
    assert len({*shown}) == 3


async def test_a_place_is_not_used_again_while_a_list_names_it(
    lists: Lists, engine: Thumbnails
) -> None:
    color = picture("gray")
    jobs = [f"j{number}" for number in range(WANTED + 10)]
    engine.answers = {name: lambda: color for name in jobs}
    lists.publish("finished", *jobs[:WANTED])
    assert sorted(await lists.complete("finished")) == list(range(WANTED))
    # Newer jobs run: the oldest finished ones lose their tiles once their list is published.
    lists.publish("now", *jobs[WANTED : WANTED + 3])
    assert {*await lists.complete("now")} <= {*range(WANTED, PLACES)}
    assert lists.again("finished")[-3:] == [None, None, None]


async def test_the_thumbnail_of_a_deleted_job_leaves_the_picture(lists: Lists) -> None:
    lists.publish("now", "red", "blue")
    red, _ = await lists.complete("now")
    lists.publish("now", "blue")
    assert color_at(await lists.wait_pictures(len(lists.pictures) + 1), red)[0] < 100
    lists.publish("now")
    await lists.wait_pictures(len(lists.pictures) + 1)
    assert lists.pictures[-1] is None


def refuse() -> bytes:
    raise DownloadError(ErrorCode.FORBIDDEN, "An internal address.")


@pytest.mark.parametrize(
    "hostile",
    [refuse, lambda: b"", lambda: b"\xff\xd8\xff" + b"x" * 100_000, lambda: b"file:///etc/passwd"],
    ids=["refused", "empty", "no picture", "a path"],
)
async def test_a_hostile_thumbnail_has_no_tile_and_is_asked_for_once(
    lists: Lists, engine: Thumbnails, hostile: Callable[[], bytes]
) -> None:
    engine.answers = {"bad": hostile}
    lists.publish("now", "bad", "red")
    await lists.wait_pictures(1)
    lists.tiles.sent()
    bad, red = lists.again("now")
    assert bad is None
    assert red is not None
    lists.publish("now", "bad", "red", "blue")
    await lists.wait_pictures(len(lists.pictures) + 1)
    assert engine.asked.count("https://a.example/bad") == 1


def test_the_picture_is_small_whatever_the_thumbnails_are() -> None:
    noise = picture("nullsrc=size=640x360,geq=random(1)*255:128:128")
    tile = thumbnail.tile(noise)
    assert shape(tile).strip() == "mjpeg,128,72"
    shown = thumbnail.tiled([tile] * PLACES)
    assert shape(shown).strip() == "mjpeg,1024,360"
    assert len(shown) <= 200_000


@pytest.mark.parametrize("size", ["16x2000", "2000x16", "2x2", "128x72"])
def test_a_thumbnail_of_any_shape_becomes_a_tile(size: str) -> None:
    assert shape(thumbnail.tile(picture("red", size))).strip() == "mjpeg,128,72"


@pytest.mark.usefixtures("no_ffmpeg")
async def test_without_ffmpeg_no_thumbnail_is_fetched(engine: Thumbnails) -> None:
    lists = Lists(engine)
    lists.publish("now", "red")
    async with asyncio.timeout(10):
        await lists.tiles.run()
    assert not engine.asked
    assert lists.tiles.tile("red") is None
