"""`list`, `cancel`, `retry` and `purge`, and what the shell completes, as real processes."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from rich.filesize import decimal

from mediarip_mqtt.cli.manage_jobs import parse_duration
from tests.support.broker import Client, wait_for
from tests.support.cli import SECONDS, Cli
from tests.support.server import MediaServer
from tests.support.service import Service

slow = pytest.mark.slow
# What the shell does when Tab is typed; the program is called by its own name.
PROGRAM = "import sys; sys.argv[0] = 'mediarip-mqtt'; import mediarip_mqtt.__main__ as m; m.main()"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 2592000), ("12h", 43200), ("1d12h", 129600), ("1.5h", 5400), ("90m", 5400), ("0", 0)],
)
def test_durations_are_written_as_people_do(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1d", "30 years", "d", "1e9", "nan"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a duration"):
        parse_duration(text)


@slow
def test_jobs_are_listed_one_plain_line_each(cli: Cli, client: Client, media: MediaServer) -> None:
    good = client.download(media.url("media/video.mp4"))
    bad = client.download(media.url("status/404/x.mp4"))
    client.wait_status(good, "completed")
    client.wait_status(bad, "failed")
    done = cli.run("list")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["failed", bad], ["completed", good]]
    assert lines[1].endswith("video")
    only = cli.run("list", "--status", "failed", "--status", "cancelled", "--limit", "5")
    assert [line.split()[1] for line in only.stdout.splitlines()] == [bad]
    assert [one["id"] for one in json.loads(cli.run("list", "--json", "--limit", "1").stdout)] == [
        bad
    ]
    assert cli.run("list", "--session", "nobody").stdout == ""
    assert cli.run("list", "--status", "sleeping").returncode == 2


@slow
def test_a_terminal_gets_a_table(cli: Cli, client: Client, media: MediaServer) -> None:
    job = client.download(media.url("media/video.mp4"))
    client.wait_status(job, "completed")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        done = subprocess.run(
            [sys.executable, "-m", "mediarip_mqtt", "list"],
            cwd=cli.folder,
            env={**cli.environment, "TERM": "xterm", "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            timeout=SECONDS,
            check=False,
        )
        os.close(theirs)
        shown = screen.read(65536).decode()
    assert done.returncode == 0
    assert "title" in shown
    assert job[:8] in shown
    assert "100 %" in shown


@slow
def test_jobs_are_cancelled_and_retried_by_id_prefix_last_and_all(
    cli: Cli, client: Client, service: Service, media: MediaServer
) -> None:
    first, second = (client.download(media.url(f"/slow/1000/bytes/900000/{n}.mp4")) for n in "ab")
    client.wait_status(second, "downloading")
    cancelled = cli.run("cancel", first, "last")
    assert cancelled.returncode == 0, cancelled.stderr
    assert [line.split()[:2] for line in cancelled.stdout.splitlines()] == [
        ["cancelled", first],
        ["cancelled", second],
    ]
    wait_for(lambda: not service.temporary(), what="the partial files to go")
    retried = cli.run("retry", "all", "--status", "cancelled")
    assert (retried.returncode, retried.stdout) == (0, "retry: 2 jobs\n")
    assert cli.run("cancel", "all").stdout == "cancel: 2 jobs\n"


@slow
def test_a_refusal_is_told_and_keeps_nothing_from_the_others(
    cli: Cli, client: Client, media: MediaServer
) -> None:
    job = client.download(media.url("status/404/x.mp4"))
    client.wait_status(job, "failed")
    done = cli.run("retry", "nosuchjob", job)
    assert done.returncode == 1
    assert done.stdout.split()[1] == job
    assert done.stderr.startswith("nosuchjob: ")
    assert "job_not_found" in done.stderr
    replies = json.loads(cli.run("cancel", "--json", "nosuchjob").stdout)
    assert replies[0]["error"]["code"] == "job_not_found"
    assert cli.run("cancel").returncode == 2


@slow
def test_a_purge_shows_what_would_go_and_what_went(
    cli: Cli, client: Client, service: Service, media: MediaServer
) -> None:
    good = client.download(media.url("media/video.mp4"))
    bad = client.download(media.url("status/404/x.mp4"))
    client.wait_status(good, "completed")
    client.wait_status(bad, "failed")
    assert cli.run("purge", "--older-than", "1d").stdout == "0 jobs removed\n"
    would = cli.run("purge", "--older-than", "0", "--status", "completed", "--files", "--dry-run")
    size = decimal((service.root / "video.mp4").stat().st_size)
    assert would.stdout == f"{good}  video\n1 job would be removed ({size})\n"
    assert service.media() == ["video.mp4"]
    went = cli.run("purge", "--older-than", "0", "--status", "completed", "--files")
    assert went.stdout == f"{good}  video\n1 job removed ({size})\n"
    assert service.media() == []
    reply = json.loads(cli.run("purge", "--older-than", "0s", "--json").stdout)
    assert reply["removed"] == [bad]
    wrong = cli.run("purge", "--older-than", "soon")
    assert wrong.returncode == 2
    assert "30d, 12h" in " ".join(wrong.stderr.replace("│", "").split())


@slow
def test_a_stopped_service_is_told(cli: Cli, service: Service) -> None:
    service.stop()
    for words in (["list"], ["cancel", "last"], ["retry", "all"], ["purge", "--dry-run"]):
        done = cli.run(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert "is offline" in done.stderr


def complete(folder: Path, *words: str, config: str | None = None) -> set[str]:
    """Return what bash would offer for the last of the words."""
    kept = {key: one for key, one in os.environ.items() if not key.startswith("MEDIARIP_")}
    asked = {
        "_MEDIARIP_MQTT_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["mediarip-mqtt", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env={**kept, **asked, **({"MEDIARIP_CONFIG": config} if config else {})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.stderr == ""
    return set(done.stdout.split())


@slow
def test_the_shell_completes_what_is_known_without_a_broker(tmp_path: Path) -> None:
    assert {"download", "list", "cancel", "retry", "purge"} <= complete(tmp_path, "")
    assert complete(tmp_path, "download", "--pri") == {"--priority"}
    assert complete(tmp_path, "download", "--priority", "") == {"high", "normal", "low"}
    assert complete(tmp_path, "list", "--status", "c") == {"completed", "cancelled"}
    assert complete(tmp_path, "command", "pu") == {"purge"}
    config = tmp_path / "config.yaml"
    config.write_text("downloads: {presets: {attic: {quality: 480p}}}")
    found = complete(tmp_path, "download", "--preset", "a", config=str(config))
    assert found == {"audio", "attic"}
    config.write_text("downloads: {nonsense: 1}")
    assert complete(tmp_path, "download", "--preset", "a", config=str(config)) == {"audio"}


@slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_it_can_read(shell: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--show-completion", shell],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "_MEDIARIP_MQTT_COMPLETE" in done.stdout
    program = shutil.which(shell)
    if program:  # zsh and fish are not on every machine
        script = tmp_path / "script"
        script.write_text(done.stdout)
        subprocess.run([program, "-n", str(script)], check=True)
