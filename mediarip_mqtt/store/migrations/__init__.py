"""The schema: numbered SQL files, each run in a transaction of its own.

The file that makes a version never changes once a store may have that version.
"""

from __future__ import annotations

from importlib import resources


def migrations() -> list[tuple[int, str]]:
    """Return the migrations, version and SQL, in order."""
    return sorted(
        (int(file.name.split("_")[0]), file.read_text("utf-8"))
        for file in resources.files(__name__).iterdir()
        if file.name.endswith(".sql")
    )
