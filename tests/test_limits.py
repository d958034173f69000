"""A call in a child process comes back or is ended at its limits, with all that it started."""

import ctypes
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import psutil
import pytest

from skflow.benchmark._limits import FORKS, MIB, _peak_rss, call_limited, describe

needs_fork = pytest.mark.skipif(not FORKS, reason="the system cannot fork safely")


def call(function, *args, time_limit_s=30, memory_limit_mib=2000, **kwargs):
    return call_limited(
        function, *args, time_limit_s=time_limit_s, memory_limit_mib=memory_limit_mib, **kwargs
    )


def identify(x):
    return x, os.getpid()


def allocate_in_parts(mib):
    return sum(part[0] for part in [np.ones(1024) for _ in range(mib * MIB // 8192)])


def allocate(mib):
    return float(np.ones(mib * MIB // 8).sum())


def allocate_for_ever():
    blocks = []
    while True:
        blocks.append(np.ones(MIB))


def start_another(path, code):
    child = subprocess.Popen([sys.executable, "-c", code])
    path.write_text(str(child.pid))
    time.sleep(60)


def chatter():
    print("chatter")
    os.system("echo more chatter")
    warnings.warn("chatter in a warning", stacklevel=1)


def gone(pid, seconds=10):
    """Whether a process ends soon."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("start_method", [pytest.param("fork", marks=needs_fork), "spawn"])
def test_value_and_memory(start_method):
    held = np.ones(200 * MIB // 8)  # this process's own memory must not count
    (value, pid), error, peak, timed_out = call(identify, 7, start_method=start_method)
    assert (value, error, timed_out) == (7, None, False)
    assert pid != os.getpid()
    assert gone(pid)
    assert 0 <= peak < 50
    outcome = call(allocate, 300, start_method=start_method)
    assert outcome.value == 300 * MIB / 8
    assert 290 < outcome.peak_memory_mib < 350
    del held


def test_memory_that_was_freed_here_counts_in_the_child():
    """A forked child would fill up what this process has freed before it grows."""
    parts = [np.ones(1024) for _ in range(60 * MIB // 8192)]  # too small to be mapped by themselves
    kept = parts[::1000]  # what is free between them is not returned by itself
    del parts
    outcome = call(allocate_in_parts, 40)
    assert 35 < outcome.peak_memory_mib < 80
    assert len(kept) == 8


def test_time_limit():
    start = time.monotonic()
    outcome = call(time.sleep, 60, time_limit_s=0.3)
    assert outcome[:2] == (None, "TimeLimit: over 0.3 s")
    assert 0.3 < time.monotonic() - start < 10


def test_memory_limit():
    outcome = call(allocate_for_ever, memory_limit_mib=200)
    assert outcome[:2] == (None, "MemoryLimit: over 200 MiB")
    assert 200 < outcome.peak_memory_mib < 2000


def test_memory_that_is_given_back_at_once_counts():
    assert call(allocate, 100, memory_limit_mib=50).error == "MemoryLimit: over 50 MiB"


def test_memory_of_its_own_children_counts(tmp_path):
    code = "import time; x = bytearray(300 * 2**20); time.sleep(60)"
    outcome = call(start_another, tmp_path / "pid", code, memory_limit_mib=200)
    assert outcome.error == "MemoryLimit: over 200 MiB"
    assert gone(int((tmp_path / "pid").read_text()))


def test_its_own_children_end_with_it(tmp_path):
    code = "import time; time.sleep(60)"
    outcome = call(start_another, tmp_path / "pid", code, time_limit_s=0.5)
    assert outcome.error == "TimeLimit: over 0.5 s"
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("function", "argument", "error"),
    [
        (int, "x", "ValueError: invalid literal for int() with base 10: 'x'"),
        (os._exit, 3, "Died: exit code 3"),
        (sys.exit, 4, "Died: exit code 4"),
        (ctypes.string_at, 0, "Died: signal 11"),
        (signal.raise_signal, 9, "Died: signal 9"),
    ],
)
def test_failures(function, argument, error):
    assert call(function, argument)[:2] == (None, error)


def test_it_is_quiet(capfd):
    assert call(chatter).error is None
    assert call(int, "x").error
    assert capfd.readouterr() == ("", "")


def test_it_ends_with_its_caller(tmp_path):
    code = (
        "import os, sys, time; from skflow.benchmark._limits import call_limited\n"
        "def sleep():\n"
        "    open(sys.argv[1] + '-', 'w').write(str(os.getpid()))\n"
        "    os.rename(sys.argv[1] + '-', sys.argv[1])\n"
        "    time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    call_limited(sleep, time_limit_s=60, memory_limit_mib=1000)\n"
    )
    script, pid = tmp_path / "caller.py", tmp_path / "pid"
    script.write_text(code)
    with subprocess.Popen([sys.executable, str(script), str(pid)]) as caller:
        end = time.monotonic() + 60
        while not pid.exists() and time.monotonic() < end:
            time.sleep(0.05)
        caller.kill()
    assert gone(int(pid.read_text()))


def test_describe():
    assert describe(KeyError()) == "KeyError"
    assert describe(ValueError("one\n  two")) == "ValueError: one two"
    assert len(describe(ValueError("long " * 1000))) == 300


def test_peak_rss():
    assert _peak_rss() >= psutil.Process().memory_info().rss * 0.9
