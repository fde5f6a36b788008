"""Write the generated docs and voice files; ``--check`` only reports outdated ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from mediarip_mqtt.cli.schema.schema_command import Format, files
from scripts import configuration_page, module_tables, reference_pages, voice

ROOT: Final = Path(__file__).parent.parent
DOCS: Final = Path("docs")
SCHEMAS: Final = DOCS / "schemas"
REFERENCE: Final = DOCS / "reference"
# All files in these are generated.
FOLDERS: Final = (SCHEMAS, REFERENCE, *(Path(voice.SENTENCES, one) for one in voice.LANGUAGES))


def generated() -> dict[Path, str]:
    """Return the content of every generated file, by its path below the repository."""
    schemas = files(Format.JSON_SCHEMA).items()
    return {
        DOCS / "configuration.md": configuration_page.page(),
        module_tables.PAGE.relative_to(ROOT): module_tables.page(),
        **{DOCS / name: text for name, text in files(Format.ASYNCAPI).items()},
        **{SCHEMAS / name: text for name, text in schemas},
        **{REFERENCE / name: text for name, text in reference_pages.pages().items()},
        **voice.files(),
    }


def outdated(wanted: dict[Path, str]) -> list[Path]:
    """Return the files that differ, are missing, or are no longer generated."""
    existing = {path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).glob("*")}
    differs = [
        path
        for path, text in wanted.items()
        if not (ROOT / path).exists() or (ROOT / path).read_text("utf-8") != text
    ]
    return [*differs, *(existing - wanted.keys())]


def main() -> int:
    """Write or check the files."""
    wanted = generated()
    changed = outdated(wanted)
    if "--check" in sys.argv:
        for path in changed:
            print(f"{path} is outdated: run `make docs`", file=sys.stderr)
        return 1 if changed else 0
    for path in changed:
        target = ROOT / path
        if path in wanted:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted[path], "utf-8")
        else:
            target.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
