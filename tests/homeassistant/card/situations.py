"""What a household's Home Assistant knows of a service, in every state that the card shows.

The lists are held to the JSON Schemas in docs/schemas by `test_situations.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from mediarip_mqtt.contract.errors import ErrorCode, ErrorScope
from mediarip_mqtt.contract.presets import QUALITIES

Entry = dict[str, Any]
NOW: Final = "2026-11-29T14:02:00.000Z"  # the browser's clock
MESSAGES: Final = {"status": "now", "last_completed": "finished", "last_failed": "failed"}


def entry(number: int, status: str = "completed", title: str = "", **more: Any) -> Entry:
    """Return a job as the service lists it; ``number`` makes its id."""
    job: Entry = {
        "id": f"01990000-0000-7000-8000-{number:012d}",
        "status": status,
        "title": title or f"Evening walk, part {number}",
        "site": "videos.example",
        "kind": "video",
    }
    if status == "completed":
        job |= {
            "size": 734_003_200 + number,
            "filename": f"films/Evening walk {number}.mp4",
            "duration": 1800,
            "completed_at": "2026-11-29T12:30:00.000Z",
            "category": "films",
        }
    return job | more


def downloading(number: int, title: str = "", **more: Any) -> Entry:
    known = {
        "phase": "video",
        "progress": 42.0,
        "speed": 3_100_000,
        "eta": 120,
        "at": NOW,
        "size": 640_000_000,
    }
    return entry(number, "downloading", title, **(known | more))


def failed(number: int, code: str, title: str = "", error: str = "") -> Entry:
    message = error or "yt-dlp says that this video is not for everybody."
    return entry(number, "failed", title, error_code=code, error=message)


@dataclass(frozen=True)
class Situation:
    """The state of one service's entities, and who looks at them."""

    jobs: tuple[Entry, ...] = ()
    finished: tuple[Entry, ...] = ()
    failed: tuple[Entry, ...] = ()
    status: str = "idle"  # or `unavailable`: the attributes are gone
    now: dict[str, Any] = field(default_factory=dict)  # more of `jobs/now`
    known_before: bool = False  # unavailable only after the card has seen the lists
    missing: frozenset[str] = frozenset()  # entities that do not exist
    library: dict[str, Any] | None = None  # the topic `library`, if that is enabled
    refused: bool = False  # a user who may only look
    config: dict[str, Any] = field(default_factory=dict)

    def message(self, name: str) -> dict[str, Any]:
        """Return the payload of `jobs/now`, `jobs/finished` or `jobs/failed`."""
        if name == "now":
            return {
                "jobs": list(self.jobs),
                "more": 0,
                "pause_reason": None,
                "storage": "ok",
                "disk_free": 412_000_000_000,
                "disk_total": 2_000_000_000_000,
                "version": "1.0.0",
                "presets": ["best", "1080p", "audio"],
                "media": "media-source://media_source/local/mediarip",
            } | self.now
        newest = next(iter(self.finished if name == "finished" else self.failed), {})
        known = {"at": NOW if newest else None}
        known |= {key: newest.get(key) for key in ("title",)} | {"job_id": newest.get("id")}
        if name == "finished":
            known |= {"filename": newest.get("filename"), "thumbnail": None}
            return {"finished": list(self.finished), **known}
        known |= {"error_code": newest.get("error_code"), "error": newest.get("error")}
        return {"failed": list(self.failed), **known}

    def states(self, node: str = "mediarip", names: dict[str, str] | None = None) -> dict[str, Any]:
        """Return Home Assistant's states; ``names``: entity ids that were changed, by key."""
        off = self.status == "unavailable" and not self.known_before
        found = {}
        for key, (domain, state, attributes) in self._entities().items():
            if key in self.missing:
                continue
            entity_id = (names or {}).get(key, f"{domain}.{node}_{key}")
            kept = {"options", "device_class", "unit_of_measurement"}  # also while unavailable
            shown = attributes if not off else {k: attributes[k] for k in kept & {*attributes}}
            name = f"{node} {key.replace('_', ' ').capitalize()}"
            found[entity_id] = {
                "entity_id": entity_id,
                "state": "unavailable" if off else state,
                "attributes": {**shown, "friendly_name": name},
                "last_changed": "2026-11-29T13:58:00.000Z",
                "last_updated": "2026-11-29T13:58:00.000Z",
                "context": {"id": "1", "user_id": None, "parent_id": None},
            }
        return found

    def _entities(self) -> dict[str, tuple[str, str, dict[str, Any]]]:
        status = "downloading" if self.status == "unavailable" else self.status
        tiles = {"columns": 8, "rows": 5, "width": 128, "height": 72}
        picture = "/api/image_proxy/image.mediarip_tiles?token=1"
        statuses = ["idle", "downloading", "paused", "storage_lost", "error"]
        free = str(round((self.message("now")["disk_free"] or 0) / 10**9))
        return {
            "status": (
                "sensor",
                status,
                {"device_class": "enum", "options": statuses, **self.message("now")},
            ),
            "last_completed": (
                "sensor",
                NOW,
                {"device_class": "timestamp", **self.message("finished")},
            ),
            "last_failed": ("sensor", NOW, {"device_class": "timestamp", **self.message("failed")}),
            "response": ("sensor", "ok", {"recent": []}),
            "download": ("notify", "unknown", {}),
            "tiles": ("image", NOW, {"tiles": tiles, "entity_picture": picture}),
            "preset": ("select", "best", {"options": ["best", "1080p", "audio"]}),
            "quality": ("select", "best", {"options": list(QUALITIES)}),
            "paused": ("switch", "on" if self.now.get("pause_reason") == "user" else "off", {}),
            "problem": ("binary_sensor", "off", {"device_class": "problem"}),
            "disk_free": (
                "sensor",
                free,
                {"device_class": "data_size", "unit_of_measurement": "GB"},
            ),
            "speed": (
                "sensor",
                "3.1",
                {"device_class": "data_rate", "unit_of_measurement": "MB/s"},
            ),
            "ytdlp": ("update", "off", {}),
            **self._library_entities(),
        }

    def _library_entities(self) -> dict[str, tuple[str, str, dict[str, Any]]]:
        if self.library is None:
            return {}
        told = self.library
        more = {key: told[key] for key in ("bytes", "types")}
        return {
            "reviews_waiting": ("sensor", str(told["waiting"]), {"reviews": told["reviews"]}),
            "library": ("sensor", str(told["count"]), {"newest": told["newest"][:10], **more}),
        }


_LONG: Final = "The complete recordings of the town's brass band " * 6
_BIDI: Final = "abc \u202egnp.exe\u202c def \u2066isolated\u2069 \u200f"
HOSTILE_TITLES: Final = {
    "markup": "<img src=x onerror=\"document.title='caught'\"><b>bold</b>"
    '<script>document.title="caught"</script>',
    "template": "${document.title='caught'} {{ states('sensor.x') }} <!--?lit$1$-->",
    "bidi": _BIDI,
    "long": "x" * 2000,
    "long words": "Wort " * 400,
    "empty": "",
    "blank": " \t\n ",
    "controls": "a\u0000b\u0007c\u001b[31m",
    "lone surrogate": "a\\ud800b",
    "quotes": "\"' onmouseover='document.title=1' x=\"",
}

_RUNNING: Final = (
    downloading(1, "Harbour at night", tile=0),
    downloading(2, "ميناء في الليل", tile=1, progress=7.5, eta=3900, phase="audio", kind="audio"),
    entry(3, "extracting", "https://videos.example/watch?v=1", phase="extracting"),
    entry(4, "processing", "Interview with the lighthouse keeper", phase="merging", progress=100.0),
    downloading(
        5,
        "A summer on the island",
        kind="playlist",
        items={"total": 24, "completed": 9, "failed": 1, "cancelled": 0},
        progress=41.0,
        tile=2,
    ),
)
_WAITING: Final = (
    entry(11, "queued", "Bread in a wood-fired oven", priority="high", tile=3),
    entry(12, "queued", "How a pipe organ is tuned", kind="audio"),
    entry(13, "paused", "Night train", progress=63.0, size=90_000_000),
    entry(
        14,
        "retrying",
        "Weather, explained",
        error_code="rate_limited",
        error="HTTP Error 429",
        next_retry_at="2026-11-29T14:12:00.000Z",
    ),
    entry(15, "review", "Unsure", kind="playlist"),
)
_FINISHED: Final = (
    entry(21, title="Interview", tile=5, keep=True),
    entry(22, title="Mountain song", kind="audio", filename="music/Mountain song.mp3", tile=6),
    entry(23, "cancelled", "Never mind"),
    *(entry(number, tile=number - 20) for number in range(24, 32)),
)
_FAILED: Final = (
    failed(41, "login_required", "Private film"),
    failed(42, "disk_full", "Too large"),
)
FULL: Final = Situation(
    jobs=(*_RUNNING, *_WAITING, *_FINISHED[:5]),
    finished=tuple(one for one in _FINISHED if one["status"] == "completed"),
    failed=_FAILED,
    status="downloading",
)


def title(number: int, name: str = "", **more: Any) -> Entry:
    """Return a title as `newest` has it, and as the sensor with the replies shows it."""
    return {
        "id": f"01990000-0000-7000-8000-{number:012d}",
        "title": name or f"Evening walk, part {number}",
        "show": "Walks",
        "content_type": "tv",
        "season": 1,
        "episode": number,
        "filesize": 734_003_200,
        "organized_to": f"Shows/Walks/Season 01/Walks - S01E{number:02d}.mkv",
        "published_at": "2026-10-01T12:30:00.000Z",
        "created_at": "2026-11-29T12:30:00.000Z",
    } | more


def review(number: int, name: str, *candidates: Entry, **more: Any) -> Entry:
    """Return a title that waits, as the topic `library` has it."""
    return {
        "id": f"01990000-0000-7000-8000-{number:012d}",
        "job_id": f"01990000-0000-7000-8000-{number + 1000:012d}",
        "title": name,
        "reason": "low_confidence",
        "review_until": "2026-12-06T12:30:00.000Z",
        "channel": "Harbour films",
        "duration": 2520.0,
        "filesize": 640_000_000,
        "candidates": list(candidates),
    } | more


def guess(kind: str, confidence: float, **more: Any) -> Entry:
    return {"content_type": kind, "confidence": confidence, "source": "heuristic"} | more


def library(*reviews: Entry, newest: tuple[Entry, ...] = (), **more: Any) -> dict[str, Any]:
    """Return the topic `library`."""
    return {
        "count": 1240,
        "counts": {"completed": 1240},
        "types": {"tv": 1000, "movie": 240},
        "bytes": 912_000_000_000,
        "archived_bytes": 0,
        "runs": [],
        "waiting": len(reviews),
        "reviews": list(reviews),
        "newest": list(newest),
    } | more


UNSURE: Final = review(
    61,
    "Tides 3 - The harbour",
    guess("tv", 0.4, show="Tides", season=1, episode=3, title="The harbour"),
    guess("movie", 0.2, title="Tides 3 - The harbour", year=2026),
    detected_title="TIDES 3 - The harbour (official)",
)
TAKEN: Final = review(
    62,
    "The long night",
    guess("movie", 0.9, title="The long night", year=2019),
    reason="conflict",
)
UNKNOWN: Final = review(63, "VID_2026_01_02")
UNKNOWN.pop("channel")
_NEWEST: Final = (
    title(71, "The lighthouse", watched_at="2026-11-28T20:00:00.000Z"),
    title(72, "ميناء في الليل", show="Harbour"),
    title(
        73, "The long night", content_type="movie", year=2019, show=None, season=None, episode=None
    ),
    title(74, "Mountain song", content_type="music", artist="The Brass", album="Peaks", show=None),
    title(75, "News of the week", content_type="podcast", show="The week", season=None),
)
NEWEST: Final = tuple(
    {key: value for key, value in one.items() if value is not None} for one in _NEWEST
)
FILED: Final = replace(FULL, library=library(UNSURE, TAKEN, UNKNOWN, newest=NEWEST))
_JOB_ERRORS: Final = [one for one in ErrorCode if one.scope is not ErrorScope.COMMAND]

SITUATIONS: Final = {
    "no service": Situation(missing=frozenset(Situation()._entities())),  # noqa: SLF001 - its own
    "another entity": replace(FULL, missing=frozenset({"status"})),
    "empty": Situation(),
    "full": FULL,
    "library": FILED,
    "only the library": Situation(
        library=library(UNSURE, newest=NEWEST),
        config={"sections": ["review", "library"], "add": False},
    ),
    "library offline": replace(FILED, status="unavailable", known_before=True),
    "many reviews": Situation(
        library=library(*(review(n, f"Part {n}") for n in range(100, 110)), waiting=31)
    ),
    "library, long titles": Situation(
        library=library(
            review(61, _LONG, guess("tv", 0.4, show=_LONG[:120], title=_LONG[:120]), channel=_LONG)
        )
    ),
    "library, hostile titles": Situation(
        library=library(
            *(
                review(n, one, guess("tv", 0.4, show=one[:120] or "x", title=one[:120] or "x"))
                for n, one in enumerate(HOSTILE_TITLES.values(), 61)
            )
        )
    ),
    "offline": replace(FULL, status="unavailable"),
    "offline, known before": replace(FULL, status="unavailable", known_before=True),
    "waiting only": Situation(jobs=_WAITING, now={"more": 37}, status="idle"),
    "paused": replace(FULL, status="paused", now={"pause_reason": "user"}),
    "quiet hours": Situation(
        jobs=_WAITING,
        status="paused",
        now={"pause_reason": "quiet_hours", "pause_until": "2026-11-30T06:00:00.000Z"},
    ),
    "disk low": Situation(
        jobs=_WAITING,
        finished=FULL.finished,
        status="paused",
        now={"pause_reason": "disk_low", "disk_free": 800_000_000},
    ),
    "updating": Situation(jobs=_WAITING, status="paused", now={"pause_reason": "updating"}),
    "storage lost": replace(
        FULL,
        status="storage_lost",
        now={"pause_reason": "storage_lost", "storage": "lost", "disk_free": None},
    ),
    "error": Situation(status="error"),
    "read-only": replace(FULL, refused=True),
    "errors": Situation(
        failed=tuple(failed(100 + n, one.value) for n, one in enumerate(_JOB_ERRORS)),
    ),
    "unknown error": Situation(failed=(failed(1, "sun_spots", "Lost", "The sun had spots."),)),
    "no disk figures": replace(FULL, now={"disk_free": None, "disk_total": None, "media": None}),
    "long titles": Situation(
        jobs=(downloading(1, _LONG), entry(2, "queued", _LONG)),
        finished=(entry(3, title=_LONG, filename=f"films/{_LONG}.mp4", category="a" * 120),),
        failed=(failed(4, "sun_spots", _LONG, _LONG),),
        status="downloading",
    ),
    "hostile titles": Situation(
        jobs=tuple(
            downloading(number, site=title[:80] or "x") | {"title": title}
            for number, title in enumerate(HOSTILE_TITLES.values(), 1)
        ),
        failed=tuple(
            failed(number, "sun_spots", error=title) | {"title": title}
            for number, title in enumerate(HOSTILE_TITLES.values(), 50)
        ),
        status="downloading",
    ),
}


def many(count: int) -> Situation:
    """Return a service with this many jobs: two running, the rest waiting, failed and finished."""
    waiting = tuple(entry(number, "queued", tile=number % 40) for number in range(10, count // 3))
    ended = range(count // 3 + 2, count)
    return Situation(
        jobs=(downloading(1, tile=0), downloading(2, tile=1), *waiting),
        finished=tuple(entry(number) for number in ended if number % 4),
        failed=tuple(failed(number, "network") for number in ended if not number % 4),
        status="downloading",
    )
