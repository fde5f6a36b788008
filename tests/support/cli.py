"""The command line, in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

SECONDS = 60


def _take_interrupts() -> None:
    # A shell ignores SIGINT for what it runs in the background, and so would all children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Cli:
    """`mediarip-mqtt` with settings from the environment."""

    def __init__(self, folder: Path, port: int, **variables: str) -> None:
        kept = {key: one for key, one in os.environ.items() if not key.startswith("MEDIARIP_")}
        self.folder = folder
        self.environment = {
            **kept,
            "MEDIARIP__MQTT__PORT": str(port),
            "MEDIARIP__STORAGE__MIN_FREE": "0",
            **variables,
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "mediarip_mqtt", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_take_interrupts,  # noqa: PLW1509 - it takes no lock
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=SECONDS)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(words, process.returncode, out, err)
