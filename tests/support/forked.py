"""Services begun from one process that has imported all they need: half the time of a new Python.

The standard library's fork server does it; the service still is a process of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from mediarip_mqtt import __main__

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["mediarip_mqtt.cli.main", "mediarip_mqtt.service.app", __name__])


class Forked:
    """What the tests use of `subprocess.Popen`, of a process of the fork server."""

    def __init__(self, arguments: list[str], env: dict[str, str], cwd: Path, log: Path) -> None:
        self._process: ForkServerProcess = CONTEXT.Process(
            target=_become, args=(arguments, env, cwd, log)
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        assert self.returncode is not None, f"the service did not end within {timeout} s"
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)


def _become(arguments: list[str], env: dict[str, str], cwd: Path, log: Path) -> None:
    """Be as `python -m mediarip_mqtt` would be in that environment."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, source in ((0, nothing), (1, written), (2, written)):
        os.dup2(source, number)
    sys.argv = [__main__.__file__, *arguments]
    __main__.main()
