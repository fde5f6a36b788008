"""Starts services with multiprocessing's fork server, in half the time of a new interpreter.

The server has imported the service's modules; each service is still a separate process.
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
    """The part of `subprocess.Popen` that the tests use, for a process of the fork server."""

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
    """Run `python -m mediarip_mqtt` in this process, with the given environment and log."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    stdin = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, source in ((0, stdin), (1, output), (2, output)):
        os.dup2(source, number)
    sys.argv = [__main__.__file__, *arguments]
    __main__.main()
