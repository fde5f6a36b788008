"""Check that a tag may be released: ``python -m scripts.release v1.2.3``.

It must match the package's version, and CHANGELOG.md must have a section for it. Uses only the
standard library.
"""

from __future__ import annotations

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


def main() -> int:
    """Check the tag in the arguments."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and the tag
        print("usage: python -m scripts.release TAG", file=sys.stderr)
        return 2
    texts = [(ROOT / name).read_text("utf-8") for name in ("pyproject.toml", "CHANGELOG.md")]
    reasons = problems(sys.argv[1], *texts)
    for reason in reasons:
        print(reason, file=sys.stderr)
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
