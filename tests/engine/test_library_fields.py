"""What the library keeps of a page, and the pictures that it makes."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarip_mqtt.contract import texts
from mediarip_mqtt.engine import page_info, template_fields, thumbnail


def test_a_description_keeps_its_lines_and_links() -> None:
    page = {"description": "One.\r\n\n\n\nTwo: https://e.com/a?b=1 🌊\x00\u202e"}
    found = page_info.for_library(page, cut=False)
    assert found == {"plot": "One.\n\nTwo: https://e.com/a?b=1 🌊"}


def test_a_long_description_is_cut_and_names_of_files_do_not_see_it() -> None:
    fields = page_info.for_library({"description": "x" * 10_000}, cut=False)
    assert len(fields["plot"]) == page_info.PLOT_LIMIT
    assert template_fields.harmless({"description": "y" * 10_000} | fields) == {
        "description": "y" * template_fields.VALUE_LIMIT
    }


@pytest.mark.parametrize(
    "chapters", [None, "x", [1, None, {}], [{"start_time": -1}, {"start_time": float("nan")}], {}]
)
def test_what_is_no_chapter_is_left_out(chapters: Any) -> None:
    assert page_info.for_library({"chapters": chapters}, cut=False) == {}


def test_chapters_have_times_and_titles_unless_parts_are_cut_out() -> None:
    page = {
        "chapters": [
            {"title": "A\nb", "start_time": 0, "end_time": 5},
            {"start_time": 5, "end_time": 5},
        ]
    }
    assert page_info.for_library(page, cut=False)["chapters"] == [
        {"title": "A b", "start_time": 0.0, "end_time": 5.0},
        {"title": "", "start_time": 5.0, "end_time": None},
    ]
    assert page_info.for_library(page, cut=True) == {}


@given(st.text(max_size=300), st.integers(1, 100))
def test_cleaned_lines_hold_nothing_that_changes_a_terminal(text: str, limit: int) -> None:
    cleaned = texts.clean_lines(text, limit)
    assert len(cleaned) <= limit
    assert not texts.UNFIT.search(cleaned.replace("\n", ""))
    assert "\n\n\n" not in cleaned
    assert texts.clean_lines(cleaned, limit) == cleaned


@pytest.mark.parametrize("size", ["1280x720", "300x900", "2x2"])
def test_a_picture_of_any_shape_becomes_a_poster(size: str) -> None:
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc=size={size}"]
    command += ["-frames:v", "1", "-f", "mjpeg", "-"]
    picture = subprocess.run(command, capture_output=True, check=True).stdout
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0"]
    poster = subprocess.run(
        [*command, "-f", "jpeg_pipe", "-i", "-"],
        input=thumbnail.poster(picture),
        capture_output=True,
        check=True,
    )
    assert poster.stdout.strip() == b"600,900"
