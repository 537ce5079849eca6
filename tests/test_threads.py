"""Threads of matrix products: one for the command, and whatever the environment says."""

import os

import pytest

from rasp import threads


@pytest.mark.parametrize(
    ("command", "given", "count"), [(True, {}, "1"), (False, {}, None), (True, {"OMP_NUM_THREADS": "4"}, None)]
)
def test_the_command_takes_one_thread_a_product(
    monkeypatch: pytest.MonkeyPatch, command: bool, given: dict[str, str], count: str | None
) -> None:
    monkeypatch.setattr(os, "environ", dict(given))
    monkeypatch.setattr(threads, "is_command", lambda: command)
    threads.one_a_product()
    assert os.environ.get("OPENBLAS_NUM_THREADS") == count
