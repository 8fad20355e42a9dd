"""The overview: what there is, in figures and charts that lead on, and files to take away."""

from __future__ import annotations

import hashlib
import re
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect
from registered import FORMATS
from visiting import Look, figure

if TYPE_CHECKING:
    from browser_fixtures import Visit
    from running import Service

Dashboard = tuple["Service", str]


@pytest.fixture
def statistics(dashboard: Dashboard) -> dict[str, Any]:
    """What the API tells of the same corpus."""
    with dashboard[0].client() as client:
        statistics: dict[str, Any] = client.get("/statistics").raise_for_status().json()
    return statistics


def rows_of(page: Page, name: str) -> dict[str, str]:
    """Open the table behind a chart, and read it."""
    section = page.locator(f"section[aria-labelledby='{name}-heading']")
    section.get_by_text("Table").click()
    expect(section.get_by_role("table")).to_be_visible()
    return {
        row.get_by_role("cell").nth(0).inner_text(): row.get_by_role("cell").nth(1).inner_text()
        for row in section.locator("tbody tr").all()
    }


def test_it_says_what_the_corpus_is(
    visit: Visit, dashboard: Dashboard, statistics: dict[str, Any]
) -> None:
    page = visit(dashboard[0]).enter(then="/")
    figures = page.locator(".figures")
    for name in (
        f"{statistics['records']:,}",
        f"{len(statistics['by_source'])}",
        f"{len(statistics['by_tag'])}",
    ):
        expect(figures).to_contain_text(name)
    built = page.locator(".built time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", built.get_attribute("title") or "")
    assert "UTC" not in built.inner_text()  # it is the reader's own time
    expect(page.locator(".built")).to_contain_text("synthetic sample")


@pytest.mark.parametrize("name", ["source", "type", "tag"])
def test_behind_a_chart_stands_a_table_and_behind_a_bar_its_records(
    visit: Visit, dashboard: Dashboard, statistics: dict[str, Any], name: str
) -> None:
    page = visit(dashboard[0]).enter(then="/")
    table = rows_of(page, f"by-{name}")
    assert table == {word: f"{count:,}" for word, count in statistics[f"by_{name}"].items()}
    word, count = next(iter(statistics[f"by_{name}"].items()))
    chart = page.locator(f"section[aria-labelledby='by-{name}-heading'] svg")
    chart.get_by_role("link", name=word).first.click()
    expect(page.get_by_role("heading", name="Records")).to_be_visible()
    assert figure(page.locator("#count")) == count
    expect(page.get_by_label(name.capitalize(), exact=True)).to_have_value(word)


def test_the_bars_of_lengths_lead_to_as_many_records_as_they_say(
    visit: Visit, dashboard: Dashboard, statistics: dict[str, Any]
) -> None:
    page = visit(dashboard[0]).enter(then="/")
    counts = [int(count.replace(",", "")) for count in rows_of(page, "by-length").values()]
    assert sum(counts) == statistics["records"]
    links = page.locator("section[aria-labelledby='by-length-heading'] svg a")
    assert links.count() == len(counts)
    links.nth(1).click()
    assert figure(page.locator("#count")) == counts[1]


def test_what_was_dropped_and_why_adds_up(
    visit: Visit, dashboard: Dashboard, statistics: dict[str, Any]
) -> None:
    page = visit(dashboard[0]).enter(then="/")
    for source, counts in statistics["sources"].items():
        kept, read = counts["kept"], counts["read"]
        row = page.locator("#licences tr", has=page.get_by_text(source, exact=True))
        expect(row).to_contain_text(f"{kept:,} of {read:,} rows")
    left_out = page.locator("section[aria-labelledby='left-out-heading']")
    left_out.get_by_text("Table").click()
    cells = left_out.locator("tbody tr td:nth-child(3)").all()
    gone = sum(counts["read"] - counts["kept"] for counts in statistics["sources"].values())
    assert sum(figure(cell) for cell in cells) == gone


def test_licences_say_their_terms_and_what_the_mixture_permits(
    visit: Visit, dashboard: Dashboard
) -> None:
    service, _ = dashboard
    page = visit(service).enter(then="/")
    with service.client() as client:
        sources = client.get("/sources").raise_for_status().json()["sources"]
    licences = page.locator("#licences")
    for source in sources:
        row = licences.locator("tr", has=page.get_by_text(source["name"], exact=True))
        expect(row).to_contain_text(source["licence"]["id"])
        expect(row).to_contain_text(source["licence"]["terms"])
    expect(licences).to_contain_text("at least one source forbids it")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_what_is_downloaded_has_the_sha256_that_is_shown(
    visit: Visit, dashboard: Dashboard, tmp_path: Path, *, script: bool
) -> None:
    page = visit(dashboard[0], Look(script=script)).enter(then="/")
    files = page.locator("#format-openai .files li, #files > .files li")
    summed = [file for file in files.all() if file.locator(".sum").count()]
    assert len(summed) >= 3
    for file in summed:
        file.get_by_text("sha256").click()
        shown = file.locator("code").inner_text()
        with page.expect_download() as download:
            file.get_by_role("link").click()
        target = tmp_path / download.value.suggested_filename
        download.value.save_as(target)
        assert hashlib.sha256(target.read_bytes()).hexdigest() == shown
        assert file.get_by_role("link").inner_text().endswith(target.name)


def test_a_folder_comes_as_an_archive(visit: Visit, dashboard: Dashboard, tmp_path: Path) -> None:
    page = visit(dashboard[0]).enter(then="/")
    with page.expect_download() as download:
        page.locator("#format-huggingface").get_by_role("link", name=".tar").first.click()
    download.value.save_as(tmp_path / "folder.tar")
    with tarfile.open(tmp_path / "folder.tar") as archive:
        assert any(name.endswith(".arrow") for name in archive.getnames())


def test_formats_show_rows_and_the_proof_of_their_split(visit: Visit, dashboard: Dashboard) -> None:
    service, _ = dashboard
    page = visit(service).enter(then="/")
    for kind in FORMATS:
        card = page.locator(f"#format-{kind}")
        with service.client() as client:
            found = client.get("/artifacts").raise_for_status().json()["artifacts"][kind]
        rows = {file["rows"] for file in found if file["rows"]}
        assert figure(card.locator("strong").first) in rows
    expect(page.locator("#format-huggingface")).to_contain_text("The split does not leak")
