"""Many threads and little memory."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ctypes, sys, threading
from mediarip_mqtt import threads

threads.share_heaps()
gate = threading.Barrier(16)


def work():
    gate.wait()
    kept = [bytearray(1000) for _ in range(1000)]
    gate.wait()


begun = [threading.Thread(target=work) for _ in range(16)]
[one.start() for one in begun]
[one.join() for one in begun]
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="only glibc has arenas")
def test_all_threads_share_two_heaps(tmp_path: Path) -> None:
    told = tmp_path / "malloc.xml"
    others = {key: one for key, one in os.environ.items() if key != "MALLOC_ARENA_MAX"}
    subprocess.run([sys.executable, "-c", PROGRAM, str(told)], check=True, env=others)
    assert 1 <= told.read_text().count("<heap nr=") <= 2


GIVING_BACK = """
import ctypes
from mediarip_mqtt import threads

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]


def resident():
    return int(open("/proc/self/statm").read().split()[1])


kept = [libc.malloc(50_000) for _ in range(2000)]
[ctypes.memset(one, 1, 50_000) for one in kept]
[libc.free(one) for one in kept[:-1]]
before = resident()
threads.give_back()
print(before - resident())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc has it")
def test_what_is_not_used_is_given_back() -> None:
    program = [sys.executable, "-c", GIVING_BACK]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    assert int(done.stdout) > 10_000  # pages of 4 KiB


NEVER_ENDING = """
import asyncio, time
from mediarip_mqtt import threads


async def main():
    work = asyncio.ensure_future(threads.call(time.sleep, 60))
    await asyncio.sleep(0.1)
    work.cancel()


asyncio.run(main())
"""


def test_a_copy_that_goes_on_does_not_keep_the_process_from_ending() -> None:
    subprocess.run([sys.executable, "-c", NEVER_ENDING], check=True, timeout=20)
