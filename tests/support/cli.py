"""Runs the command line in child processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

SECONDS = 60


def _take_interrupts() -> None:
    # A shell lets background processes ignore SIGINT, and their children inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Cli:
    """`mediarip-mqtt` with settings from the environment."""

    def __init__(self, folder: Path, port: int, **variables: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MEDIARIP_")}
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
            preexec_fn=_take_interrupts,  # noqa: PLW1509 - takes no lock
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=SECONDS)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(words, process.returncode, out, err)
