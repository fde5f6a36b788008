"""Check that a tag may be released: ``python -m scripts.release v1.2.3``.

It must match the package's version, and CHANGELOG.md must have a section for it. ``--notes`` prints
that section, and ``--assets`` the files to attach to the release. Uses only the standard library.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent


def problems(tag: str, project: str, changelog: str) -> list[str]:
    """Return the reasons against a tag, given the texts of pyproject.toml and CHANGELOG.md."""
    version = tomllib.loads(project)["project"]["version"]
    reasons = []
    if tag != f"v{version}":
        reasons.append(f"The tag is {tag}, the version in pyproject.toml is {version}.")
    if not re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE
    ):
        reasons.append(f"CHANGELOG.md has no section `## [{version}] - <date>`.")
    return reasons


def notes(tag: str, changelog: str) -> str:
    """Return the section of a version, without its heading."""
    _, _, after = changelog.partition(f"\n## [{tag.removeprefix('v')}]")
    return re.split(r"^## ", after.partition("\n")[2], maxsplit=1, flags=re.MULTILINE)[0].strip()


def assets() -> list[Path]:
    """Return the files of a release: only the card's, first the one that Home Assistant loads.

    HACS copies every file that is attached to a release into the `www` folder of Home Assistant.
    """
    name = json.loads((ROOT / "hacs.json").read_text("utf-8"))["filename"]
    folder = ROOT / "homeassistant" / "card" / "dist"
    return [folder / name, *sorted(set(folder.glob("*.js")) - {folder / name})]


def main() -> int:
    """Check the tag in the arguments."""
    options = [one for one in sys.argv[1:] if one in {"--notes", "--assets"}]
    tags = [one for one in sys.argv[1:] if one not in options]
    if len(tags) != 1 or len(options) > 1:
        print("usage: python -m scripts.release [--notes | --assets] TAG", file=sys.stderr)
        return 2
    project, changelog = (
        (ROOT / name).read_text("utf-8") for name in ("pyproject.toml", "CHANGELOG.md")
    )
    reasons = problems(tags[0], project, changelog)
    reasons += [f"{path} is missing." for path in assets() if not path.is_file()]
    for reason in reasons:
        print(reason, file=sys.stderr)
    if not reasons and "--notes" in options:
        print(notes(tags[0], changelog))
    if not reasons and "--assets" in options:
        print(*assets(), sep="\n")
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
