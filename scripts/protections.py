"""Disable each protection, one at a time, and check that a test fails.

`python -m scripts.protections [NAME ...]`. The numbers are those of the promises in
docs/architecture.md (kills, broker, volume, two at once, time, input, sessions, load, health). Each
change is a mutation of a named function (`scripts.mutations`) in a copy of the repository. Takes
about twenty minutes. Exit code 1 if a test misses the removal of its protection.
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

from scripts.mutations import (
    Mutation,
    MutationError,
    Place,
    assigned,
    before,
    body,
    constant,
    instead,
    never,
    with_argument,
    without,
)

HERE = Path(__file__).resolve().parent.parent
LIMIT = 180  # seconds for the tests of one protection
COPIED = ("mediarip_mqtt", "tests", "scripts", "docs", "docker", "pyproject.toml", "config.yaml")


@dataclass(frozen=True)
class Protection:
    """A mutation of a named function disables it; a test must fail then.

    ``function`` is `package.module:Class.method`, or a constant of a module.
    """

    name: str
    function: str
    mutation: Mutation
    test: str
    only: str = ""  # expression for pytest's -k
    also: tuple[tuple[str, Mutation], ...] = ()  # other code that also protects: function, mutation

    def mutated(self, base: Path) -> dict[Path, str]:
        """Return the new sources of the changed modules, by path."""
        sources: dict[Path, str] = {}
        for name, mutation in ((self.function, self.mutation), *self.also):
            place = Place(name)
            path = place.path(base)
            source = sources.get(path) or path.read_text("utf-8")
            sources[path] = place.mutated(source, mutation)
        return sources


KILLS = "tests/faults/test_kill.py"
KILLED = f"{KILLS}::test_a_kill_at_a_named_point_loses_nothing_and_repeats_nothing"
VOLUME = "tests/faults/test_volume.py"

PROTECTIONS = (
    Protection(
        "1 acknowledged only after the commit",
        "mediarip_mqtt.mqtt.session:Session._take",
        before("self._handle", "link.ack(message)\nawait asyncio.sleep(0.05)"),
        KILLED,
        "command-received",
    ),
    Protection(
        "1 a request id acts once",
        "mediarip_mqtt.commands.intake:_known_reply",
        never("origin.request_id"),
        "tests/service/test_whole_service.py::test_a_request_id_acts_once_and_is_answered_again",
    ),
    Protection(
        "1 plain text delivered again acts once",
        "mediarip_mqtt.commands.intake:_known_reply",
        never("origin.redelivered"),
        "tests/mqtt/test_session.py::test_a_command_delivered_again_after_a_kill_acts_once_and_is_answered",
    ),
    Protection(
        "1 replies and events leave through the outbox until the broker has them",
        "mediarip_mqtt.mqtt.outbox:Outbox._send_rows",
        before(
            "asyncio.gather",
            "await self._store.write(partial(Tx.sent, ids=[row.id for row in rows]))",
        ),
        KILLED,
        "before-send",
    ),
    Protection(
        "1 names are committed before the move",
        "mediarip_mqtt.jobs.steps.place:PlaceStep.can_begin",
        never("left.planned"),
        f"{KILLS}::test_a_kill_behind_a_step_repeats_no_step_that_was_finished",
        "before-completion",
    ),
    Protection(
        "1 a finished download is not repeated",
        "mediarip_mqtt.jobs.steps.place:PlaceStep.can_begin",
        body("return False"),
        f"{KILLS}::test_a_kill_behind_a_step_repeats_no_step_that_was_finished",
        "download-committed",
    ),
    Protection(
        "1 what was made is used only while it is whole",
        "mediarip_mqtt.jobs.steps.place:all_whole",
        body("return True"),
        "tests/jobs/test_runner.py::test_a_restart_with_files_that_are_not_whole_downloads_again",
    ),
    Protection(
        "1 a download goes on where it was",
        "mediarip_mqtt.engine.ytdlp_engine:prepare_temp",
        body("empty(folder)"),
        f"{KILLS}::test_downloads_go_on_where_they_were_and_their_progress_never_falls",
    ),
    Protection(
        "1 progress is published after its commit",
        "mediarip_mqtt.jobs.progress:ProgressTracker.save",
        before(
            "self._store.write",
            "for slot, progress in newest:\n    self._publish(slot, progress, slot.saved)",
        ),
        f"{KILLS}::test_progress_that_was_told_is_in_the_store_also_where_that_is_slow",
    ),
    Protection(
        "1 a migration is one transaction",
        "mediarip_mqtt.store.database:Store._migrate",
        with_argument("connection.executescript", 0, 'f"{script}\\nPRAGMA user_version={number};"'),
        f"{KILLS}::test_a_kill_in_mid_migration_leaves_a_store_that_the_next_start_upgrades",
    ),
    Protection(
        "1 partial files are removed with their job",
        "mediarip_mqtt.jobs.leftovers:Leftovers._clean_up",
        without("discard_temp"),
        "tests/service/test_whole_service.py::test_cancel_ends_a_transfer_within_a_second_and_leaves_nothing",
    ),
    Protection(
        "1 retained topics of jobs that are gone are cleared",
        "mediarip_mqtt.mqtt.session:Session._compare",
        without("self._publisher.reconcile"),
        "tests/service/test_whole_service.py::test_retained_topics_equal_the_store_after_a_restart",
    ),
    Protection(
        "2 a job sends at most five progress messages a second",
        "mediarip_mqtt.mqtt.publisher:Publisher._send",
        never("topic.wait(self._sources)"),
        "tests/jobs/test_progress.py::test_a_job_sends_at_most_five_progress_messages_in_any_second_and_always_its_last_one",
    ),
    Protection(
        "2 the session at the broker is kept",
        "mediarip_mqtt.mqtt.session:Session._open",
        with_argument("open_link", "persistent", "False"),
        "tests/mqtt/test_session.py::test_a_command_that_is_sent_while_the_service_is_away_is_carried_out",
    ),
    Protection(
        "2 a frozen connection is noticed",
        "mediarip_mqtt.mqtt.connection:_client",
        with_argument("aiomqtt.Client", "keepalive", "600"),
        "tests/faults/test_broker.py::test_a_connection_that_freezes_is_given_up_and_made_anew",
        also=(("mediarip_mqtt.mqtt.connection:PUBLISH_TIMEOUT", constant("600.0")),),
    ),
    Protection(
        "2 a lost connection wakes a pending publication",
        "mediarip_mqtt.mqtt.connection:Link._call",
        assigned("disconnected", "asyncio.get_running_loop().create_future()"),
        "tests/mqtt/test_connection.py::test_a_publication_that_waits_is_woken_by_the_loss_of_the_connection",
    ),
    Protection(
        "2 a cancellation is heard beside an answer of the broker",
        "mediarip_mqtt.mqtt.connection:_end_of",
        body("await task"),
        "tests/mqtt/test_connection.py::test_a_cancellation_is_heard_also_where_it_comes_with_an_answer_of_the_broker",
        "on_connect",
    ),
    Protection(
        "2 the will is published after any end but a good one",
        "mediarip_mqtt.mqtt.connection:open_link",
        with_argument("entering.add_done_callback", 0, "lambda _: client._client.disconnect()"),
        "tests/mqtt/test_connection.py::test_after_any_end_but_a_good_one_the_broker_says_that_the_service_is_gone",
    ),
    Protection(
        "2 events wait for a broker that acknowledges nothing",
        "mediarip_mqtt.mqtt.outbox:Outbox._send",
        before("link.publish", "self._sent.add(row.id)"),
        "tests/mqtt/test_outbox.py::test_a_broker_that_never_answers_loses_no_event",
    ),
    Protection(
        "2 what ends connections is left out",
        "mediarip_mqtt.mqtt.session:Session._open",
        without("self._refusals.connected"),
        "tests/mqtt/test_refused_publications.py::test_what_the_broker_does_not_allow_is_told_once_and_everything_else_is_published",
        "close",
    ),
    Protection(
        "2 a refused publication is no success",
        "mediarip_mqtt.mqtt.connection:Link.publish",
        never("reason_codes.FAILURE"),
        "tests/mqtt/test_refused_publications.py::test_no_refused_publication_is_a_success",
    ),
    Protection(
        "2 a message that can't be read does not come again",
        "mediarip_mqtt.mqtt.connection:Link.prepare",
        without("discard_unreadable"),
        "tests/mqtt/test_refused_publications.py::test_a_message_that_can_t_be_read_is_discarded_and_ends_no_connection",
    ),
    Protection(
        "2 a reply fits the broker's packets",
        "mediarip_mqtt.mqtt.outbox:Outbox._send",
        never("self._shorten"),
        "tests/mqtt/test_outbox.py::test_what_is_too_large_is_replaced_until_it_fits",
    ),
    Protection(
        "2 two clients with one id do not fight",
        "mediarip_mqtt.mqtt.contention:Contention._give_way",
        body("return 0.0"),
        "tests/mqtt/test_presence.py::test_of_two_services_with_one_client_id_the_first_goes_on",
    ),
    Protection(
        "2 a service looks for another one before it connects",
        "mediarip_mqtt.mqtt.session:Session._look",
        body("return"),
        "tests/mqtt/test_presence.py::test_a_second_service_on_the_base_topic_says_so_and_the_first_goes_on_undisturbed",
    ),
    Protection(
        "2 a broker that has spoken MQTT 5 is not asked for 3.1.1 because it is silent",
        "mediarip_mqtt.mqtt.protocol_choice:ProtocolChoice.failed",
        never("self._has_spoken_5"),
        "tests/mqtt/test_protocol_choice.py::test_a_broker_that_has_spoken_mqtt_5_is_not_asked_for_3_1_1_because_it_is_silent",
    ),
    Protection(
        "2 refused credentials are tried again slowly",
        "mediarip_mqtt.mqtt.session:BACKOFF_REFUSED",
        constant("0.2"),
        "tests/faults/test_broker.py::test_refused_credentials_are_said_once_and_not_tried_in_a_storm",
    ),
    Protection(
        "3 a volume that is gone is noticed",
        "mediarip_mqtt.volume.marker:VolumeMarker._look",
        body("found = original(self)\nreturn None if found == 'not mounted' else found"),
        f"{VOLUME}::test_a_volume_that_is_unmounted_is_noticed_and_its_mount_point_stays_empty",
    ),
    Protection(
        "3 nothing is written into an empty mount point",
        "mediarip_mqtt.volume.files:parent_folder",
        never("exists(STORE_PATH, folder)"),
        "tests/volume/test_files.py::test_nothing_is_written_into_the_mount_point_of_a_lost_volume",
    ),
    Protection(
        "3 a read-only volume is noticed",
        "mediarip_mqtt.volume.marker:VolumeMarker._look",
        never("os.ST_RDONLY"),
        f"{VOLUME}::test_a_volume_that_becomes_read_only_is_noticed",
    ),
    Protection(
        "3 a hanging volume is noticed",
        "mediarip_mqtt.volume.marker:VolumeMarker.problem",
        body("found = await original(self)\nreturn None if found == HANGING else found"),
        f"{VOLUME}::test_a_look_at_the_volume_that_hangs_is_told_and_ends_nothing",
    ),
    Protection(
        "3 a full volume's partial file goes first",
        "mediarip_mqtt.jobs.runner:Runner._end",
        never("ErrorCode.DISK_FULL"),
        f"{VOLUME}::test_a_full_volume_fails_the_download_with_its_reason_and_everything_else_goes_on",
    ),
    Protection(
        "3 the store has a reserve on a full volume",
        "mediarip_mqtt.store.database:Store._transaction",
        body("return self._try(connection, function)"),
        f"{VOLUME}::test_a_full_volume_fails_the_download_with_its_reason_and_everything_else_goes_on",
    ),
    Protection(
        "3 an outcome waits until the store can be written",
        "mediarip_mqtt.jobs.runner:Runner._commit",
        body("return await self._store.write(function)"),
        f"{VOLUME}::test_an_outcome_that_the_store_refuses_is_written_later_and_not_worked_for_again",
    ),
    Protection(
        "3 a damaged store is replaced by its copy",
        "mediarip_mqtt.store.database:Store._prepare",
        never("answer != 'ok'"),
        "tests/store/test_backup.py::test_a_damaged_store_goes_aside_and_its_last_sound_copy_comes_back",
    ),
    Protection(
        "3 a newer store is refused",
        "mediarip_mqtt.store.database:Store._migrate",
        never("version > newest"),
        "tests/store/test_migrations.py::test_a_store_of_a_newer_program_is_refused_untouched",
    ),
    Protection(
        "4 a second service is refused",
        "mediarip_mqtt.store.lease:Lease.lock",
        without("self._lock.acquire"),
        "tests/faults/test_two.py::test_a_second_service_on_the_same_store_is_refused_and_changes_nothing",
    ),
    Protection(
        "4 a lease of another machine that lives is respected",
        "mediarip_mqtt.store.lease:Lease._wait_for_end",
        never("seen['heartbeat_at']"),
        "tests/store/test_lease.py::test_a_lease_of_another_machine_holds_as_long_as_that_one_lives_whatever_its_clock",
    ),
    Protection(
        "5 a clock that is set is noticed",
        "mediarip_mqtt.service.clock_watch:ClockWatch.check",
        never("CLOCK_JUMP"),
        "tests/faults/test_clock.py",
    ),
    Protection(
        "5 a retry beyond all reason is due",
        "mediarip_mqtt.store.queue_rows:FARTHEST_RETRY",
        constant("timedelta(days=100_000)"),
        "tests/store/test_queue_rows.py::test_a_retry_that_is_further_away_than_any_is_due_the_clock_was_set_back",
    ),
    Protection(
        "6 a retained command is refused",
        "mediarip_mqtt.commands.intake:Intake._refuse_outright",
        never("message.retain"),
        "tests/service/test_whole_service.py::test_a_retained_command_is_refused_also_while_the_service_runs",
    ),
    Protection(
        "6 addresses are judged when they are connected to",
        "mediarip_mqtt.engine.work_control:WorkControl.guard",
        without("check_address"),
        "tests/engine/test_hostile_pages.py",
        "spelling or name",
    ),
    Protection(
        "6 a name is not looked up a second time",
        "mediarip_mqtt.engine.work_control:WorkControl.guard",
        body("original(self, connecting, address)\nreturn address"),
        "tests/engine/test_hostile_pages.py::test_a_name_is_connected_to_at_the_address_that_was_checked",
    ),
    Protection(
        "6 the password of a URL goes to its host only",
        "mediarip_mqtt.engine.site_login:SiteLogin.belongs_to",
        body("return True"),
        "tests/commands/test_url_logins.py::test_another_host_does_not_get_the_password_of_a_redirect",
    ),
    Protection(
        "6 ffmpeg opens no playlist from a file",
        "mediarip_mqtt.engine.child_programs:_only",
        body("return []"),
        "tests/engine/test_hostile_pages.py::test_a_playlist_in_the_clothes_of_a_video_reads_no_local_file",
    ),
    Protection(
        "6 ffmpeg opens only the job's files",
        "mediarip_mqtt.engine.child_programs:_check_local",
        assigned("inside", "True"),
        "tests/engine/test_hostile_pages.py::test_ffmpeg_opens_no_file_outside_the_job_s_folder",
    ),
    Protection(
        "6 only known programs are started",
        "mediarip_mqtt.engine.child_programs:checked",
        never("kind is None"),
        "tests/engine/test_hostile_pages.py::test_work_starts_no_program_but_ffmpeg_and_a_javascript_runtime",
    ),
    Protection(
        "6 only the web's protocols are spoken",
        "mediarip_mqtt.engine.ytdlp_session:YtdlpSession.dl",
        never("_is_web(part)"),
        "tests/engine/test_ytdlp_session.py",
    ),
    Protection(
        "6 a page does not freeze the service",
        "mediarip_mqtt.engine.reader_process:_serve",
        without("reader_limits.allow_processor_time"),
        "tests/engine/test_page_readers.py::test_a_page_that_takes_hours_is_given_up",
    ),
    Protection(
        "6 a page takes no memory without end",
        "mediarip_mqtt.engine.reader_process:main",
        without("reader_limits.confine"),
        "tests/engine/test_page_readers.py::test_a_manifest_with_a_billion_fragments_takes_no_memory_of_the_service",
    ),
    Protection(
        "6 a reader that is busy is killed by a stop",
        "mediarip_mqtt.engine.page_readers:_Reader.run",
        without("control.add_child"),
        "tests/engine/test_page_readers.py::test_a_stop_kills_a_reader_that_is_busy",
    ),
    Protection(
        "6 a redirect behind a proxy does not lead inside",
        "mediarip_mqtt.engine.request_handlers:_Following.send",
        without("check"),
        "tests/engine/test_ytdlp_session.py::test_a_redirect_leads_not_inside_even_where_a_proxy_would_connect",
    ),
    Protection(
        "6 no link in the download folder is followed",
        "mediarip_mqtt.volume.files:_open_folder",
        with_argument("os.open", 1, "os.O_RDONLY | os.O_DIRECTORY"),
        "tests/volume/test_files.py::test_a_folder_that_is_a_link_is_never_followed",
    ),
    Protection(
        "6 a page's names are made safe",
        "mediarip_mqtt.jobs.steps.place:wanted_names",
        instead("names.safe_name", "str"),
        "tests/engine/test_ytdlp_engine.py::test_a_page_s_title_makes_a_name_that_is_safe_everywhere",
    ),
    Protection(
        "6 a payload has a limit",
        "mediarip_mqtt.commands.intake:Intake._refuse_outright",
        never("self._is_too_large(message)"),
        "tests/service/test_whole_service.py::test_bad_input_is_answered_and_the_service_goes_on",
    ),
    Protection(
        "6 messages of QoS 0 wait within a bound",
        "mediarip_mqtt.mqtt.incoming:IncomingQueue.refuses",
        body("return False"),
        "tests/mqtt/test_floods.py::test_messages_of_qos_0_wait_within_a_bound_and_the_log_counts_the_others",
    ),
    Protection(
        "6 what others have retained is read within bounds",
        "mediarip_mqtt.mqtt.retained_scan:RetainedScan._may_keep",
        body("return True"),
        "tests/mqtt/test_retained_scan.py::test_what_others_have_retained_is_read_within_bounds",
    ),
    Protection(
        "6 no reply announces devices",
        "mediarip_mqtt.contract.reply_topics:ReplyTopics._is_reserved",
        body("return False"),
        "tests/commands/test_intake.py::test_no_reply_goes_where_a_sender_could_not_write",
    ),
    Protection(
        "6 nobody knows the client id",
        "mediarip_mqtt.mqtt.client_identity:ClientIdentity._present",
        assigned("identifier", "self._settings.node_id"),
        "tests/mqtt/test_client_identity.py::test_the_client_id_has_a_random_part_that_stays",
    ),
    Protection(
        "6 deep nesting is refused",
        "mediarip_mqtt.commands.parse:_json",
        instead("RecursionError", "ValueError"),
        "tests/commands/test_hostile_input.py::test_deep_nesting_is_refused",
    ),
    Protection(
        "7 a session sees its own jobs only",
        "mediarip_mqtt.commands.context:Context.scope",
        body("return None"),
        "tests/commands/test_sessions.py",
    ),
    Protection(
        "7 a session's replies stay below its topics",
        "mediarip_mqtt.contract.reply_topics:ReplyTopics.may_name",
        assigned("replies", "True"),
        "tests/commands/test_sessions.py::test_a_reply_goes_nowhere_that_the_user_could_not_write",
    ),
    Protection(
        "7 sessions take turns",
        "mediarip_mqtt.jobs.use_cases:Jobs.__init__",
        with_argument("Turns", "fair", "False"),
        "tests/commands/test_sessions.py::test_one_user_s_flood_does_not_hold_up_another",
    ),
    Protection(
        "7 a session's commands have a rate",
        "mediarip_mqtt.commands.admission:Admission.check",
        never("standing is not Standing.ALLOWED"),
        "tests/commands/test_sessions.py::test_a_user_s_commands_have_a_rate",
    ),
    Protection(
        "8 a reply goes before events",
        "mediarip_mqtt.store.outbox_rows:OutboxRows.reply",
        with_argument("self._post", "urgent", "False"),
        "tests/service/test_whole_service.py::test_the_reply_to_a_command_for_many_jobs_comes_before_their_events",
    ),
    Protection(
        "9 a job without progress is ended",
        "mediarip_mqtt.jobs.progress:ProgressTracker.end_stalled",
        never("idle >= limit"),
        "tests/jobs/test_progress.py",
        "transfer",
    ),
    Protection(
        "9 a stuck event loop is told",
        "mediarip_mqtt.service.health:examine",
        instead("silent < STALE", "True"),
        "tests/faults/test_health.py::test_a_stuck_event_loop_and_a_lost_broker_are_told_apart",
    ),
    Protection(
        "9 a lost volume is told",
        "mediarip_mqtt.service.health:examine",
        instead("signs.volume == 'ok'", "True"),
        "tests/service/test_health.py::test_each_failure_is_told_by_its_name",
    ),
    Protection(
        "1 a purge leaves the files of titles",
        "mediarip_mqtt.jobs.retention:Retention._remove_files",
        with_argument("tx.owned_files", "titles", "True"),
        "tests/library/test_catalogue.py::test_a_purge_leaves_the_title_and_its_file",
    ),
    Protection(
        "3 a title's file is not missing because the volume is away",
        "mediarip_mqtt.library.organizer:Organizer._check_mounted",
        never("volume_files.STORE_PATH"),
        "tests/library/test_reviews.py::test_a_file_is_not_missing_because_its_volume_is_away",
    ),
    Protection(
        "1 an edited NFO is not overwritten",
        "mediarip_mqtt.volume.written_files:write_small",
        instead("old is not None and (ours or (unedited is not None and unedited(old)))", "True"),
        "tests/library/test_side_files.py::test_a_correction_leaves_an_nfo_that_a_person_edited",
    ),
)


def main(wanted: list[str]) -> int:
    """Try all protections, or those whose name contains one of the words; return the exit code."""
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = HERE / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, copy / name)
        for protection in PROTECTIONS:
            if wanted and not any(word in protection.name for word in wanted):
                continue
            began = time.monotonic()
            failed = _is_noticed(protection, copy)
            missed += failed is None
            seconds = time.monotonic() - began
            print(
                f"{'ok   ' if failed else 'MISSED'} {protection.name}: {failed or protection.test} ({seconds:.0f} s)"
            )
            sys.stdout.flush()
    return 1 if missed else 0


def _is_noticed(protection: Protection, copy: Path) -> str | None:
    """Return the first test that fails without the protection, or None."""
    try:
        changed = protection.mutated(copy)
    except MutationError as error:
        raise SystemExit(f"{protection.name}: {error}") from None
    original = {path: path.read_text("utf-8") for path in changed}
    for path, source in changed.items():
        path.write_text(source, "utf-8")
    plugins = ["-p", "no:cacheprovider", "-n", "0"]
    selection = ["-k", protection.only] if protection.only else []
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-o",
        "addopts=",
        *plugins,
        protection.test,
    ]
    try:
        with subprocess.Popen(  # noqa: S603 - our own tests
            [*command, *selection],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                return f"{protection.test} (did not end)"
            finally:
                # The group: including processes that the tests started.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    finally:
        for path, source in original.items():
            path.write_text(source, "utf-8")
    lines = [
        line for line in output.splitlines() if line.startswith(("FAILED tests", "ERROR tests"))
    ]
    if process.returncode not in {0, 1}:
        raise SystemExit(
            f"{protection.name}: pytest ended with {process.returncode}\n{output[-2000:]}"
        )
    return lines[0].split(" - ")[0].split(" ", 1)[1] if lines else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
