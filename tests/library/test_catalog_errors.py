"""A wrong entry is an error that names the file, the entry and the field."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalog_entry import ENTRY, LICENCE

from mindcorpus.errors import CatalogError, SettingsError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.choice import choose_sources
from mindcorpus.sources.catalog import load_catalog, read_entries
from mindcorpus.sources.columns_adapter import Columns


def fails(text: str) -> CatalogError:
    with pytest.raises(CatalogError) as caught:
        read_entries(text, "my.toml")
    assert caught.value.file == "my.toml"
    return caught.value


def test_the_entry_that_the_errors_below_spoil_is_right() -> None:
    (source,) = read_entries(ENTRY, "my.toml")
    assert source.build_adapter() == Columns(input="q", response="a")


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ('tags = ["a"]', 'tagz = ["a"]', "tagz", "not permitted"),
        ('tags = ["a"]', 'tags = "a"', "tags", "valid tuple"),
        ('tags = ["a"]', "tags = [1]", "tags.0", "valid string"),
        ('type = "talk"', "", "type", "required"),
        ('type = "talk"', 'type = ""', "type", "at least 1 character"),
        ('name = "own"', 'name = "o wn"', "name", "pattern"),
        ('name = "own"', 'name = "../own"', "name", "pattern"),
        ('name = "own"', "", "name", "required"),
        (LICENCE, "", "licence", "required"),
        ('terms = "Keep the notice."', "", "licence.terms", "required"),
        ('id = "MIT"', 'id = ""', "licence.id", "at least 1 character"),
        ('id = "MIT"', 'spdx = "MIT"', "licence.id", "required"),
        ('commercial = "yes"', 'commercial = "maybe"', "licence.commercial", "after-payment"),
        ('"me/mine"', '"mine"', "repository", "pattern"),
        ('"me/mine"', '"../mine"', "repository", "pattern"),
        ('"me/mine"', '"me/mine\\n"', "repository", "pattern"),
        ('repository = "me/mine"', 'url = "ftp://x"', "url", "pattern"),
        ('repository = "me/mine"', "", None, "exactly one of repository, url or path"),
        ('"me/mine"', '"me/mine"\npath = "."', None, "exactly one of repository, url or path"),
        ('"me/mine"', '"me/mine"\nurl = "https://x"', None, "exactly one of"),
        ('"me/mine"', '"me/mine"\nadapter = "rows"', "adapter", "there are columns, last_mark"),
        ("rows.csv", "rows.txt", "files.0", "say format = …"),
        ("rows.csv", "rows", "files.0", "say format = …"),
        ('"rows.csv"', '"rows.csv"\nformat = "xml"', "files.0.format", "'json'"),
        ("rows.csv", "../rows.csv", "files.0.path", "within the repository"),
        ("rows.csv", "a/../../rows.csv", "files.0.path", "within the repository"),
        ("rows.csv", "/etc/rows.csv", "files.0.path", "within the repository"),
        ('"rows.csv"', '"rows.csv"\npaht = "x"', "files.0.paht", "not permitted"),
        ('input = "q"', "", "options.input", "required"),
        ('input = "q"', "input = 1", "options.input", "valid string"),
        ('input = "q"', 'input = "q"\nanswer = "a"', "options.answer", "nexpected keyword"),
        ('input = "q"', 'input = "q"\ncut_response_at = "("', "options.cut_response_at", "regular"),
        (
            'input = "q"',
            'input = "q"\ntag_columns = [{ colum = "x" }]',
            "options.tag_columns.0.column",
            "required",
        ),
    ],
)
def test_an_error_names_the_file_the_entry_and_the_field(
    old: str, new: str, field: str | None, words: str
) -> None:
    assert ENTRY.count(old) == 1
    error = fails(ENTRY.replace(old, new))
    assert error.field == field
    assert words in error.title
    named = {'name = "own"': "number 1" if not new else new[8:-1]}.get(old, "own")
    assert error.source == named
    assert error.title.startswith(f"entry {named}: ")


def test_a_limit_below_nothing_names_the_options() -> None:
    text = ENTRY.replace('"me/mine"', '"me/mine"\nadapter = "last_mark"')
    spoilt = text.replace('input = "q"\nresponse = "a"', 'text = "t"\nmax_chars = -1')
    error = fails(spoilt)
    assert (error.field, error.source) == ("options", "own")
    assert "0 for no limit" in error.title


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[source]\n", "not TOML"),
        ("", "holds no source"),
        ("[source]\nname = 'own'\n", "catalogue is [[source]] tables"),
        ("source = [1]\n", "catalogue is [[source]] tables"),
        (ENTRY + "[[sources]]\nname = 'x'\n", "holds sources"),
    ],
)
def test_what_is_no_catalogue_is_an_error(text: str, words: str) -> None:
    assert words in fails(text).title


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="No such file"):
        load_catalog([tmp_path / "none.toml"])
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(CatalogError, match="not UTF-8"):
        load_catalog([tmp_path / "latin.toml"])


@pytest.mark.parametrize("name", ["TRACE", "own"])
def test_a_name_is_given_once(tmp_path: Path, name: str) -> None:
    path = tmp_path / "my.toml"
    path.write_text(ENTRY + ENTRY.replace('"own"', f'"{name}"'), "utf-8")
    with pytest.raises(CatalogError, match=f"entry {name}: the name is taken") as caught:
        load_catalog([path])
    assert (caught.value.file, caught.value.field) == (str(path), "name")


def test_an_option_of_a_name_that_a_stage_has_too_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(ENTRY.replace('"own"', '"exact_duplicates"'), "utf-8")
    request = MergeRequest(catalogs=(str(path),), options={"exact_duplicates.input": "q"})
    with pytest.raises(SettingsError, match="both a source and a row stage are called 'exact_dup"):
        choose_sources(request)
    mistyped = request.model_copy(update={"options": {"exact_duplicate.input": "q"}})
    with pytest.raises(SettingsError, match="no source or row stage is called 'exact_duplicate'"):
        choose_sources(mistyped)
    without = request.model_copy(update={"options": {}})
    assert "exact_duplicates" in choose_sources(without).names
