"""The command `doctor`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.text import Text

from mediarip_mqtt.cli.display import clean, print_line
from mediarip_mqtt.cli.doctor import bundle as bundles
from mediarip_mqtt.cli.doctor.examine import examine
from mediarip_mqtt.cli.doctor.findings import Finding, Severity, from_error, with_time_limit
from mediarip_mqtt.cli.terminal import AsJson, Config, Exit, carry_out, err, fail, out, print_json
from mediarip_mqtt.contract import presets
from mediarip_mqtt.contract.errors import ConfigError, MediaripError
from mediarip_mqtt.contract.settings import LogSettings, Settings
from mediarip_mqtt.service import load_settings, logs, redaction, supervisor

WIDTH: Final = 18  # characters, for the names of checks
COLOURS: Final = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.PROBLEM: "bold red"}


def doctor(
    *,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.zip", help="Also write a zip file for a bug report, without secrets."
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(help="With --bundle: the service's log; the end of it is included."),
    ] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Check configuration, broker, volume and programs; exit code 1 if there is a problem."""
    if bundle is not None and bundle.exists():
        fail(f"{bundle} exists already; name another file.", Exit.FAILED)
    # Findings say what is wrong; a log of the checks would say it twice.
    logs.configure(LogSettings(level="error"), console=err)
    raise typer.Exit(_run_in_child(_doctor(bundle, log, config, as_json=as_json)))


async def _doctor(
    bundle: Path | None, log: Path | None, config: Path | None, *, as_json: bool
) -> int:
    loaded: Settings | None = None
    try:
        loaded = _load(config)
        loaded, findings = await _with_broker(loaded)
        findings += await examine(loaded, config)
    except ConfigError as error:
        findings = [_invalid_configuration(error)]
    report = _report(findings, redaction.secrets_of(loaded) if loaded else frozenset())
    if as_json:
        print_json(report)
    else:
        _print(report)
    if bundle is not None:
        await _write(bundle, await bundles.collect(report, loaded, config, log))
    if loaded is None:
        return Exit.CONFIG
    return Exit.FAILED if report["problems"] else Exit.OK


def _load(config: Path | None) -> Settings:
    from mediarip_mqtt.engine import ytdlp_options  # noqa: PLC0415 - imports yt-dlp, which takes a second

    loaded = load_settings.load(config)
    presets.check_presets(loaded.downloads)
    ytdlp_options.check_options(loaded.downloads)
    return loaded


async def _with_broker(loaded: Settings) -> tuple[Settings, list[Finding]]:
    """Return the settings with the broker that the Supervisor names, and a finding if it can't."""
    look = partial(supervisor.with_broker, loaded, patience=0)
    try:
        return await with_time_limit(look, "supervisor", supervisor.REQUEST_TIME * 2), []
    except MediaripError as error:
        return loaded, [from_error("Supervisor", error)]


def _invalid_configuration(error: ConfigError) -> Finding:
    finding = from_error("configuration", error)
    remedy = "Correct it; `docs/configuration.md` has all settings."
    return Finding(finding.name, finding.state, error.message, remedy)


def _report(findings: list[Finding], secrets: frozenset[str]) -> dict[str, Any]:
    states = [finding.state for finding in findings]
    return {
        "problems": states.count(Severity.PROBLEM),
        "warnings": states.count(Severity.WARNING),
        "checks": [
            {
                "name": finding.name,
                "state": str(finding.state),
                "found": logs.redact(finding.found, secrets),
                "remedy": logs.redact(finding.remedy, secrets),
            }
            for finding in findings
        ],
    }


def _print(report: dict[str, Any]) -> None:
    for check in report["checks"]:
        state = Severity(check["state"])
        line = Text.assemble(
            (f"{state:<8}", COLOURS[state]), f" {check['name']:<{WIDTH}} {clean(check['found'])}"
        )
        out.print(line, soft_wrap=True)
        if check["remedy"]:
            out.print(Text(f"{'':<{WIDTH + 10}}-> {clean(check['remedy'])}"), soft_wrap=True)
    print_line(
        sys.stdout,
        f"{_count(report['problems'], 'problem')}, {_count(report['warnings'], 'warning')}",
    )


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


async def _write(path: Path, files: dict[str, str]) -> None:
    try:
        await with_time_limit(partial(bundles.write, path, files), "bundle", bundles.SECONDS)
    except OSError as error:
        fail(f"{path} can't be written: {error.strerror}.", Exit.FAILED)
    print_line(
        sys.stderr, f"{path} is written. Check it before you send it: it contains titles of media."
    )


def _run_in_child(coroutine: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine in a child process; return its exit code without waiting for its end.

    A thread that waits for a hanging volume keeps even a killed process from ending.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            carry_out(coroutine)
        except typer.Exit as end:
            _exit_with(writer, end.exit_code)
        finally:
            os._exit(Exit.FAILED)
    coroutine.close()
    os.close(writer)
    try:
        code = os.read(reader, 1)
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)
        return Exit.INTERRUPTED
    return code[0] if code else Exit.FAILED


def _exit_with(pipe: int, code: int) -> NoReturn:
    """Close the output, send the exit code to the parent, and exit.

    The process may hang at its exit, and a reader of the output must not wait for that.
    """
    for file in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, AttributeError):  # its reader is gone
            file.flush()
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    os.write(pipe, bytes([code]))
    os._exit(code)
