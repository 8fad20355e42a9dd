"""`mindcorpus push` as it is typed, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from command_line import Session, run
from corpora import digests
from hub_uploads import OWNER, TOKEN, let_write

if TYPE_CHECKING:
    from hub_server import HubServer
    from made_sample import Made

pytest_plugins = ("made_sample",)


def test_a_push_is_told_in_a_line_or_as_json(hub: HubServer, sample: Made, tmp_path: Path) -> None:
    uploads = let_write(hub)
    home = f"{OWNER}/openai"
    asked = ("push", home, "--format", "openai", "--data-dir", sample.data_dir)
    done = run(*asked, cwd=tmp_path, HF_TOKEN=TOKEN, HF_ENDPOINT=hub.url)
    assert done.code == 0, done.err
    assert (
        f"Pushed the openai export to {hub.url}/datasets/{home}, private: 377 records, " in done.out
    )
    assert "LFS" not in done.err
    assert "Xet" not in done.err
    again = run(*asked, "--json", cwd=tmp_path, HF_TOKEN=TOKEN, HF_ENDPOINT=hub.url)
    assert (again.json["changed"], again.json["rows"], again.json["public"]) == (False, 377, False)
    assert len(uploads.commits) == 1


def test_a_terminal_shows_how_far_it_is(hub: HubServer, sample: Made, tmp_path: Path) -> None:
    let_write(hub)
    hub.fail("slow", match="POST .*/preupload/", seconds=1)
    with Session(
        "push", f"{OWNER}/corpus", "--data-dir", sample.data_dir,
        cwd=tmp_path, HF_TOKEN=TOKEN, HF_ENDPOINT=hub.url,
    ) as session:  # fmt: skip
        session.expect("publish")
        session.expect("Pushed the corpus to")
        assert session.end() == 0


def test_what_goes_wrong_is_told_with_its_code(
    hub: HubServer, sample: Made, tmp_path: Path
) -> None:
    uploads = let_write(hub)
    where = ("--data-dir", sample.data_dir)
    home = f"{OWNER}/corpus"
    for arguments, token, code, words in (
        ((home,), "", 9, "error: there is no token for the hub"),
        ((home,), "hf_wrong", 9, "error: the hub does not take the token"),
        (("other/x",), TOKEN, 9, "error: the token may not write to other/x"),
        ((home, "--public"), TOKEN, 9, "RedditESS (LicenseRef-None forbids it)"),
        ((home, "--format", "x"), TOKEN, 3, "error: there is no 'x'"),
        ((home, "--format", "sharegpt"), TOKEN, 6, "there is no sharegpt format"),
        (("nowhere",), "", 3, "error: 'nowhere' is no place to push to"),
        ((home, "--corpus", "--format", "openai"), "", 2, "are two things"),
    ):
        done = run("push", *arguments, *where, cwd=tmp_path, HF_ENDPOINT=hub.url, HF_TOKEN=token)
        assert (done.code, done.out) == (code, ""), done.err
        assert words in done.err
        assert "Traceback" not in done.err
    assert uploads.repositories() == []


def test_a_folder_needs_no_token_and_no_hub(sample: Made, tmp_path: Path) -> None:
    done = run("push", "./out", "--data-dir", sample.data_dir, "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    held = Path(done.json["address"])
    assert held.parent == tmp_path / "out"
    assert digests(held) == digests(sample.data_dir / "artifacts/corpus")
