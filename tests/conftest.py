"""Options that several tests use, and a shorter second opinion: tests compile thousands of models."""

import pytest

from compiler.run import second_opinion

second_opinion.MOST = 12


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite expected texts from what is printed now")
    parser.addoption("--programs", type=int, default=250, help="how many random programs of each family to compare")
    parser.addoption("--seed", type=int, default=0, help="seed of the first random program of each family")
    parser.addoption("--vertices", type=int, default=3, help="all graphs of up to so many vertices are compared")
    parser.addoption("--graphs", type=int, default=12, help="how many graphs of each generator are asked about")
    parser.addoption("--commands", action="store_true", help="run every command of every page of docs/")
    parser.addoption(
        "--replayed", type=int, default=30, help="how many random inputs of each model other runtimes replay"
    )


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """Whether expected texts should be rewritten."""
    return bool(request.config.getoption("--update"))


@pytest.fixture
def replayed(request: pytest.FixtureRequest) -> int:
    """How many random inputs are replayed in another runtime."""
    return int(request.config.getoption("--replayed"))
