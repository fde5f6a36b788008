"""Write the generated pages of the docs; ``--check`` only reports outdated ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from mediarip_mqtt.cli.schema.schema_command import Format, files
from scripts import configuration_page, module_tables, reference_pages

DOCS: Final = Path(__file__).parent.parent / "docs"
SCHEMAS: Final = "schemas"
REFERENCE: Final = "reference"


def generated() -> dict[Path, str]:
    """Return the content of every generated file, by its path below `docs`."""
    schemas = files(Format.JSON_SCHEMA).items()
    return {
        Path("configuration.md"): configuration_page.page(),
        module_tables.PAGE.relative_to(DOCS): module_tables.page(),
        **{Path(name): text for name, text in files(Format.ASYNCAPI).items()},
        **{Path(SCHEMAS, name): text for name, text in schemas},
        **{Path(REFERENCE, name): text for name, text in reference_pages.pages().items()},
    }


def outdated(wanted: dict[Path, str]) -> list[Path]:
    """Return the files that differ, are missing, or are no longer generated."""
    existing = {
        path.relative_to(DOCS)
        for folder in (SCHEMAS, REFERENCE)
        for path in (DOCS / folder).glob("*")
    }
    differs = [
        path
        for path, text in wanted.items()
        if not (DOCS / path).exists() or (DOCS / path).read_text("utf-8") != text
    ]
    return [*differs, *(existing - wanted.keys())]


def main() -> int:
    """Write or check the files."""
    wanted = generated()
    changed = outdated(wanted)
    if "--check" in sys.argv:
        for path in changed:
            print(f"docs/{path} is outdated: run `make docs`", file=sys.stderr)
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
