"""The commands `export` and `import`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from mediarip_mqtt import __version__
from mediarip_mqtt.cli import history_transfer, import_sources, subscription_transfer
from mediarip_mqtt.cli.client import open_client, reachable
from mediarip_mqtt.cli.display import clean, print_line
from mediarip_mqtt.cli.import_sources import SourceFormat
from mediarip_mqtt.cli.subscription_sources import download_archive, recognise
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
            help="A file or folder of `export`, MeTube or media.rip; yt-dlp's download archive; or "
            "subscriptions: OPML, Takeout, NewPipe, MeTube, Pinchflat, TubeSync, ytdl-sub."
        ),
    ],
    *,
    form: Annotated[
        SourceFormat, typer.Option("--format", help="The program that wrote it.")
    ] = SourceFormat.AUTO,
    pending: Annotated[
        bool, typer.Option("--pending", help="Queue its unfinished jobs as downloads.")
    ] = False,
    into: Annotated[
        str | None,
        typer.Option("--into", help="For an archive: the subscription that it belongs to."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is new.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Import history or subscriptions into the running service; exit code 1 if some are refused.

    Importing the same file again adds nothing. Files are neither moved nor removed.
    """
    loaded = load(config, quiet=True)
    chosen = _Chosen(pending=pending, into=into, dry_run=dry_run, as_json=as_json)
    if into is not None:
        carry_out(_import_into(loaded, file, form, chosen))
        return
    followed = recognise.subscription_format(file, form)
    # MeTube's folder may have both.
    both = form is SourceFormat.AUTO and import_sources.has_history(file)
    jobs = partial(import_sources.read, file, form) if followed is None or both else None
    carry_out(_import_any(loaded, file, followed, jobs, chosen))


@dataclass(frozen=True)
class _Chosen:
    pending: bool
    into: str | None
    dry_run: bool
    as_json: bool


async def _import_any(
    loaded: Settings,
    file: Path,
    followed: SourceFormat | None,
    jobs: history_transfer.Read | None,
    chosen: _Chosen,
) -> int:
    codes = []
    if jobs is not None:
        codes.append(await _import(loaded, jobs, chosen))
    if followed is not None:
        codes.append(await _import_subscriptions(loaded, file, followed, chosen))
    return max(codes)


async def _import_into(loaded: Settings, file: Path, form: SourceFormat, chosen: _Chosen) -> int:
    followed = recognise.subscription_format(file, form)
    if followed is None and form is SourceFormat.AUTO:
        form = import_sources.recognise(file)
    if form is not SourceFormat.YTDLP_ARCHIVE:
        raise import_sources.SourceError(
            f"{file}: is no download archive of yt-dlp; `--into` goes with such a file only."
        )
    return await _import_subscriptions(loaded, file, form, chosen)


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


async def _import(loaded: Settings, read: history_transfer.Read, chosen: _Chosen) -> int:
    async with open_client(reachable(loaded)) as client:
        await client.check_online()
        totals = await history_transfer.import_found(
            client,
            read,
            limit=loaded.mqtt.max_payload,
            pending=chosen.pending,
            dry_run=chosen.dry_run,
        )
    if chosen.as_json:
        print_line(sys.stdout, json.dumps(asdict(totals), ensure_ascii=False))
    else:
        for reason in totals.reasons:
            print_line(sys.stderr, clean(reason))
        print_line(sys.stdout, _summary(totals, dry_run=chosen.dry_run))
    return Exit.FAILED if totals.refused else Exit.OK


async def _import_subscriptions(
    loaded: Settings, file: Path, form: SourceFormat, chosen: _Chosen
) -> int:
    into = chosen.into
    limits: dict[str, Any] = {"limit": loaded.mqtt.max_payload, "dry_run": chosen.dry_run}
    async with open_client(reachable(loaded)) as client:
        await client.check_online()
        if into is not None:
            items = download_archive.read(file)
            report = await subscription_transfer.import_archive(client, items, into, **limits)
        else:
            found = recognise.read(file, form)
            report = await subscription_transfer.import_subscriptions(client, found, **limits)
    if chosen.as_json:
        print_line(sys.stdout, json.dumps(report.to_json(), ensure_ascii=False))
    else:
        for each in report.lines:
            stream = sys.stderr if each.result == "refused" else sys.stdout
            print_line(stream, clean(_described(each)))
        print_line(sys.stdout, _counted(report, dry_run=chosen.dry_run))
    return Exit.FAILED if report.count("refused") else Exit.OK


def _described(line: subscription_transfer.ImportLine) -> str:
    parts = [f"{line.result:<8}{line.name or line.url}"]
    if line.url and line.name:
        parts[0] += f" ({line.url})"
    if line.reason:
        return f"{parts[0]}: {line.reason}"
    counts = [
        f"{line.items[state]} {what}"
        for state, what in subscription_transfer.STATES.items()
        if line.items.get(state)
    ]
    if counts:
        parts.append(f"items: {', '.join(counts)}; new here: {line.new_items}")
    return "; ".join([*parts, *line.notes])


def _counted(report: subscription_transfer.FollowedReport, *, dry_run: bool) -> str:
    parts = [f"{report.count('new')} subscriptions {'are new' if dry_run else 'imported'}"]
    counts = {"already known": report.count("known"), "refused": report.count("refused")}
    parts += [f"{count} {what}" for what, count in counts.items() if count]
    return ", ".join(parts) + "."


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
