"""What a client is told of a failure, and which failures may pass."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from mindcorpus import errors as library
from mindcorpus.errors import MindcorpusError, SourcesError, StorageError, storage_errors
from workers import errors as service
from workers.errors import JobLostError, describe, lost_too_often
from workers.execution.failures import is_of_source, may_pass, pause, revived


def storage(number: int) -> StorageError:
    """Give the library's error for one of the system's."""
    with pytest.raises(StorageError) as caught, storage_errors(Path("data")):
        raise OSError(number, "it is so", "/home/someone/data/file")
    return caught.value


def test_an_error_is_told_with_its_place() -> None:
    error = library.DataError(
        "not JSON", hint="Mend it.", source="TRACE", file="rows.json", row=7, field="q"
    )
    assert describe(error) == {
        "code": "bad-data",
        "title": "not JSON",
        "detail": "not JSON (file rows.json, row 7, field q)",
        "hint": "Mend it.",
        "remedy": None,
        "source": "TRACE",
    }


def test_paths_of_the_machine_are_not_told() -> None:
    described = json.dumps(describe(storage(errno.ENOSPC)))
    assert "/home" not in described
    assert json.loads(described)["detail"] == json.loads(described)["title"]


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (library.HubUnavailableError("x"), True),
        (library.RateLimitedError("x"), True),
        (service.RedisUnavailableError("x"), True),
        (library.AccessDeniedError("x"), False),
        (library.NotFoundError("x"), False),
        (library.WrongBytesError("x"), False),
        (library.DataError("x"), False),
        (library.ExistsError("x"), False),
        (library.StorageError("x"), False),
        (service.OutOfMemoryError("x"), False),
        (service.UnexpectedError("x"), False),
    ],
)
def test_what_may_pass(error: MindcorpusError, passes: bool) -> None:
    assert may_pass(error) is passes


def test_a_full_disk_may_pass_and_a_forbidden_one_does_not() -> None:
    assert may_pass(storage(errno.ENOSPC))
    assert may_pass(storage(errno.EDQUOT))
    assert not may_pass(storage(errno.EACCES))
    assert not may_pass(storage(errno.EROFS))


def test_what_a_merge_could_go_on_without() -> None:
    assert is_of_source(library.NotFoundError("x"))
    assert is_of_source(library.DataError("x"))
    assert not is_of_source(storage(errno.ENOSPC))
    assert not is_of_source(service.OutOfMemoryError("x"))
    assert not is_of_source(JobLostError("x"))


def test_pauses_double_up_to_five_minutes_and_are_never_nothing() -> None:
    for tries in range(12):
        longest = min(300.0, 5.0 * 2**tries)
        pauses = [pause(tries, 5.0) for _ in range(200)]
        assert min(pauses) >= longest / 10
        assert max(pauses) <= longest
        assert max(pauses) > longest * 0.7
        assert len(set(pauses)) > 100


def kinds() -> list[type[MindcorpusError]]:
    found: list[type[MindcorpusError]] = [MindcorpusError]
    for kind in found:
        found += kind.__subclasses__()
    return [kind for kind in found if not issubclass(kind, SourcesError)]


def test_every_error_comes_back_with_the_code_it_had() -> None:
    for kind in kinds():
        described = describe(kind("a title", hint="a hint", source="TRACE"))
        again = revived(json.loads(json.dumps(described)))
        assert describe(again) == described


def test_an_error_of_an_unknown_code_is_an_error_still() -> None:
    described = {"code": "of-tomorrow", "title": "a title", "hint": "", "source": None}
    assert str(revived(described)) == "a title"


def test_several_sources_failures_come_back_as_one() -> None:
    described = describe(SourcesError((library.DataError("x", source="a"),)))
    assert revived(described).title == described["title"]


def test_how_often_a_process_died() -> None:
    assert lost_too_often(1)["title"] == "the process that worked on it died once"
    assert lost_too_often(3)["title"] == "the process that worked on it died 3 times"
    assert lost_too_often(3)["code"] == JobLostError.code
