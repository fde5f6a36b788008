"""Write what of the docs is made from the code; ``--check`` only names what is old."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from mediarip_mqtt.cli.schema.command import Format, files
from scripts import configuration_page, module_tables, reference_pages

DOCS: Final = Path(__file__).parent.parent / "docs"
SCHEMAS: Final = "schemas"
REFERENCE: Final = "reference"


def generated() -> dict[Path, str]:
    """Return every generated file as it should be, by its path below `docs`."""
    schemas = files(Format.JSON_SCHEMA).items()
    return {
        Path("configuration.md"): configuration_page.page(),
        module_tables.PAGE.relative_to(DOCS): module_tables.page(),
        **{Path(name): text for name, text in files(Format.ASYNCAPI).items()},
        **{Path(SCHEMAS, name): text for name, text in schemas},
        **{Path(REFERENCE, name): text for name, text in reference_pages.pages().items()},
    }


def old(wanted: dict[Path, str]) -> list[Path]:
    """Return what differs from what is there, or is there and no more made."""
    there = {
        path.relative_to(DOCS) for one in (SCHEMAS, REFERENCE) for path in (DOCS / one).glob("*")
    }
    differs = [
        path
        for path, text in wanted.items()
        if not (DOCS / path).exists() or (DOCS / path).read_text("utf-8") != text
    ]
    return [*differs, *(there - wanted.keys())]


def main() -> int:
    """Write or check the files."""
    wanted = generated()
    changed = old(wanted)
    if "--check" in sys.argv:
        for path in changed:
            print(f"docs/{path} is old: run `make docs`", file=sys.stderr)
        return 1 if changed else 0
    for path in changed:
        target = DOCS / path
        if path in wanted:
            target.parent.mkdir(exist_ok=True)
            target.write_text(wanted[path], "utf-8")
        else:
            target.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
