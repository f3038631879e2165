"""Progress: who asks for it, where it goes and what it says."""

import io
import re
import subprocess
import sys
import threading

import pytest

from sksim import _progress
from sksim._progress import (
    ProgressBar,
    progress_in_lines,
    progress_shown,
    tracked,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def every_step(monkeypatch):
    """Bars that are drawn after each step, however fast."""

    class Eager(_progress._Line):
        def __init__(self, *args):
            super().__init__(*args)
            self.mininterval = 0

    monkeypatch.setattr(_progress, "_Line", Eager)


def run(total=4):
    with ProgressBar(total, "work") as bar:
        for i in range(total):
            bar.step(f"part {i}")


def test_loops_say_nothing_unless_asked(capsys):
    assert list(tracked(range(3), "work")) == [0, 1, 2]
    with progress_shown(0):
        list(tracked(range(3), "work"))
    run(0)
    assert capsys.readouterr() == ("", "")
    with progress_shown(1):
        assert list(tracked(range(3), "work")) == [0, 1, 2]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "work [########################] 3/3" in captured.err
    list(tracked(range(3), "work"))
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("every_step")
def test_label_count_remaining_time_and_name_of_the_step(capsys):
    run()
    lines = capsys.readouterr().err.replace("\r", "\n").split("\n")
    drawn = [line.rstrip() for line in lines if line.strip()]
    assert drawn[0] == "work [........................] 0/4, ? left"
    assert re.fullmatch(r"work \[#{6}\.{18}\] 1/4, 00:0\d left, part 0", drawn[1])
    assert re.fullmatch(r"work \[#{24}\] 4/4, 00:00 left, part 3", drawn[-1])


def test_a_log_keeps_the_last_line_only(capsys):
    run(1000)
    written = capsys.readouterr().err
    assert len(written) < 300
    assert written.endswith("\n")
    assert "1000/1000" in written


def test_a_terminal_is_left_clean(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    run()
    written = terminal.getvalue()
    assert "work [" in written
    assert "\n" not in written
    assert written.rsplit("\r", 2)[-2].strip() == ""


def test_a_failure_ends_the_line(capsys):
    with pytest.raises(ZeroDivisionError), ProgressBar(2, "work"):
        raise ZeroDivisionError
    assert capsys.readouterr().err.endswith("\n")


def test_no_thread_is_started(capsys):
    before = threading.active_count()
    with ProgressBar(2, "work"):
        assert threading.active_count() == before


def test_a_bar_that_is_not_shown_makes_no_locks():
    program = (
        "import tqdm\n"
        "from sksim._progress import ProgressBar, tracked\n"
        "list(tracked('ab', 'work'))\n"
        "ProgressBar(2, 'work', enabled=False)\n"
        "assert not hasattr(tqdm.tqdm, '_lock')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_lines_of_a_log_come_every_few_seconds(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 5.0, 6.0, 9.0, 10.5, 11.0])
    monkeypatch.setattr(_progress.time, "monotonic", lambda: next(clock))
    with progress_in_lines():
        run(3)  # at 1, 5 and 6 seconds
        with ProgressBar(None, "more") as bar:  # at 9, 10.5 and 11
            for _ in range(3):
                bar.step()
    assert capsys.readouterr() == (
        "",
        "work: 2 of 3, part 1 (5 s)\nmore: 2 (10 s)\n",
    )
    monkeypatch.undo()
    run(2)
    assert "work [####" in capsys.readouterr().err
    with progress_in_lines():
        ProgressBar(2, "work", enabled=False).step()
        run(2)
    assert capsys.readouterr().err == ""
