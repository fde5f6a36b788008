"""Say whether a tag may be released: ``python -m scripts.release v1.2.3``.

It is the package's version, and CHANGELOG.md tells of it. Needs nothing but Python.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent


def problems(tag: str, project: str, changelog: str) -> list[str]:
    """Return what speaks against a tag, given pyproject.toml and CHANGELOG.md."""
    version = tomllib.loads(project)["project"]["version"]
    found = []
    if tag != f"v{version}":
        found.append(f"The tag is {tag}, the version in pyproject.toml is {version}.")
    if not re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE
    ):
        found.append(f"CHANGELOG.md has no section `## [{version}] - <date>`.")
    return found


def main() -> int:
    """Check the tag that is given."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and the tag
        print("say: python -m scripts.release TAG", file=sys.stderr)
        return 2
    texts = [(ROOT / name).read_text("utf-8") for name in ("pyproject.toml", "CHANGELOG.md")]
    found = problems(sys.argv[1], *texts)
    for one in found:
        print(one, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
