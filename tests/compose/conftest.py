import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parent)]

import gates  # noqa: E402


@pytest.fixture(scope="session")
def gate():
    """Only against a compose installation: scripts/compose-test names it in GH_E2E."""
    with gates.chosen() as running:
        assert isinstance(running, gates.ComposeGate), "run scripts/compose-test"
        yield running
