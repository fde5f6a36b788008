"""Names and places on the volume: nothing leads out of it, and nothing is overwritten."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mediarip_mqtt.contract.errors import CommandError, ErrorCode
from mediarip_mqtt.contract.models import JobFile
from mediarip_mqtt.volume import files as volume_files
from mediarip_mqtt.volume import names

JOB = "0199a0b1-0000-7000-8000-00000000000a"
OTHER_JOB = "0199a0b1-0000-7000-8000-00000000000b"

LEADING_OUT = [
    "/etc/cron.d/x",
    "../x",
    "a/../../x",
    "a/..",
    "a/ .. /x",
    "./x",
    "~/x",
    "~root/x",
    "C:/x",
    "c:x",
    "a\\..\\x",
    "a\x00b",
    "a\nb",
    "a\x1b[2Jb",
    "a\udc80b",
    ".mediarip/store.db",
    "a/.hidden/x",
    "x" * 256,
    "ü" * 128,
    "/".join("abcdefghi"),
]


@pytest.mark.parametrize("text", LEADING_OUT)
@pytest.mark.parametrize(
    ("check", "field"),
    [(names.check_template, "output_template"), (names.check_folder, "folder")],
)
def test_a_senders_path_that_could_lead_out_is_refused(
    check: Callable[[str], str], field: str, text: str
) -> None:
    with pytest.raises(CommandError) as refusal:
        check(text)
    assert refusal.value.code is ErrorCode.UNSAFE_PATH
    assert refusal.value.field == field
    assert refusal.value.message.startswith(field)


@pytest.mark.parametrize(
    "template",
    [
        "%(title)s.%(ext)s",
        "%(uploader|unknown)s/%(upload_date>nothing)s %(title).100B [%(id)s].%(ext)s",
        "%(playlist_index)03d - %(title)s",
        "%(upload_date>%Y)s/%(upload_date>%m-%d)s %(title)s",
        "%(title&Film {}|Other)s",
        "100%% %(title)s",
        "Filme/Ünïcödé/%(title)s",
    ],
)
def test_the_templates_that_people_use_are_accepted(template: str) -> None:
    assert names.check_template(template) == template


@pytest.mark.parametrize(
    "template",
    [
        "%(title",
        "%(title)",
        "%title",
        "100% %(title)s",
        "%(title)999999999s",
        "%(upload_date>%999999999Y)s",
        "%(upload_date>%D)s",
        "%(title).999999999s",
        "%(duration)099999999d",
        "%(title&{:>999999999})s",
        "%(title&{0.__class__})s",
        "%(title&{!r:>99999999})s",
    ],
)
def test_a_template_that_cant_be_read_or_would_fill_the_memory_is_refused(template: str) -> None:
    with pytest.raises(CommandError) as refusal:
        names.check_template(template)
    assert refusal.value.code is ErrorCode.UNSAFE_PATH


@pytest.mark.parametrize(
    "text", ["a" + "\u0301\u0327" * 500_000, "\u202e" * 10**6, "a." * 500_000, " " * 10**6 + "a"]
)
def test_a_page_s_endless_text_makes_a_name_at_once(text: str) -> None:
    began = time.perf_counter()
    name = names.safe_name(f"{text}/{text}.mp4")
    beside = names.beside("film.mp4", f" - 001 {text}.mp4")
    assert time.perf_counter() - began < 2
    assert all(len(part.encode()) <= 255 for part in name.split("/"))
    assert name.endswith("mp4")
    assert " - 001" in beside
    assert beside.endswith(".mp4")


def test_a_folder_comes_back_in_its_normal_form() -> None:
    assert names.check_folder("Filme/Neu/") == "Filme/Neu"
    assert names.check_folder("a//b") == "a/b"


@pytest.mark.parametrize(
    ("rendered", "safe"),
    [
        ("A film.mp4", "A film.mp4"),
        ("Kanal/Füße 🎬.mp4", "Kanal/Füße 🎬.mp4"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("..", "_"),
        ("", "_"),
        ("a/.../b.mp4", "a/b.mp4"),
        (".bashrc", "bashrc"),
        ("-rf.mp4", "rf.mp4"),
        (".-.-rf.mp4", "rf.mp4"),
        ("name. . .", "name"),
        ("what? <1>: a|b*.mp4", "what？ ＜1＞： a｜b＊.mp4"),
        ('C:\\Windows\\"x".mp4', "C：⧹Windows⧹＂x＂.mp4"),
        ("con.mp4", "_con.mp4"),
        ("NUL", "_NUL"),
        ("com¹.mp4", "_com¹.mp4"),
        ("aux .txt", "_aux.txt"),
        ("console.mp4", "console.mp4"),
        ("photo\u202egpj.exe", "photogpj.exe.bin"),
        ("run.e\u200bxe", "run.exe.bin"),
        ("page.HTML", "page.HTML.bin"),
        ("Netflix.desktop", "Netflix.desktop.bin"),
        ("zero\u200bwidth\ufeff.mp4", "zerowidth.mp4"),
        ("line\nbreak\x07\x7f.mp4", "line break.mp4"),
        ("e\u0301.mp4", "\u00e9.mp4"),
        ("e\u200d\u0301.mp4", "\u00e9.mp4"),
        ("lone\udc80.mp4", "lone？.mp4"),
    ],
)
def test_what_a_page_says_becomes_a_name_that_is_safe_everywhere(rendered: str, safe: str) -> None:
    assert names.safe_name(rendered) == safe


@pytest.mark.parametrize(
    ("rendered", "safe"),
    [
        ("---.mp4", "_.mp4"),
        (" - - -.mp4", "_.mp4"),
        ("\u200e\u200f.mp4", "_.mp4"),
        ("\u200d\u200c.mp4", "_.mp4"),
        ("\u0301\ufe0f.mp4", "_.mp4"),
        ("\u3164\u2800.mp4", "_.mp4"),
        ("\ufffe\ufdd0\U000e0042.mp4", "_.mp4"),
        ("....mp4", "_.mp4"),
        ("---/x.mp4", "_/x.mp4"),
        ("\u2014.mp4", "\u2014.mp4"),
        ("!!!.mp4", "!!!.mp4"),
        # Emoji that are newer than this Python stay as they are: NickvisionApps/Parabolic#1898.
        ("\U0001fae8\U0001fae9 new.mp4", "\U0001fae8\U0001fae9 new.mp4"),
    ],
)
def test_a_name_of_which_nothing_is_visible_keeps_its_extension(rendered: str, safe: str) -> None:
    assert names.safe_name(rendered, otherwise="_") == safe


@pytest.mark.parametrize(
    ("otherwise", "safe"),
    [("abc-1", "abc-1.mp4"), ("../..", "⧸.mp4"), ("\u200b", "_.mp4"), ("x" * 999, None)],
)
def test_a_name_of_which_nothing_is_visible_becomes_the_page_s_id(
    otherwise: str, safe: str | None
) -> None:
    name = names.safe_name(" .mp4", otherwise=otherwise)
    assert safe in {name, None}
    assert len(name) <= 255
    assert "/" not in name
    assert not name.startswith(".")


def test_a_long_name_is_cut_to_what_filesystems_take_and_keeps_its_extension() -> None:
    name = names.safe_name("漢" * 300 + ".mp4")
    assert name.endswith("漢.mp4")
    assert len(name.encode()) <= 255 - len(" (9999)")
    nested = names.safe_name("/".join(["漢" * 300] * 50) + ".webm")
    assert len(nested.encode()) < 4096 / 2
    assert nested.endswith(".webm")


hostile = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from('/\\.. -~:?*<>|"\x00\x1f\x7f\u200b\u202e\ufeff\u0301%$¹'),
        st.sampled_from("conauxnulcom1exehtmlmediarip"),
    ),
    max_size=400,
)


@given(hostile)
@example("....//....//x")
@example(". .-.con.mp4")
def test_whatever_a_page_says_the_name_is_safe(rendered: str) -> None:
    name = names.safe_name(rendered)
    path = PurePosixPath(name)
    assert names.safe_name(name) == name
    assert not path.is_absolute()
    assert str(path) == name
    assert 1 <= len(path.parts) <= names.DEPTH
    for part in path.parts:
        assert len(part.encode("utf-8")) <= 255
        assert part == unicodedata.normalize("NFC", part)
        assert part.strip(" .") == part
        assert not part.startswith("-")
        assert not set(part) & set('<>:"\\|?*')
        assert not [char for char in part if unicodedata.category(char) in {"Cc", "Cf", "Cs"}]
    assert path.suffix[1:].lower() not in {"exe", "html", "desktop", "lnk", "sh", "py", "url"}


@given(hostile)
def test_whatever_a_page_says_the_file_lands_below_the_root(
    tmp_path_factory: pytest.TempPathFactory, rendered: str
) -> None:
    folder = tmp_path_factory.mktemp("volume")
    source, root = folder / "source", folder / "root"
    source.write_bytes(b"media")
    make_root(root)
    (name,) = names.free_names(root, [names.safe_name(rendered)])
    place(root, source, name)
    assert not source.exists()
    assert files(root) == {name: b"media"}
    assert volume_files.remove(root, name)
    assert list(folder.iterdir()) == [root]
    assert list(root.iterdir()) == [root / ".mediarip"]


def relative_names() -> SearchStrategy[str]:
    parts = st.sampled_from(["..", ".", "a", "link", "", ".mediarip", ".MediaRip", "~"])
    return st.lists(parts, min_size=1, max_size=4).map("/".join)


@given(relative_names())
def test_no_name_at_all_leads_out_of_the_root(
    tmp_path_factory: pytest.TempPathFactory, filename: str
) -> None:
    folder = tmp_path_factory.mktemp("volume")
    root, outside = folder / "root", folder / "outside"
    make_root(root)
    outside.mkdir()
    (outside / "a").write_text("precious")
    (root / "link").symlink_to(outside)
    source = folder / "source"
    source.write_text("media")
    for action in (partial(place, root, source), partial(volume_files.remove, root)):
        with contextlib.suppress(OSError):
            action(filename)
        assert [one.name for one in outside.iterdir()] == ["a"]
        assert (outside / "a").read_text() == "precious"
        assert list((root / ".mediarip").iterdir()) == [root / volume_files.STORE_PATH]


def place(root: Path, source: Path, filename: str) -> None:
    volume_files.move_into_place(root, source, filename, len(b"media"))


def make_root(folder: Path) -> Path:
    (folder / volume_files.STORE_PATH).parent.mkdir(parents=True)
    (folder / volume_files.STORE_PATH).touch()
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "temp" / "media.mp4"
    path.parent.mkdir()
    path.write_bytes(b"media")
    return path


def files(root: Path) -> dict[str, bytes]:
    """Return what lies on a volume but the service's own."""
    found = [one for one in root.rglob("*") if one.is_file()]
    names = {str(one.relative_to(root)): one for one in found}
    return {
        name: one.read_bytes() for name, one in names.items() if name != volume_files.STORE_PATH
    }


def test_a_second_file_of_the_same_name_gets_another_name(root: Path) -> None:
    assert names.free_names(root, ["a/film.tar.mp4"]) == ["a/film.tar.mp4"]
    (root / "a").mkdir()
    (root / "a" / "film.tar.mp4").touch()
    assert names.free_names(root, ["a/film.tar.mp4"]) == ["a/film.tar (2).mp4"]
    taken = {"a/film.tar (2).mp4", "a/FILM.tar (3).mp4"}
    assert names.free_names(root, ["a/film.tar.mp4"], taken) == ["a/film.tar (4).mp4"]


def test_names_that_windows_would_take_for_the_same_are_not_free(root: Path) -> None:
    (root / "FILM.mp4").touch()
    (root / "e\u0301.mp4").touch()
    (root / "broken").symlink_to("nowhere")
    assert names.free_names(root, ["film.mp4"]) == ["film (2).mp4"]
    assert names.free_names(root, ["\u00e9.mp4"]) == ["\u00e9 (2).mp4"]
    assert names.free_names(root, ["broken"]) == ["broken (2)"]


def test_a_file_is_moved_to_its_place_with_new_folders(root: Path, source: Path) -> None:
    inode = source.stat().st_ino
    place(root, source, "a/b/film.mp4")
    assert files(root) == {"a/b/film.mp4": b"media"}
    assert (root / "a/b/film.mp4").stat().st_ino == inode
    assert not source.exists()


def test_a_file_that_is_there_is_never_overwritten(root: Path, source: Path) -> None:
    (root / "film.mp4").write_bytes(b"older")
    with pytest.raises(FileExistsError):
        place(root, source, "film.mp4")
    (root / "folder.mp4").mkdir()
    with pytest.raises(FileExistsError):
        place(root, source, "folder.mp4")
    (root / "link.mp4").symlink_to(source)
    with pytest.raises(FileExistsError):
        place(root, source, "link.mp4")
    assert files(root) == {"film.mp4": b"older", "link.mp4": b"media"}
    assert source.read_bytes() == b"media"


def test_without_hard_links_nothing_is_overwritten_either(
    root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    (root / "film.mp4").write_bytes(b"older")
    (root / "empty.mp4").touch()
    for name in ("film.mp4", "empty.mp4"):
        with pytest.raises(FileExistsError):
            place(root, source, name)
    place(root, source, "other.mp4")
    assert files(root) == {"film.mp4": b"older", "empty.mp4": b"", "other.mp4": b"media"}
    assert not source.exists()


def failing(number: int) -> Callable[..., None]:
    def link(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    return link


def test_from_another_filesystem_the_file_is_copied(root: Path, source: Path) -> None:
    memory = Path("/dev/shm")  # noqa: S108 - a filesystem that is not the one of the tests
    other = memory if memory.is_dir() else source.parent
    moved = other / f"mediarip-test-{os.getpid()}.mp4"
    moved.write_bytes(b"media")
    try:
        place(root, moved, "a/film.mp4")
        assert files(root) == {"a/film.mp4": b"media"}
        assert not moved.exists()
        moved.write_bytes(b"other")
        with pytest.raises(FileExistsError):
            place(root, moved, "a/film.mp4")
        assert files(root) == {"a/film.mp4": b"media"}
    finally:
        moved.unlink(missing_ok=True)


def test_a_copy_that_does_not_fit_leaves_nothing_behind(
    root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", failing(errno.EXDEV))
    monkeypatch.setattr(shutil, "copyfileobj", failing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space"):
        place(root, source, "film.mp4")
    assert list(root.iterdir()) == [root / ".mediarip"]
    assert source.read_bytes() == b"media"


KILLED_EVERYWHERE = """
import errno, os, pathlib, shutil, sys
from mediarip_mqtt.volume import files as volume_files

base, way = pathlib.Path(sys.argv[1]), sys.argv[2]
link = os.link

def no_link(source, *rest, **named):
    if way == "rename" or isinstance(source, pathlib.Path):
        number = errno.EXDEV if "copy" in way and isinstance(source, pathlib.Path) else errno.EPERM
        raise OSError(number, os.strerror(number))
    if way == "copy, rename":
        raise OSError(errno.EPERM, "no links")
    link(source, *rest, **named)

if way != "link":
    os.link = no_link

for count in range(1, 200):
    shutil.rmtree(base, ignore_errors=True)
    source, root = base / "temp" / "media.mp4", base / "root"
    source.parent.mkdir(parents=True)
    (root / volume_files.STORE_PATH).parent.mkdir(parents=True)
    (root / volume_files.STORE_PATH).touch()
    source.write_bytes(b"media" * 1000)
    pid = os.fork()
    if not pid:
        left = count
        def die(event, _):
            global left
            if event == "open" or event.startswith("os."):
                left -= 1
                if not left:
                    os._exit(9)
        sys.addaudithook(die)
        volume_files.move_into_place(root, source, "a/film.mp4", 5000)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, 9), status
    volume_files.move_into_place(root, source, "a/film.mp4", 5000)
    found = [one for one in base.rglob("*") if one.is_file() and one.name != "store.db"]
    assert found == [root / "a/film.mp4"], (count, found)
    assert found[0].read_bytes() == b"media" * 1000, count
    if not status:
        break
print(count)
"""


@pytest.mark.parametrize("way", ["link", "rename", "copy", "copy, rename"])
def test_a_move_that_was_killed_anywhere_is_finished_by_the_next_call(
    tmp_path: Path, way: str
) -> None:
    command = [sys.executable, "-c", KILLED_EVERYWHERE, str(tmp_path / "base"), way]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5


def test_a_folder_that_is_a_link_is_never_followed(
    root: Path, source: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "film.mp4").write_bytes(b"precious")
    (root / "a").symlink_to(outside)
    with pytest.raises(OSError, match="link"):
        place(root, source, "a/new.mp4")
    assert not volume_files.remove(root, "a/film.mp4")
    assert files(outside) == {"film.mp4": b"precious"}


def test_a_source_that_is_a_link_is_not_placed(root: Path, source: Path) -> None:
    link = source.with_name("link.mp4")
    link.symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="link"):
        place(root, link, "film.mp4")
    assert not files(root)


def test_a_file_that_vanished_is_said_to_be_gone(root: Path, source: Path) -> None:
    source.unlink()
    with pytest.raises(FileNotFoundError, match="gone"):
        place(root, source, "film.mp4")


def test_nothing_is_written_into_the_mount_point_of_a_lost_volume(root: Path, source: Path) -> None:
    shutil.rmtree(root)
    with pytest.raises(FileNotFoundError):
        place(root, source, "a/film.mp4")
    root.mkdir()
    with pytest.raises(OSError, match="not mounted"):
        place(root, source, "a/film.mp4")
    with pytest.raises(FileNotFoundError):
        volume_files.job_temp(root / ".mediarip" / "tmp", JOB)
    assert not list(root.iterdir())
    assert source.exists()


def test_removing_takes_the_file_and_the_folders_that_become_empty(root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "film.mp4").touch()
    (root / "a" / "kept.mp4").touch()
    assert volume_files.remove(root, "a/b/film.mp4")
    assert sorted(files(root)) == ["a/kept.mp4"]
    assert not (root / "a" / "b").exists()
    assert volume_files.remove(root, "a/kept.mp4")
    assert list(root.iterdir()) == [root / ".mediarip"]
    assert not volume_files.remove(root, "a/kept.mp4")


def test_removing_takes_no_link_and_no_folder(root: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    (root / "link.mp4").symlink_to(tmp_path / "precious")
    (root / "folder").mkdir()
    assert not volume_files.remove(root, "link.mp4")
    assert not volume_files.remove(root, "folder")
    assert (tmp_path / "precious").exists()


def test_a_jobs_temporary_folder_is_its_own_and_private(tmp_path: Path) -> None:
    base = tmp_path / "scratch" / "tmp"
    folder = volume_files.job_temp(base, JOB)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert volume_files.job_temp(base, JOB) == folder
    (folder / "media.part").touch()
    (folder / "out").symlink_to(tmp_path)
    volume_files.discard_temp(base, JOB)
    assert not folder.exists()
    assert tmp_path.exists()
    volume_files.discard_temp(base, JOB)


def test_a_temporary_folder_that_is_a_link_is_not_used(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (tmp_path / JOB).symlink_to(outside)
    with pytest.raises(OSError, match="link"):
        volume_files.job_temp(tmp_path, JOB)
    volume_files.discard_temp(tmp_path, JOB)
    assert list(outside.iterdir()) == [outside / "precious"]
    assert not (tmp_path / JOB).is_symlink()


@pytest.mark.parametrize("job_id", ["..", ".", "", "a/b", "../x", "/etc"])
def test_no_job_id_leads_out_of_the_temporary_folder(tmp_path: Path, job_id: str) -> None:
    for function in (volume_files.job_temp, volume_files.discard_temp):
        with pytest.raises(ValueError, match="not a job's id"):
            function(tmp_path, job_id)


def test_the_sweep_removes_only_folders_of_jobs_that_are_not_kept(tmp_path: Path) -> None:
    volume_files.job_temp(tmp_path, JOB)
    gone = volume_files.job_temp(tmp_path, OTHER_JOB)
    (gone / "media.part").touch()
    (tmp_path / "somebody-elses").mkdir()
    (tmp_path / "notes.txt").touch()
    assert volume_files.sweep_temp(tmp_path, {JOB}) == [OTHER_JOB]
    assert sorted(one.name for one in tmp_path.iterdir()) == [JOB, "notes.txt", "somebody-elses"]
    assert volume_files.sweep_temp(tmp_path / "nowhere", ()) == []


@pytest.mark.parametrize("where", ["elsewhere", "above", "link"])
def test_only_a_file_of_the_jobs_own_folder_is_moved(
    root: Path, tmp_path: Path, where: str
) -> None:
    """The store is data: a path in it does not make the service hand over its user's files."""
    job = tmp_path / "job"
    job.mkdir()
    secret = tmp_path / "secret"
    secret.write_bytes(b"media")
    (job / "linked").symlink_to(tmp_path)
    path = {"elsewhere": secret, "above": job / ".." / "secret", "link": job / "linked" / "secret"}
    with pytest.raises(OSError, match=r"own folder|link"):
        volume_files.move_into_place(root, path[where], "gift.txt", 5, job)
    assert secret.read_bytes() == b"media"
    assert not files(root)


def test_a_file_that_a_person_put_in_its_place_is_not_removed_with_a_job(
    root: Path, source: Path
) -> None:
    size = source.stat().st_size
    identity = volume_files.move_into_place(root, source, "film.mp4", size)
    ours = JobFile(filename="film.mp4", filesize=size, identity=identity)
    path = root / "film.mp4"
    path.rename(root / "moved.mp4")
    path.write_bytes(b"x" * size)  # of the same size, at another time
    os.utime(path, (0, 0))
    assert not volume_files.remove_owned(root, ours)
    path.write_bytes(b"x" * (size + 1))  # as where the time is the same
    shutil.copystat(root / "moved.mp4", path)
    assert not volume_files.remove_owned(root, ours)
    assert path.exists()


@pytest.mark.parametrize("change", ["touched", "copied"])
def test_a_file_that_was_touched_or_copied_back_is_still_the_jobs(
    root: Path, source: Path, change: str
) -> None:
    size = source.stat().st_size
    identity = volume_files.move_into_place(root, source, "film.mp4", size)
    path = root / "film.mp4"
    if change == "touched":
        os.utime(path, (0, 0))
    else:  # as rsync -a to another disk
        shutil.copy2(path, root / "copy.mp4")
        (root / "copy.mp4").replace(path)
    assert volume_files.remove_owned(
        root, JobFile(filename="film.mp4", filesize=size, identity=identity)
    )


def test_a_link_in_place_of_the_temporary_folder_is_not_swept(tmp_path: Path) -> None:
    (tmp_path / "precious" / OTHER_JOB).mkdir(parents=True)
    (tmp_path / "tmp").symlink_to("precious")
    assert volume_files.sweep_temp(tmp_path / "tmp", ()) == []
    assert (tmp_path / "precious" / OTHER_JOB).exists()


def test_two_names_that_are_one_entry_lose_no_file(root: Path) -> None:
    """As on a volume that ignores case, where `film` and `Film` are one file."""
    path = root / "film.mp4"
    path.write_bytes(b"media")
    volume_files.move_into_place(root, path, "film.mp4", 5)
    assert path.read_bytes() == b"media"
