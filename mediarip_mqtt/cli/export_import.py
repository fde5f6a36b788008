"""The commands `export` and `import`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Annotated

import typer

from mediarip_mqtt import __version__
from mediarip_mqtt.cli import history_transfer, import_sources
from mediarip_mqtt.cli.client import open_client, reachable
from mediarip_mqtt.cli.display import clean, print_line
from mediarip_mqtt.cli.terminal import AsJson, Config, Exit, carry_out, load
from mediarip_mqtt.contract import topics
from mediarip_mqtt.contract.models import utc_iso
from mediarip_mqtt.contract.settings import Settings


def export(
    file: Annotated[
        Path | None, typer.Argument(help="File to write; default: standard output.")
    ] = None,
    *,
    config: Config = None,
) -> None:
    """Export all jobs of the running service as JSON lines."""
    carry_out(_export(load(config, quiet=True), file))


def import_file(  # noqa: PLR0913 - one parameter per option
    file: Annotated[
        Path,
        typer.Argument(
            help="A file or folder of `export`, MeTube or media.rip, or yt-dlp's download archive."
        ),
    ],
    *,
    form: Annotated[
        import_sources.SourceFormat, typer.Option("--format", help="The program that wrote it.")
    ] = import_sources.SourceFormat.AUTO,
    pending: Annotated[
        bool, typer.Option("--pending", help="Queue its unfinished jobs as downloads.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what is new.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Import finished jobs into the running service's history; exit code 1 if some are refused.

    Importing the same jobs again adds nothing. Their files are neither moved nor removed.
    """
    read = partial(import_sources.read, file, form)
    loaded = load(config, quiet=True)
    carry_out(_import(loaded, read, pending=pending, dry_run=dry_run, as_json=as_json))


async def _export(loaded: Settings, path: Path | None) -> int:
    count = 0
    async with open_client(reachable(loaded)) as client:
        await client.check_online()
        with _output(path) as file:
            head = import_sources.header(utc_iso(datetime.now(UTC)), __version__)
            print_line(file, topics.dumps(head))
            async for job in history_transfer.export(client):
                file.write(topics.dumps(job) + "\n")
                count += 1
    print_line(sys.stderr, f"{count} jobs exported.")
    return Exit.OK


@contextmanager
def _output(path: Path | None) -> Iterator[IO[str]]:
    """Open the output; a file gets its final name only once it is complete."""
    if path is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise import_sources.SourceError(f"{path}: can't be written: {error.strerror}.") from None
    finally:
        unfinished.unlink(missing_ok=True)


async def _import(
    loaded: Settings, read: history_transfer.Read, *, pending: bool, dry_run: bool, as_json: bool
) -> int:
    async with open_client(reachable(loaded)) as client:
        await client.check_online()
        totals = await history_transfer.import_found(
            client, read, limit=loaded.mqtt.max_payload, pending=pending, dry_run=dry_run
        )
    if as_json:
        print_line(sys.stdout, json.dumps(asdict(totals), ensure_ascii=False))
    else:
        for reason in totals.reasons:
            print_line(sys.stderr, clean(reason))
        print_line(sys.stdout, _summary(totals, dry_run=dry_run))
    return Exit.FAILED if totals.refused else Exit.OK


def _summary(totals: history_transfer.Totals, *, dry_run: bool) -> str:
    verb = "are new" if dry_run else "imported"
    parts = [f"{totals.imported} jobs {verb}"]
    if totals.known:
        parts = [f"{totals.known} known media {verb}"]
        parts += [f"{totals.imported} jobs {verb}"] if totals.imported else []
    counts = {
        "already known": totals.skipped,
        "to download" if dry_run else "queued as downloads": totals.queued,
        "unfinished ones skipped (--pending downloads them)": totals.left_out,
        "refused": totals.refused,
    }
    parts += [f"{count} {what}" for what, count in counts.items() if count]
    return ", ".join(parts) + "."
