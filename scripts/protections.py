"""Take each protection out, one at a time, and see that a test fails.

`python -m scripts.protections`; names as arguments run some.
The numbers are those of the promises in docs/architecture.md (kills, broker, volume, two at once,
time, input, sessions, load, health). Each change is made in a copy of the repository. Takes
some twenty minutes. Exit code 1 where a protection is missed by its test.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
LIMIT = 180  # seconds for the tests of one protection
COPIED = ("mediarip_mqtt", "tests", "scripts", "docs", "docker", "pyproject.toml", "config.yaml")


@dataclass(frozen=True)
class Protection:
    """A change that takes it out: ``old`` becomes ``new`` in a module; a test must notice."""

    name: str
    module: str
    old: str
    new: str
    test: str
    only: str = ""  # pytest's -k
    also: tuple[tuple[str, str], ...] = ()  # more changes to the module: what would stand in for it


PROTECTIONS = (
    Protection(
        "1 acknowledged only after the commit",
        "mqtt.py",
        "            try:\n                if not self._discovery.take(message):",
        "            link.ack(message)\n            await asyncio.sleep(0.05)\n"
        "            try:\n                if not self._discovery.take(message):",
        "tests/faults/test_kill.py::test_a_kill_at_a_named_point_loses_nothing_and_repeats_nothing",
        "after and receive",
    ),
    Protection(
        "1 a request id acts once",
        "dispatch.py",
        "        if origin.request_id:\n            known = tx.reply_to_request",
        "        if False:\n            known = tx.reply_to_request",
        "tests/test_service.py::test_a_request_id_acts_once_and_is_answered_again",
    ),
    Protection(
        "1 plain text delivered again acts once",
        "dispatch.py",
        "        if origin.redelivered and origin.mid is not None:",
        "        if False:",
        "tests/test_mqtt.py::test_a_command_delivered_again_after_a_kill_acts_once_and_is_answered",
    ),
    Protection(
        "1 replies and events leave through the outbox until the broker has them",
        "publisher.py",
        "            # paho sends in the order",
        "            await self._store.write(partial(Tx.sent, ids=[row.id for row in rows]))\n"
        "            # paho sends in the order",
        "tests/faults/test_kill.py::test_a_kill_at_a_named_point_loses_nothing_and_repeats_nothing",
        "leaves",
    ),
    Protection(
        "1 names are committed before the move",
        "runner.py",
        "        if planned:  # killed between",
        "        if False:  # killed between",
        "tests/faults/test_kill.py::test_a_kill_at_a_named_point_loses_nothing_and_repeats_nothing",
        "between and move and completion",
    ),
    Protection(
        "1 a download goes on where it was",
        "engine/ytdlp.py",
        "    entries = list(folder.iterdir())\n",
        "    empty(folder)\n    entries = list(folder.iterdir())\n",
        "tests/faults/test_kill.py::test_downloads_go_on_where_they_were_and_their_progress_never_falls",
    ),
    Protection(
        "1 progress is published behind its commit",
        "advance.py",
        "        slot.take(report, self._clock())\n",
        "        slot.take(report, self._clock())\n"
        "        self._publisher.progressed(slot.progress, slot.job.session_id)\n",
        "tests/faults/test_kill.py::test_progress_that_was_told_is_in_the_store_also_where_that_is_slow",
    ),
    Protection(
        "1 a migration is one transaction",
        "store/database.py",
        'f"BEGIN IMMEDIATE;\\n{script}\\nPRAGMA user_version={number};\\nCOMMIT;"',
        'f"{script}\\nPRAGMA user_version={number};"',
        "tests/faults/test_kill.py::test_a_kill_in_mid_migration_leaves_a_store_that_the_next_start_upgrades",
    ),
    Protection(
        "1 partial files go with their job",
        "runner.py",
        "        await threads.call(library.discard_temp, self._temp, job_id)",
        "        pass",
        "tests/test_service.py::test_cancel_ends_a_transfer_within_a_second_and_leaves_nothing",
    ),
    Protection(
        "1 what is retained of jobs that are gone is cleared",
        "mqtt.py",
        "        await self._publisher.reconcile(retained)",
        "        del retained",
        "tests/test_service.py::test_retained_topics_equal_the_store_after_a_restart",
    ),
    Protection(
        "2 the session at the broker is kept",
        "mqtt.py",
        "            persistent=True,",
        "            persistent=False,",
        "tests/faults/test_clock.py::test_after_an_hour_offline_the_queue_has_worked_on_and_kept_commands_arrive",
    ),
    Protection(
        "2 a frozen connection is noticed",
        "link.py",
        "        keepalive=settings.keepalive,",
        "        keepalive=600,",
        "tests/faults/test_broker.py::test_a_connection_that_freezes_is_given_up_and_made_anew",
        also=(("timeout=PUBLISH_TIMEOUT", "timeout=600"),),
    ),
    Protection(
        "2 a lost connection wakes a pending publication",
        "link.py",
        "            await asyncio.wait({task, disconnected}, return_when=asyncio.FIRST_COMPLETED)",
        "            await asyncio.wait({task})",
        "tests/test_mqtt.py::test_a_publication_that_waits_is_woken_by_the_loss_of_the_connection",
    ),
    Protection(
        "2 a cancellation is heard beside an answer of the broker",
        "link.py",
        "        await _end_of(entering)",
        "        await entering",
        "tests/test_mqtt.py::test_a_cancellation_is_heard_also_where_it_comes_with_an_answer_of_the_broker",
        "on_connect",
    ),
    Protection(
        "2 the will is spoken after any end but a good one",
        "link.py",
        "client._client._sock_close()",
        "client._client.disconnect()",
        "tests/test_mqtt.py::test_after_any_end_but_a_good_one_the_broker_says_that_the_service_is_gone",
    ),
    Protection(
        "2 events wait for a broker that acknowledges nothing",
        "publisher.py",
        "                await self.publish(link, STATE)  # else a row",
        "                pass  # else a row",
        "tests/test_publisher.py::test_a_broker_that_never_answers_loses_no_event",
    ),
    Protection(
        "2 two clients with one id do not fight",
        "mqtt.py",
        "            if short >= WAR:",
        "            if False:",
        "tests/test_mqtt.py::test_a_second_service_with_the_same_id_does_not_start_a_war",
    ),
    Protection(
        "2 refused credentials are tried again slowly",
        "mqtt.py",
        "            except (CredentialsError, TakenOverError) as error:\n"
        "                self._say(error, again=lost and not self.online.is_set())\n"
        "                floor = BACKOFF_REFUSED",
        "            except (CredentialsError, TakenOverError) as error:\n"
        "                self._say(error, again=False)\n"
        "                backoff = 0.2",
        "tests/faults/test_broker.py::test_refused_credentials_are_said_once_and_not_tried_in_a_storm",
    ),
    Protection(
        "3 a volume that is gone is noticed",
        "volume.py",
        '            return "not mounted"',
        "            return None",
        "tests/faults/test_volume.py::test_a_volume_that_is_unmounted_is_noticed_and_its_mount_point_stays_empty",
    ),
    Protection(
        "3 nothing is written into an empty mount point",
        "library.py",
        "        if create and not _exists(MARKER, folder):",
        "        if False:",
        "tests/test_library.py::test_nothing_is_written_into_the_mount_point_of_a_lost_volume",
    ),
    Protection(
        "3 a read-only volume is noticed",
        "volume.py",
        "        if flags & os.ST_RDONLY or not os.access(self._own, os.W_OK):",
        "        if False:",
        "tests/faults/test_volume.py::test_a_volume_that_becomes_read_only_is_noticed",
    ),
    Protection(
        "3 a hanging volume is noticed",
        "volume.py",
        "            return HANGING  # the next",
        "            return None  # the next",
        "tests/faults/test_volume.py::test_a_volume_that_hangs_stops_nothing_but_itself",
    ),
    Protection(
        "3 a full volume's partial file goes first",
        "runner.py",
        "        if error.code is ErrorCode.DISK_FULL:",
        "        if False:",
        "tests/faults/test_volume.py::test_a_full_volume_fails_the_download_with_its_reason_and_everything_else_goes_on",
    ),
    Protection(
        "3 the store has a reserve on a full volume",
        "store/database.py",
        "            if error.sqlite_errorcode != sqlite3.SQLITE_FULL or not self.reserve.release():",
        "            if True:",
        "tests/faults/test_volume.py::test_a_full_volume_fails_the_download_with_its_reason_and_everything_else_goes_on",
    ),
    Protection(
        "3 an outcome waits for a locked store",
        "runner.py",
        "                if self._stopping:\n                    raise\n                log(",
        "                raise\n                log(",
        "tests/faults/test_volume.py::test_a_store_that_another_process_locks_is_told_and_used_again_afterwards",
    ),
    Protection(
        "3 a damaged store is replaced by its copy",
        "store/database.py",
        '        if found != "ok":',
        "        if False:",
        "tests/test_store.py::test_a_damaged_store_goes_aside_and_its_last_sound_copy_comes_back",
    ),
    Protection(
        "3 a newer store is refused",
        "store/database.py",
        "        if version > newest:",
        "        if False:",
        "tests/test_store.py::test_a_store_of_a_newer_program_is_refused_untouched",
    ),
    Protection(
        "4 a second service is refused",
        "store/lease.py",
        "            self._lock.acquire(timeout=0)",
        "            pass",
        "tests/faults/test_two.py",
    ),
    Protection(
        "4 a lease of another machine that lives is respected",
        "store/lease.py",
        '            if seen["heartbeat_at"] != held["heartbeat_at"] or seen["owner"] != held["owner"]:',
        "            if False:",
        "tests/test_store.py::test_a_lease_of_another_machine_holds_as_long_as_that_one_lives_whatever_its_clock",
    ),
    Protection(
        "5 a clock that is set is noticed",
        "upkeep.py",
        "            if abs(jump) > CLOCK_JUMP:",
        "            if False:",
        "tests/faults/test_clock.py",
    ),
    Protection(
        "5 a retry beyond all reason is due",
        "store/tx.py",
        "next_retry_at <= ? OR next_retry_at > ?",
        "next_retry_at <= ? OR next_retry_at > '9' || ?",
        "tests/test_store.py::test_a_retry_that_is_further_away_than_any_is_due_the_clock_was_set_back",
    ),
    Protection(
        "6 a retained command is refused",
        "dispatch.py",
        "        if message.retain:\n",
        "        if False:\n",
        "tests/test_service.py::test_a_retained_command_is_refused_also_while_the_service_runs",
    ),
    Protection(
        "6 addresses are judged when they are connected to",
        "engine/control.py",
        "            check_address(host, self._security, exempt=host in self._exempt)",
        "            pass",
        "tests/test_hostile.py",
        "spelling or name",
    ),
    Protection(
        "6 a name is not looked up a second time",
        "engine/control.py",
        "            address = found[0][4]\n            host = str(address[0])",
        "            host = str(found[0][4][0])",
        "tests/test_hostile.py::test_a_name_is_connected_to_at_the_address_that_was_checked",
    ),
    Protection(
        "6 ffmpeg opens no playlist from a file",
        "engine/children.py",
        '    return ["-protocol_whitelist", protocols, "-format_whitelist", formats]',
        "    return []",
        "tests/test_hostile.py::test_a_playlist_in_the_clothes_of_a_video_reads_no_local_file",
    ),
    Protection(
        "6 ffmpeg opens only the job's files",
        "engine/children.py",
        "    if not inside or _PATTERN",
        "    if _PATTERN",
        "tests/test_hostile.py::test_ffmpeg_opens_no_file_outside_the_job_s_folder",
    ),
    Protection(
        "6 only known programs are started",
        "engine/children.py",
        "    if kind is None:",
        "    if False:",
        "tests/test_hostile.py::test_work_starts_no_program_but_ffmpeg_and_a_javascript_runtime",
    ),
    Protection(
        "6 only the web's protocols are spoken",
        "engine/session.py",
        "            if not _is_web(one):\n                raise _no_web(one)",
        "            pass",
        "tests/test_protocols.py",
    ),
    Protection(
        "6 a page does not freeze the service",
        "engine/patches.py",
        "    if page and current() is not None:",
        "    if False:",
        "tests/test_pages.py::test_a_hostile_page_is_answered_as_fast_as_any_of_its_size",
    ),
    Protection(
        "6 a redirect behind a proxy leads not inside",
        "engine/session.py",
        "        _check(str(request.url), self.security)",
        "        pass",
        "tests/test_protocols.py::test_a_redirect_leads_not_inside_even_where_a_proxy_would_connect",
    ),
    Protection(
        "6 no link in the download folder is followed",
        "library.py",
        "os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)",
        "os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)",
        "tests/test_library.py::test_a_folder_that_is_a_link_is_never_followed",
    ),
    Protection(
        "6 a page's names are made safe",
        "engine/ytdlp.py",
        "        return names.safe_name(rendered)",
        "        return str(rendered)",
        "tests/test_engine.py::test_a_page_s_title_makes_a_name_that_is_safe_everywhere",
    ),
    Protection(
        "6 a payload has a limit",
        "dispatch.py",
        "        if len(message.payload) > self._settings.mqtt.max_payload:",
        "        if False:",
        "tests/test_service.py::test_bad_input_is_answered_and_the_service_goes_on",
    ),
    Protection(
        "6 deep nesting is refused",
        "payloads.py",
        "    except (ValueError, RecursionError) as error:",
        "    except json.JSONDecodeError as error:",
        "tests/test_hostile_input.py::test_deep_nesting_is_refused",
    ),
    Protection(
        "7 a session sees its own jobs only",
        "effects.py",
        "        return session_id if self._topics.isolated else None",
        "        return None",
        "tests/test_sessions.py",
    ),
    Protection(
        "7 a session's replies stay below its topics",
        "dispatch.py",
        "            return topic if replies else None",
        "            return topic",
        "tests/test_sessions.py::test_a_reply_goes_nowhere_that_the_user_could_not_write",
    ),
    Protection(
        "7 sessions take turns",
        "jobs.py",
        "            fair=topics.isolated, slots=",
        "            fair=False, slots=",
        "tests/test_sessions.py::test_one_user_s_flood_does_not_hold_up_another",
    ),
    Protection(
        "7 a session's commands have a rate",
        "effects.py",
        "        if tokens < 1:",
        "        if False:",
        "tests/test_sessions.py::test_a_user_s_commands_have_a_rate",
    ),
    Protection(
        "8 a reply goes before events",
        "store/ledger.py",
        "self._post(topic, payload, now, correlation, urgent=True)",
        "self._post(topic, payload, now, correlation, urgent=False)",
        "tests/test_service.py::test_the_reply_to_a_command_for_many_jobs_comes_before_their_events",
    ),
    Protection(
        "9 a job without progress is ended",
        "advance.py",
        "                elif idle >= limit:",
        "                elif False:",
        "tests/test_stalled.py",
        "transfer",
    ),
    Protection(
        "9 a stuck event loop is told",
        "health.py",
        "            ok=silent < STALE,",
        "            ok=True,",
        "tests/faults/test_health.py",
    ),
    Protection(
        "9 a lost volume is told",
        "health.py",
        '            ok=signs.volume == "ok",',
        "            ok=True,",
        "tests/test_health.py",
    ),
)


def main(wanted: list[str]) -> int:
    """Try all protections, or those whose name has one of the words; return the exit code."""
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = HERE / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, copy / name)
        for one in PROTECTIONS:
            if wanted and not any(word in one.name for word in wanted):
                continue
            began = time.monotonic()
            failed = _is_noticed(one, copy)
            missed += failed is None
            seconds = time.monotonic() - began
            print(
                f"{'ok   ' if failed else 'MISSED'} {one.name}: {failed or one.test} ({seconds:.0f} s)"
            )
            sys.stdout.flush()
    return 1 if missed else 0


def _is_noticed(one: Protection, copy: Path) -> str | None:
    """Return the first test that fails without a protection; None where none does."""
    path = copy / "mediarip_mqtt" / one.module
    text = path.read_text("utf-8")
    changed = text
    for old, new in ((one.old, one.new), *one.also):
        if text.count(old) != 1:
            raise SystemExit(f"{one.name}: {one.module} has {text.count(old)} places to change")
        changed = changed.replace(old, new)
    path.write_text(changed, "utf-8")
    plugins = ["-p", "no:cacheprovider", "-n", "0"]
    chosen = ["-k", one.only] if one.only else []
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-o", "addopts=", *plugins, one.test]
    try:
        with subprocess.Popen(  # noqa: S603 - our own tests
            [*command, *chosen],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as done:
            try:
                printed, _ = done.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                return f"{one.test} (did not end)"
            finally:
                with contextlib.suppress(ProcessLookupError):  # also what the tests have started
                    os.killpg(done.pid, signal.SIGKILL)
    finally:
        path.write_text(text, "utf-8")
    lines = [
        line for line in printed.splitlines() if line.startswith(("FAILED tests", "ERROR tests"))
    ]
    if done.returncode not in {0, 1}:
        raise SystemExit(f"{one.name}: pytest ended with {done.returncode}\n{printed[-2000:]}")
    return lines[0].split(" - ")[0].split(" ", 1)[1] if lines else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
