"""The command `homeassistant install`: card, blueprints and scripts for Home Assistant."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from mediarip_mqtt.cli.display import clean, print_line
from mediarip_mqtt.cli.homeassistant_folder import RECORD, ConfigFolder, NotPlainError, digest_of
from mediarip_mqtt.cli.homeassistant_steps import next_steps
from mediarip_mqtt.cli.terminal import Exit, fail
from mediarip_mqtt.contract.errors import ConfigError
from mediarip_mqtt.homeassistant.shipped_files import (
    CARD,
    CARD_PARTS,
    Group,
    ShippedFile,
    shipped_files,
)

app = typer.Typer(
    help="Install the card, blueprints and scripts into Home Assistant.", no_args_is_help=True
)


class FileOutcome(StrEnum):
    """What became of a file."""

    WRITTEN = "written"
    UPDATED = "updated"
    REPLACED = "replaced"  # although it was changed
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    KEPT = "kept"  # not ours any more: it was changed, or is a link


CHANGES: Final = frozenset(
    {FileOutcome.WRITTEN, FileOutcome.UPDATED, FileOutcome.REPLACED, FileOutcome.REMOVED}
)


@dataclass(frozen=True)
class Line:
    """One file's outcome, with the reason if it was kept."""

    outcome: FileOutcome
    target: str
    reason: str = ""


@app.callback()
def homeassistant() -> None:
    """Without a callback, typer would drop the name of the only command."""


@app.command("install")
def install(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Home Assistant's configuration folder."),
    ],
    *,
    sentences: Annotated[
        bool,
        typer.Option("--sentences", help="Also custom sentences; not with the voice blueprint."),
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what this command has written.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also replace or remove files that were changed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be done.")
    ] = False,
) -> None:
    """Copy the card, blueprints, scripts and dashboard; run it again after an update.

    A file that somebody changed is kept, and the exit code is then 1.
    """
    try:
        with ConfigFolder(folder) as config:
            known = bool(config.record.files)
            if remove:
                done = _apply(config, _removals(config, force=force), [], dry_run=dry_run)
            else:
                done = _install(config, sentences=sentences, force=force, dry_run=dry_run)
            _print(config, done, dry_run=dry_run)
            if remove and not known:
                print_line(sys.stdout, f"No {RECORD} there: nothing was installed by this command.")
            elif not remove and not dry_run and any(one.outcome in CHANGES for one in done):
                _print_steps(config)
    except ConfigError as error:
        fail(error.message, Exit.CONFIG)
    except OSError as error:
        where = folder / str(error.filename or "")
        fail(f"{where}: {error.strerror}. What was done until then is recorded.", Exit.FAILED)
    if any(one.outcome is FileOutcome.KEPT for one in done):
        raise typer.Exit(Exit.FAILED)


def _install(config: ConfigFolder, *, sentences: bool, force: bool, dry_run: bool) -> list[Line]:
    every = shipped_files()
    if not every:
        raise ConfigError("This installation has no files for Home Assistant: install it again.")
    wanted = [one for one in every if _is_wanted(one, config, sentences=sentences)]
    plan = [_planned(one, config, force=force) for one in wanted]
    plan += _obsolete(config, {one.target for one in wanted})
    return _apply(config, plan, wanted, dry_run=dry_run)


def _is_wanted(file: ShippedFile, config: ConfigFolder, *, sentences: bool) -> bool:
    """Whether a file is installed: sentences if asked for, now or at an earlier time."""
    if file.group is Group.SENTENCES:
        return sentences or file.target in config.record.files
    if file.target != CARD and file.target not in CARD_PARTS:
        return True
    return CARD in config.record.files or not _has_hacs_card(config)


def _has_hacs_card(config: ConfigFolder) -> bool:
    """Whether HACS has installed the card: two copies would be loaded, in any order."""
    return any(config.path.glob(f"www/community/*/{Path(CARD).name}"))


def _planned(file: ShippedFile, config: ConfigFolder, *, force: bool) -> Line:
    try:
        digest = config.digest(file.target)
    except NotPlainError as error:
        return Line(FileOutcome.KEPT, file.target, f"{error.strerror}; it is not followed")
    if digest is None:
        return Line(FileOutcome.WRITTEN, file.target)
    if digest == digest_of(file.content):
        return Line(FileOutcome.UNCHANGED, file.target)
    if digest == config.record.files.get(file.target):
        return Line(FileOutcome.UPDATED, file.target)
    if force:
        return Line(FileOutcome.REPLACED, file.target)
    return Line(FileOutcome.KEPT, file.target, "it was changed here; --force replaces it")


def _removals(config: ConfigFolder, *, force: bool) -> list[Line]:
    return [_removal(name, config, force=force) for name in config.record.files]


def _obsolete(config: ConfigFolder, wanted: set[str]) -> list[Line]:
    """Plan the removal of files that an earlier version has written and this one has not."""
    return [
        _removal(name, config, force=False) for name in config.record.files if name not in wanted
    ]


def _removal(name: str, config: ConfigFolder, *, force: bool) -> Line:
    try:
        digest = config.digest(name)
    except NotPlainError as error:
        return Line(FileOutcome.KEPT, name, f"{error.strerror}; it is not ours")
    if force or digest in {None, config.record.files[name]}:
        return Line(FileOutcome.REMOVED, name)
    return Line(FileOutcome.KEPT, name, "it was changed here")


def _apply(
    config: ConfigFolder, plan: list[Line], files: list[ShippedFile], *, dry_run: bool
) -> list[Line]:
    if dry_run:
        return plan
    contents = {one.target: one.content for one in files}
    try:
        for line in plan:
            _carry_out(config, line, contents)
        config.remove_empty_folders()
    finally:
        config.save_record()
    return plan


def _carry_out(config: ConfigFolder, line: Line, contents: dict[str, bytes]) -> None:
    content = contents.get(line.target, b"")
    match line.outcome:
        case FileOutcome.WRITTEN | FileOutcome.UPDATED | FileOutcome.REPLACED:
            config.write(line.target, content)
        case FileOutcome.UNCHANGED:  # also where a kill or a lost record made us forget it
            config.record.files[line.target] = digest_of(content)
        case FileOutcome.REMOVED:
            config.remove(line.target)
        case FileOutcome.KEPT:
            if line.target not in contents:  # removed, or no longer part of this version
                config.record.files.pop(line.target, None)


def _print(config: ConfigFolder, done: list[Line], *, dry_run: bool) -> None:
    print_line(sys.stdout, f"{config.path}, Home Assistant {clean(config.version)}")
    if dry_run:
        print_line(sys.stdout, "Nothing is changed; without --dry-run:")
    for text in _told(done):
        print_line(sys.stdout, f"  {text}")


def _told(done: list[Line]) -> Iterator[str]:
    for line in done:
        if line.outcome is not FileOutcome.UNCHANGED:
            reason = f": {line.reason}" if line.reason else ""
            yield f"{line.outcome:9} {line.target}{reason}"
    if unchanged := sum(one.outcome is FileOutcome.UNCHANGED for one in done):
        yield f"{FileOutcome.UNCHANGED:9} {unchanged} files"


def _print_steps(config: ConfigFolder) -> None:
    steps = next_steps(config.version, config.record, hacs_card=_has_hacs_card(config))
    print_line(sys.stdout, "")
    print_line(sys.stdout, "Next, in Home Assistant:")
    for number, step in enumerate(steps, start=1):
        first, *more = step.split("\n")
        print_line(sys.stdout, f"  {number}. {first}")
        for text in more:
            print_line(sys.stdout, f"     {text}")
