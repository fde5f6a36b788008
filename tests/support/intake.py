"""An intake on a real store and volume, without a broker: what each message is answered."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mediarip_mqtt.commands.context import Context
from mediarip_mqtt.commands.intake import Intake
from mediarip_mqtt.contract import title_patterns
from mediarip_mqtt.contract.content import ContentType, ReviewReason
from mediarip_mqtt.contract.errors import StoreError
from mediarip_mqtt.contract.models import Job, JobFile, JobStatus, new_id, now
from mediarip_mqtt.contract.reply_topics import ReplyTopics
from mediarip_mqtt.contract.runtime_settings import Preferences
from mediarip_mqtt.contract.settings import Settings
from mediarip_mqtt.contract.titles import Candidate, Title, TitleState
from mediarip_mqtt.contract.topics import Topics
from mediarip_mqtt.engine.cookie_files import Cookies
from mediarip_mqtt.jobs.retention import Retention
from mediarip_mqtt.jobs.use_cases import Jobs
from mediarip_mqtt.library.catalogue import Catalogue
from mediarip_mqtt.mqtt.incoming import Message
from mediarip_mqtt.store import Changes, Store, Tx
from mediarip_mqtt.subscriptions.following import Following
from mediarip_mqtt.subscriptions.item_queue import ItemQueue
from mediarip_mqtt.volume.marker import VolumeMarker

GUESSES = (
    Candidate(content_type=ContentType.TV, show="Tides", season=1, episode=2, confidence=0.4),
    Candidate(content_type=ContentType.OTHER, confidence=0.3),
)


@dataclass(frozen=True)
class Sent:
    """A reply on its way to the broker."""

    topic: str
    payload: str
    correlation: bytes | None = None

    @property
    def reply(self) -> dict[str, Any]:
        return dict(json.loads(self.payload))

    @property
    def error(self) -> dict[str, Any]:
        return dict(self.reply["error"])


class Desk:
    """Takes messages as the session would hand them over; begun by `open`."""

    def __init__(self, root: Path, mode: str = "shared", **settings: Any) -> None:
        self.root = root
        self.settings = Settings.model_validate(
            {"storage": {"root": root}, "session": {"mode": mode}, **settings}
        )
        self.topics = Topics("mediarip", isolated=mode == "isolated")
        self.preferences = Preferences(self.settings)
        self.changes: list[Changes] = []
        self.settings_changed = 0
        self._own = root / ".mediarip"
        self._packet_ids = itertools.count(1)
        self.responded: list[Sent] = []  # while the store can't be used

    async def open(self) -> Desk:
        self._own.mkdir(exist_ok=True)
        VolumeMarker(self._own, lambda: True).ensure()
        self.store = Store(
            self._own / "store.db", journal_mode="wal", exclusive=False, topics=self.topics
        )
        await self.store.open()
        self.store.on_commit(self.changes.append)
        jobs = Jobs(self.topics, self.preferences)
        self.context = Context(
            self.settings,
            self.topics,
            self.store,
            jobs,
            self.preferences,
            Retention(self.store, jobs, self.settings.purge, root=self.root, clock=now),
            Catalogue(self.settings.library, jobs, now),
            Following(
                jobs,
                ItemQueue(jobs, self.settings, self.preferences, now),
                self.settings,
                title_patterns.matches,
                now,
            ),
            Cookies(self._own / "cookies"),
            clock=now,
            ytdlp_versions=lambda: {"installed": "2026.01.01", "latest": None},
            settings_changed=self._settings_changed,
        )
        self.intake = Intake(
            self.context,
            self._post_unstored,
            ReplyTopics(self.context.topics, self.context.settings.homeassistant),
        )
        return self

    async def close(self) -> None:
        await self.store.close()

    def message(self, topic: str, payload: object = b"", *, qos: int = 1, **fields: Any) -> Message:
        """Return a message below the base topic; what is no text or bytes becomes JSON."""
        if not isinstance(payload, str | bytes):
            payload = json.dumps(payload)
        data = payload.encode() if isinstance(payload, str) else payload
        defaults = {"retain": False, "mid": next(self._packet_ids), "dup": False}
        return Message(f"mediarip/{topic}", data, qos, **defaults | fields)

    async def take(self, message: Message) -> list[Sent]:
        """Hand over a message; return every reply that it has caused."""
        self.responded.clear()
        await self.intake.handle(message)
        return [*self.responded, *await self.replies()]

    async def send(self, topic: str, payload: object = b"", **fields: Any) -> list[Sent]:
        return await self.take(self.message(topic, payload, **fields))

    async def ask(self, name: str, payload: object = b"", **fields: Any) -> dict[str, Any]:
        """Send one command; return its one reply."""
        (sent,) = await self.send(f"command/{name}", payload, **fields)
        return sent.reply

    async def ended(self, name: str, session_id: str = "default") -> str:
        """Add a job that has made a file; return its id."""
        (self.root / name).write_bytes(b"1")
        job = Job(
            id=new_id(),
            session_id=session_id,
            url=f"https://videos.example/{name}",
            status=JobStatus.COMPLETED,
            filename=name,
            created_at=now(),
            completed_at=now(),
        )

        def add(tx: Tx) -> None:
            tx.insert(job)
            tx.plan_files(job.id, [JobFile(temp_path="", filename=name, filesize=1)])
            tx.files_placed(job.id)

        await self.store.write(add)
        return job.id

    async def in_review(self, name: str = "Low tide", session_id: str = "default") -> Title:
        """Add a job in review, with its file and its title."""
        file = f"Unsorted/{name}.mp4"
        path = self.root / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"1")
        job = Job(
            id=new_id(),
            session_id=session_id,
            url=f"https://videos.example/{name}",
            status=JobStatus.REVIEW,
            filename=file,
            created_at=now(),
        )
        title = Title(
            id=new_id(),
            job_id=job.id,
            session_id=session_id,
            title=name,
            detected_title=name,
            slug="x",
            state=TitleState.REVIEW,
            review_reason=ReviewReason.LOW_CONFIDENCE,
            candidates=GUESSES,
            source_id="x1",
            created_at=now(),
        )

        def add(tx: Tx) -> None:
            tx.insert(job)
            tx.insert_title(title)
            tx.update(job.id, title_id=title.id)
            tx.plan_files(job.id, [JobFile(filename=file, filesize=1)])
            tx.files_placed(job.id)
            tx.give_files_to_title(job.id, title.id)

        await self.store.write(add)
        return title

    async def jobs(self) -> list[Job]:
        return await self.store.read(lambda tx: tx.jobs())

    def files(self) -> list[str]:
        return sorted(path.name for path in self.root.iterdir() if path.is_file())

    def _post_unstored(self, topic: str, payload: str, correlation: bytes | None) -> None:
        self.responded.append(Sent(topic, payload, correlation))

    async def replies(self) -> list[Sent]:
        """Take everything out of the outbox; return the replies."""

        def take(tx: Tx) -> list[Sent]:
            rows = tx.outbox(1000)
            tx.sent([row.id for row in rows])
            return [
                Sent(row.topic, row.payload, row.correlation)
                for row in rows
                if not row.topic.endswith("/event")
            ]

        try:
            return await self.store.write(take)
        except StoreError:  # a test has lost it
            return []

    def _settings_changed(self) -> None:
        self.settings_changed += 1
