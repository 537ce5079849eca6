"""Options that several tests use."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite expected texts from what is printed now")


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """Whether expected texts should be rewritten."""
    return bool(request.config.getoption("--update"))
