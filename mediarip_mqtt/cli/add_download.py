"""The command `download`; sends a download and follows it to its end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mediarip_mqtt.cli import completion
from mediarip_mqtt.cli.client import Snapshot, accepted_job, follow, open_client, reachable
from mediarip_mqtt.cli.display import ProgressBar, clean, print_line, title_of
from mediarip_mqtt.cli.terminal import AsJson, Config, Exit, carry_out, err, load, print_json
from mediarip_mqtt.commands.plain_text import repair_url
from mediarip_mqtt.contract.errors import CommandError
from mediarip_mqtt.contract.media_options import MediaType
from mediarip_mqtt.contract.models import JobStatus, Priority
from mediarip_mqtt.contract.settings import MqttSettings, Settings


@dataclass(frozen=True)
class Outcome:
    """How a download ended; ``path`` is its file, or the folder of a playlist's files."""

    job: Mapping[str, Any]
    path: Path | None

    @property
    def completed(self) -> bool:
        """Whether the file is in its final place."""
        return self.job.get("status") == JobStatus.COMPLETED


def download(  # noqa: PLR0913 - one parameter per option
    url: Annotated[str, typer.Argument(help="A URL, or search words in quotes.")],
    *,
    preset: Annotated[
        str | None, typer.Option(help="Name of a preset.", autocompletion=completion.presets)
    ] = None,
    quality: Annotated[str | None, typer.Option(help="Maximum height: 1080p, or best.")] = None,
    format_id: Annotated[str | None, typer.Option(help="Format id from `probe`.")] = None,
    audio: Annotated[bool, typer.Option("--audio", help="Download audio only.")] = False,
    output_format: Annotated[
        str | None, typer.Option(help="mp4, mkv, mp3, m4a, opus or flac.")
    ] = None,
    folder: Annotated[str | None, typer.Option(help="Folder below the storage root.")] = None,
    playlist_items: Annotated[str | None, typer.Option(help="Playlist items: 1:5,8.")] = None,
    subtitles: Annotated[str | None, typer.Option(help="Languages: en,de.")] = None,
    sponsorblock: Annotated[str | None, typer.Option(help="mark or remove.")] = None,
    embed: Annotated[str | None, typer.Option(help="metadata,chapters,thumbnail.")] = None,
    split_chapters: Annotated[
        bool, typer.Option("--split-chapters", help="Also write one file for each chapter.")
    ] = False,
    rate_limit: Annotated[str | None, typer.Option(help="Bytes per second: 2M.")] = None,
    priority: Annotated[Priority | None, typer.Option(help="Priority in the queue.")] = None,
    category: Annotated[str | None, typer.Option(help="A category of your own.")] = None,
    request_id: Annotated[
        str | None, typer.Option(help="Repeats with the same id have no effect.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until the download ends.")
    ] = True,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Download with the running service; exit code 0 only if the download completed."""
    loaded = load(config, quiet=True)
    options = {
        ("url" if _means_url(url) else "query"): url,
        "preset": preset,
        "quality": quality,
        "format_id": format_id,
        "media_type": MediaType.AUDIO if audio else None,
        "output_format": output_format,
        "folder": folder,
        "playlist_items": playlist_items,
        "subtitles": subtitles,
        "sponsorblock": sponsorblock,
        "embed": embed,
        "split_chapters": split_chapters or None,
        "rate_limit": rate_limit,
        "priority": priority,
        "category": category,
        "request_id": request_id,
    }
    arguments = {key: value for key, value in options.items() if value is not None}
    carry_out(_download(loaded, arguments, as_json=as_json, wait=wait))


def _means_url(text: str) -> bool:
    try:
        return repair_url(text) is not None
    except CommandError:
        return True  # the service's reply says what is wrong with it


async def _download(
    loaded: Settings, arguments: Mapping[str, Any], *, as_json: bool, wait: bool
) -> int:
    mqtt = reachable(loaded)
    if not wait:
        async with open_client(mqtt) as client:
            await client.check_online()
            reply = await client.ask("download", arguments)
        if as_json:
            print_json(reply)
            return Exit.OK if reply.get("ok") else Exit.FAILED
        print_line(sys.stdout, str(accepted_job(reply)["id"]))
        return Exit.OK
    if as_json:
        return print_outcome(await add_and_follow(mqtt, arguments, lambda _: None), as_json=True)
    with ProgressBar(err) as bar:
        try:
            outcome = await add_and_follow(mqtt, arguments, bar.show)
        except asyncio.CancelledError:
            if bar.job_id:
                err.print(f"The download continues; `command cancel {bar.job_id}` stops it.")
            raise
    return print_outcome(outcome)


async def add_and_follow(
    settings: MqttSettings, arguments: Mapping[str, Any], show: Callable[[Snapshot], None]
) -> Outcome:
    """Add a download and call ``show`` at each change until it ends.

    Raises `MediaripError` if it is refused or the service can't be reached.
    """
    async with open_client(settings) as client:
        await client.check_online()
        info = await client.info()
        job = accepted_job(await client.ask("download", arguments))
    snapshot = Snapshot(job)
    show(snapshot)
    async for snapshot in follow(settings, str(job["id"])):
        show(snapshot)
    root = Path(str(info.get("storage_root") or "."))
    filename = snapshot.job.get("filename")
    if filename:
        path: Path | None = root / str(filename)
    else:
        path = root / str(snapshot.job.get("folder") or "") if snapshot.job.get("items") else None
    return Outcome(snapshot.job, path)


def print_outcome(outcome: Outcome, *, as_json: bool = False) -> int:
    """Print how a download ended, its path as the last line for scripts; return the exit code."""
    job = outcome.job
    if as_json:
        print_json({**job, "path": str(outcome.path) if outcome.path else None})
    elif outcome.completed and outcome.path:
        print_line(sys.stdout, str(outcome.path))
    else:
        reason = f": {clean(job['error_message'])}" if job.get("error_message") else "."
        code = f" ({job['error_code']})" if job.get("error_code") else ""
        print_line(sys.stderr, f"{title_of(job)}: {job.get('status')}{reason}{code}")
    return Exit.OK if outcome.completed else Exit.FAILED
