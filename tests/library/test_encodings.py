"""Text in any encoding: decided by file, not by row; guessed only where it is sure, and locked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from files_of_data import lines_of, merge_own, pairs_of, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mindcorpus.errors import DataError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.distributed import find_files, make_parts
from mindcorpus.merging.distributed_writing import merge_parts
from mindcorpus.merging.shards import SourceFiles
from mindcorpus.progress import Cancellation, silent
from mindcorpus.settings import Settings
from mindcorpus.sources.readers.encoding_guess import guess
from mindcorpus.sources.readers.encodings import SURE, Scan, scan_file

TEXTS = {
    "cp1252": "He said “I don’t know” – and left… It’s fine. ",
    "cp1250": "Źle śpię, co mam robić? Czuję się zmęczony, łóżko jest niewygodne. ",
    "cp1251": "Я плохо сплю. Что мне делать? Мне грустно и тревожно. ",
    "koi8-r": "Я плохо сплю. Что мне делать? Мне грустно и тревожно. ",
    "iso8859-5": "Я плохо сплю. Что мне делать? Мне грустно и тревожно. ",
    "cp1256": "لا أنام جيدا في الليل، وأشعر بالقلق كل يوم. ماذا أفعل؟ ",
    "cp1253": "Δεν κοιμάμαι καλά. Τι να κάνω; Είμαι πολύ κουρασμένος. ",
    "cp932": "よく眠れません。どうすればいいですか。",
    "gb18030": "我睡不好，该怎么办？我很难过。",
    "big5": "我睡不好,該怎麼辦?我很難過。",
    "cp949": "잠을 잘 못 자요. 어떻게 해야 할까요? ",
}
FRENCH = "Je suis très fatigué, ça ne va pas. Où êtes-vous né? Élève à l’école. "


def sure(content: bytes) -> str:
    """Give the encoding that is guessed, if it is sure."""
    found = guess(content, bytes(sorted({byte for byte in content if byte > 0x7F})))
    return found[0].encoding if found and found[0].confidence >= SURE else ""


def test_the_typographic_rows_of_windows_1252_are_kept(tmp_path: Path) -> None:
    rows = [{"question": f"Plain {at}?", "answer": "Plain."} for at in range(50)]
    rows[7] = {"question": "Wie geht’s?", "answer": "Schön – “danke”…"}
    content = "question,answer\n" + "".join(f"{row['question']},{row['answer']}\n" for row in rows)
    home = written(tmp_path / "data", {"rows.csv": content.encode("cp1252")})
    result = merge_own(home, tmp_path / "out")

    assert pairs_of(result) == rows
    (file,) = result.manifest["sources"][0]["files"]
    assert file["guessed_encoding"] == "cp1252"
    lock = json.loads((tmp_path / "out/sources.lock").read_bytes())
    assert lock["encodings"] == {file["sha256"]: "cp1252"}


def test_a_guess_is_replayed_from_the_lock(tmp_path: Path) -> None:
    home = written(
        tmp_path / "data", {"rows.csv": "question,answer\nWie geht’s?,Gut\n".encode("cp1252")}
    )
    first = merge_own(home, tmp_path / "out")
    sha256 = first.manifest["sources"][0]["files"][0]["sha256"]
    (tmp_path / "again").mkdir()
    lock = {"version": 1, "sources": {}, "encodings": {sha256: "cp437"}}
    (tmp_path / "again/sources.lock").write_text(json.dumps(lock))

    assert pairs_of(first)[0]["question"] == "Wie geht’s?"
    assert pairs_of(merge_own(home, tmp_path / "again"))[0]["question"] == "Wie gehtÆs?"


@pytest.mark.parametrize("encoding", TEXTS)
def test_what_is_sure_is_guessed(encoding: str) -> None:
    assert sure((TEXTS[encoding] * 4).encode(encoding)) == encoding


@pytest.mark.parametrize("encoding", ["cp1255", "iso8859-8"])
def test_hebrew_is_never_taken_for_cyrillic(encoding: str) -> None:
    text = "האם אתה ישן טוב בלילה? לא, אני מתעורר הרבה ומרגיש עייף בבוקר. "
    assert sure((text * 4).encode(encoding)) in ("", encoding)


@pytest.mark.parametrize("text", ["Müde;Ja", "at the café", FRENCH, "I don’t know", "costs 5 €"])
def test_western_text_is_read_as_windows_reads_it(text: str) -> None:
    assert text.encode("cp1252").decode(sure(text.encode("cp1252"))) == text


def test_what_is_not_sure_is_an_error_that_names_candidates_and_the_key(tmp_path: Path) -> None:
    content = "question,answer\nHe was naïve about it,Yes\n".encode("cp1252")
    home = written(tmp_path / "data", {"rows.csv": content})

    with pytest.raises(DataError, match=r"may be cp1252 .* or cp1250") as caught:
        merge_own(home, tmp_path / "out")
    assert 'encoding = "cp1252"' in caught.value.hint
    read = merge_own(home, tmp_path / "said", 'encoding = "cp1252"')
    assert pairs_of(read)[0]["question"] == "He was naïve about it"


def test_a_utf8_file_with_a_few_broken_rows_drops_those_alone(tmp_path: Path) -> None:
    rows = [{"question": f"Schläft er {at}? 😴", "answer": "Ça va."} for at in range(9)]
    content = lines_of(rows[:4]) + b'{"question": "caf\xe9", "answer": "x"}\n' + lines_of(rows[4:])
    result = merge_own(written(tmp_path / "data", {"rows.jsonl": content}), tmp_path / "out")

    assert pairs_of(result) == rows
    assert result.statistics["sources"]["Own"]["dropped"] == {"not-utf8": 1}


@pytest.mark.parametrize("broken", [b"\xff", b"\xfe\xff\x81"])
def test_bytes_that_are_no_text_anywhere_cost_their_row_alone(
    tmp_path: Path, broken: bytes
) -> None:
    content = b"question,answer\nHow?,So.\nWhy?," + broken + b"\n"
    result = merge_own(written(tmp_path / "data", {"rows.csv": content}), tmp_path / "out")
    assert pairs_of(result) == [{"question": "How?", "answer": "So."}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.json"])
def test_what_a_mark_or_its_zeros_say_is_no_guess(tmp_path: Path, encoding: str, name: str) -> None:
    rows = [{"question": "Schläft er schlecht? 😴", "answer": "“Да” and much Latin"}]
    text = {
        "rows.csv": "question,answer\r\nSchläft er schlecht? 😴,“Да” and much Latin\r\n",
        "rows.jsonl": lines_of(rows).decode(),
        "rows.json": json.dumps(rows, ensure_ascii=False),
    }[name]
    home = written(tmp_path / "data", {name: text.encode(encoding)})
    result = merge_own(home, tmp_path / "out")

    assert pairs_of(result) == rows
    assert "guessed_encoding" not in result.manifest["sources"][0]["files"][0]


def test_a_file_has_an_encoding_of_its_own(tmp_path: Path) -> None:
    texts = {"a.csv": ("Źle śpię", "cp1250"), "b.csv": ("Müde", "cp850")}
    home = written(
        tmp_path / "data",
        {
            name: f"question,answer\n{text},Ja\n".encode(encoding)
            for name, (text, encoding) in texts.items()
        },
    )
    said = 'encoding = "cp850"\n[[source.files]]\npath = "a.csv"\nencoding = "cp1250"\n'
    said += '[[source.files]]\npath = "b.csv"'
    found = pairs_of(merge_own(home, tmp_path / "out", said))
    assert [pair["question"] for pair in found] == ["Źle śpię", "Müde"]


def test_an_encoding_that_is_wrong_is_an_error_with_the_place(tmp_path: Path) -> None:
    home = written(tmp_path / "data", {"rows.csv": b"question,answer\nM\x81de,Ja\n"})
    with pytest.raises(DataError, match="not cp1252, at about byte 17"):
        merge_own(home, tmp_path / "out", 'encoding = "cp1252"')


def test_workers_of_a_service_read_it_alike(tmp_path: Path) -> None:
    home = written(
        tmp_path / "data", {"a.csv": "question,answer\nWie geht’s?,Gut\n".encode("cp1252")}
    )
    whole = merge_own(home, tmp_path / "whole")
    request = MergeRequest(catalogs=(str(tmp_path / "whole.toml"),), sources=("Own",))
    fanned = Settings(data_dir=tmp_path / "fanned", workers=1)
    found = find_files(request, "Own", fanned, silent, Cancellation())
    assert found is not None
    travelled = SourceFiles.from_dict(json.loads(json.dumps(found.as_dict())))
    make_parts(request, travelled, travelled.shards, fanned, silent, Cancellation())
    result = merge_parts(request, {"Own": travelled}, fanned, silent, Cancellation())

    assert result.manifest["sources"] == whole.manifest["sources"]
    locks = [tmp_path / name / "sources.lock" for name in ("whole", "fanned")]
    assert locks[0].read_bytes() == locks[1].read_bytes()


@settings(max_examples=300)
@given(content=st.binary(max_size=60) | st.text(max_size=40).map(str.encode), cut=st.integers(1, 7))
def test_a_scan_of_pieces_says_what_python_says_of_the_whole(content: bytes, cut: int) -> None:
    scan = Scan()
    for at in range(0, len(content), cut):
        scan.feed(content[at : at + cut])
    scan.finish()
    try:
        content.decode()
        expected = True
    except UnicodeDecodeError:
        expected = False
    assert scan.is_utf8 == expected
    assert scan.has_marks == (b"\n\xef\xbb\xbf" in content or b"\r\xef\xbb\xbf" in content)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(alphabet="aé’–“ñß\n", max_size=300))
def test_a_file_in_windows_1252_is_never_taken_for_utf8_where_it_is_not(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(text.encode("cp1252"))
    try:
        text.encode("cp1252").decode()
    except UnicodeDecodeError:
        assert not scan_file(path).is_utf8
    else:
        assert scan_file(path).is_utf8
