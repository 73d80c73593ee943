import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import gates  # noqa: E402


@pytest.fixture(scope="session")
def gate():
    with gates.chosen() as running:
        yield running
