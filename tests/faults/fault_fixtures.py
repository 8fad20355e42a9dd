"""What the tests of faults lean on: a service to hurt, and a reader that watches it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cluster import Cluster
    from invariants import Sound, Watcher

    from workers.jobs.job import Job


#: Debian's, or whichever is installed; that of the extra `local`, for `make run` without one.
INSTALLED, EMBEDDED = "installed", "embedded"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `quick` with both servers."""
    if metafunc.definition.get_closest_marker("quick"):
        metafunc.parametrize("server", [INSTALLED, EMBEDDED], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that the others run beside it; change servers once."""

    def place(item: pytest.Item) -> tuple[bool, bool]:
        given = (
            item.callspec.params
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else {}
        )
        return "soak" not in item.nodeid, given.get("server") == EMBEDDED

    items.sort(key=place)


@pytest.fixture(scope="session")
def needs_redis() -> None:
    from redis_server import find_binary

    if find_binary() is None:
        message = "there is no redis-server; install it with apt-get install redis-server"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


class _Scene:
    """A cluster and its reader, kept from test to test as long as all is well."""

    def __init__(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self._folders = tmp_path_factory
        self._server = INSTALLED
        self._cluster: Cluster | None = None
        self._watcher: Watcher | None = None

    def ready(self, server: str) -> tuple[Cluster, Watcher]:
        from cluster import Cluster
        from invariants import Watcher
        from redis_server import RedisServer, find_embedded

        if server != self._server:
            self.close()
            self._server = server
        if self._cluster is None:
            folder = self._folders.mktemp("cluster")
            binary = find_embedded() if server == EMBEDDED else None
            self._cluster = Cluster(folder, redis=RedisServer(folder / "redis", binary=binary))
            self._watcher = Watcher(self._cluster.data_dir, folder / "reader.log")
        assert self._watcher is not None
        self._cluster.heal(2)
        return self._cluster, self._watcher

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
        if self._cluster is not None:
            self._cluster.stop()
        self._cluster = self._watcher = None


@pytest.fixture(scope="session")
def scene(needs_redis: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Scene]:
    made = _Scene(tmp_path_factory)
    yield made
    made.close()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> str:
    """Which server keeps the jobs; what is marked `quick` runs once with each."""
    chosen: str = getattr(request, "param", INSTALLED)
    return chosen


@pytest.fixture
def watched(scene: _Scene, server: str) -> tuple[Cluster, Watcher]:
    """A service with two workers and nothing to do, and the reader of its artifacts."""
    try:
        return scene.ready(server)
    except BaseException:
        scene.close()
        raise


@pytest.fixture
def cluster(watched: tuple[Cluster, Watcher]) -> Cluster:
    """A service with two workers and nothing to do."""
    return watched[0]


@pytest.fixture
def sound(scene: _Scene, watched: tuple[Cluster, Watcher]) -> Iterator[Sound]:
    """Check that all is as it must be, with the jobs given; not to call it is an error."""
    from invariants import assert_sound

    called: list[bool] = []

    def check(jobs: Sequence[Job], seconds: float = 45) -> dict[str, Job]:
        ended = assert_sound(*watched, jobs, seconds)
        called.append(True)
        return ended

    yield check
    if not called:
        # Failed: who knows what is left. The next test has a new one.
        scene.close()


@pytest.fixture
def build(needs_redis: None, tmp_path: Path) -> Iterator[Callable[..., tuple[Cluster, Watcher]]]:
    """Give a function that makes a service with settings of the test's own."""
    from cluster import Cluster
    from invariants import Watcher

    made: list[tuple[Cluster, Watcher]] = []

    def start(workers: int = 1, **options: Any) -> tuple[Cluster, Watcher]:
        folder = tmp_path / f"cluster{len(made)}"
        cluster = Cluster(folder, **options)
        made.append((cluster, Watcher(cluster.data_dir, folder / "reader.log")))
        cluster.heal(workers)
        return made[-1]

    yield start
    for cluster, watcher in made:
        watcher.stop()
        cluster.stop()
