import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from server import ROOT, SMOL, TINY, Candor  # noqa: E402
from upstream import Upstream  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes minutes; ./check --slow")


def need(path, what):
    """Skips a test by hand whose model or client is not there; ./check has got them, so there it fails."""
    if not pathlib.Path(path).exists():
        (pytest.fail if os.environ.get("CANDOR_CHECK") else pytest.skip)(f"{what} is not there: {path}")


def add_auditor(server):
    server.run("key", "auditor")
    return server


@pytest.fixture(scope="session")
def smol(tmp_path_factory):
    """The default model, served to all tests that only ask."""
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    with Candor(tmp_path_factory.mktemp("smol"), {"smollm2": SMOL}) as server:
        yield add_auditor(server)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A model of a megabyte, served to all tests that only ask."""
    need(TINY, "the tiny model")
    with Candor(tmp_path_factory.mktemp("tiny"), {"tiny": TINY}) as server:
        yield add_auditor(server)


@pytest.fixture(scope="session")
def embedding(tmp_path_factory):
    """The default model, configured so that it embeds too."""
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    server = Candor(tmp_path_factory.mktemp("embedding"), {})
    server.configure(f'[[model]]\nname = "smollm2"\npath = "{SMOL}"\ncontext = 2048\nflags = ["--embeddings", "--pooling", "mean"]\n')
    with server:
        yield add_auditor(server)


@pytest.fixture(scope="session")
def shown(tmp_path_factory):
    """The default model with a chat template that has tools and thinking, and shows it how both look: it calls by itself, and it thinks."""
    need(SMOL, "the default model (tools/default_model.sh .cache/models)")
    server = Candor(tmp_path_factory.mktemp("shown"), {})
    template = pathlib.Path(__file__).parent / "shown.jinja"
    server.configure(f'[[model]]\nname = "smollm2"\npath = "{SMOL}"\ncontext = 2048\nthreads = 1\nchat_template = "{template}"\n')
    with server:
        yield add_auditor(server)


@pytest.fixture
def own_tiny(tmp_path):
    """A server of the test's own, not started yet."""
    need(TINY, "the tiny model")
    server = Candor(tmp_path / "own", {"tiny": TINY})
    yield server
    server.__exit__()


@pytest.fixture
def upstream():
    """An engine that somebody else runs; each stream goes on at once."""
    made = Upstream()
    yield made
    made.close()


@pytest.fixture
def slow_upstream():
    """The same; after its first word each stream waits for the test."""
    made = Upstream(gate=True)
    yield made
    made.close()


@pytest.fixture
def own(tmp_path):
    """A server without models, for the test to configure; not started yet."""
    server = Candor(tmp_path / "own", {})
    yield server
    server.__exit__()


@pytest.fixture(scope="session")
def node():
    folder = ROOT / ".cache" / "node"
    need(folder / "node_modules", "Node's clients (tests/e2e/setup.sh)")
    return folder
