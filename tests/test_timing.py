"""Seconds of passes that ask for each other."""

from __future__ import annotations

import itertools

import pytest

from compiler.timing import Stopwatch


def test_a_pass_does_not_count_the_seconds_of_those_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    monkeypatch.setattr("compiler.timing.time.perf_counter", lambda: float(next(ticks)))
    watch = Stopwatch()
    with watch.running("layout"):
        with watch.running("values"):
            pass
        with watch.running("graph"), watch.running("values"):
            pass
    assert watch.seconds == {"values": 2.0, "graph": 2.0, "layout": 3.0}
