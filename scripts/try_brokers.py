"""Try the service at every installed broker, and write docs/brokers.md.

`python -m scripts.try_brokers [--check] [NAME ...]`. Which brokers there are, and how to install
them: `tests/support/other_brokers.py`. Takes about half a minute for each broker and version of
MQTT. `--check` writes nothing; exit code 1 if a step fails that is not known to.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.support.broker_trial import Outcome, Trial, spoken_by_default
from tests.support.other_brokers import ALL, OtherBroker
from tests.support.server import MediaServer

PAGE = Path(__file__).resolve().parent.parent / "docs" / "brokers.md"
HEAD = """# Brokers

The service needs a broker for MQTT 5 or 3.1.1 with retained messages, QoS 1 and sessions. The
table says what works at some brokers. It was tried with real ones: `python -m scripts.try_brokers`
wrote this page. "no" is a limit of the broker.

"""
LIMITS = """## Limits and refusals

What a broker refuses is left out, and everything else goes on:

- With MQTT 5 the service keeps to the limits in the broker's CONNACK: packet size, unanswered
  messages, QoS, retained messages, wildcards, keep-alive. The log says once what does not work
  because of them.
- A message that the broker refuses with a reason code, or closes the connection for (all that it
  can do with MQTT 3.1.1), is left out. The log names its topic once: `left out: …`. A refused
  message is sent again at the next connection. One that ended a connection is sent again after
  5 min, then ever more rarely, and after five attempts not before a restart of the service.
- A reply that is too large is replaced by one that fits: `list` returns fewer jobs and
  `truncated: true`, other commands the error `payload_too_large`. With MQTT 3.1.1 one closed
  connection tells that there is a limit.
- A topic filter that is refused, or ends the connection, is left out as well. Commands on the
  other topics are received.
- A message that can't be read (its topic is not UTF-8, for example) is logged and acknowledged.
- If the broker says "use another server" or "server moved", the log names the other server. The
  service does not follow: set `mqtt.host`.
"""


@dataclass(frozen=True)
class Column:
    """What became of all steps at one broker, with one version of MQTT."""

    broker: type[OtherBroker]
    protocol: str
    outcomes: list[Outcome]

    @property
    def surprises(self) -> list[Outcome]:
        """The steps that failed and should not have, or the other way round."""
        return [
            outcome
            for outcome in self.outcomes
            if bool(outcome.problem) != (outcome.step in self.broker.lacks)
        ]


def main(arguments: list[str]) -> int:
    """Run the trials; return the exit code."""
    names = [one for one in arguments if not one.startswith("-")]
    columns: list[Column] = []
    defaults: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="brokers-") as folder:
        media = MediaServer(Path(folder)).start()
        for kind in ALL:
            if names and kind.name not in names:
                continue
            if not kind.is_installed():
                print(f"{kind.name}: not installed", file=sys.stderr)
                continue
            columns += [_try(kind, one, Path(folder), media) for one in kind.versions]
            defaults[kind.name] = _default(kind, Path(folder))
    if "--check" not in arguments:
        PAGE.write_text(_page(columns, defaults))
    return int(any(column.surprises for column in columns))


def _try(kind: type[OtherBroker], protocol: str, folder: Path, media: MediaServer) -> Column:
    here = Path(tempfile.mkdtemp(dir=folder))
    broker = kind(here / "broker").start()
    try:
        column = Column(kind, protocol, Trial(broker, protocol, here, media).run())
    finally:
        broker.stop()
    for outcome in column.outcomes:
        print(f"{kind.name}, MQTT {protocol}: {outcome.step}: {outcome.problem or 'yes'}")
    return column


def _default(kind: type[OtherBroker], folder: Path) -> str:
    here = Path(tempfile.mkdtemp(dir=folder))
    broker = kind(here / "broker").start()
    try:
        return spoken_by_default(broker, here)
    finally:
        broker.stop()


def _page(columns: list[Column], defaults: dict[str, str]) -> str:
    kinds = list(dict.fromkeys(column.broker for column in columns))
    lines = ["| | " + " | ".join(f"{kind.name} {kind.version()}" for kind in kinds) + " |"]
    lines.append("| --- |" + " --- |" * len(kinds))
    lines.append("| MQTT by default | " + " | ".join(defaults[kind.name] for kind in kinds) + " |")
    for index, outcome in enumerate(columns[0].outcomes):
        cells = [_cell(columns, kind, index) for kind in kinds]
        lines.append(f"| {outcome.step} | " + " | ".join(cells) + " |")
    notes = [
        textwrap.fill(f"- **{kind.name}**: {kind.note}", 100, subsequent_indent="  ")
        for kind in kinds
    ]
    versions = [f"{kind.name} {' and '.join(kind.versions)}" for kind in kinds]
    tried = textwrap.fill(f"Tried with MQTT: {', '.join(versions)}.", 100)
    return f"{HEAD}" + "\n".join(lines) + f"\n\n{tried}\n\n" + "\n".join(notes) + f"\n\n{LIMITS}"


def _cell(columns: list[Column], kind: type[OtherBroker], index: int) -> str:
    problems = {
        column.protocol: column.outcomes[index].problem
        for column in columns
        if column.broker is kind
    }
    failed = [protocol for protocol, problem in problems.items() if problem]
    if not failed:
        return "yes"
    return "no" if len(failed) == len(problems) else f"not with {', '.join(failed)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
