"""Shared by the integration tests: one running suite a module, unless a test makes its own."""

import pathlib
import resource
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.gatehouse import Suite  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: not beside other tests: it loads the machine, or counts on its time")


@pytest.fixture(scope="module")
def descriptors():
    """As many open files as may be had, here and in what is started."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def suite():
    with Suite() as running:
        yield running
