"""merge(): fetch, read, adapt, clean, de-duplicate, count, write, publish."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus import __version__
from mindcorpus.artifacts import CARD, CORPUS, Staging, Store
from mindcorpus.cards import corpus_card
from mindcorpus.catalog import SUFFIXES, Catalog, Source, load_catalog
from mindcorpus.crew import Crew, Finished, Task
from mindcorpus.deduplication import Numbers, find_twins, read_column
from mindcorpus.errors import DataError, MindcorpusError, SettingsError, storage_errors
from mindcorpus.gathering import LOCK, Gathered, gather, lock_of
from mindcorpus.encoding import CSV_HEADER, JSON_END
from mindcorpus.hashing import Written, lay_out
from mindcorpus.fetched import Fetched, FetchedFile, verify
from mindcorpus.lineage import LineageJob, PartOrigin, write_lineage
from mindcorpus.manifests import SCHEMA_VERSION, describe, write_manifest, write_text
from mindcorpus.parts import Part, PartJob, build_part
from mindcorpus.progress import Cancellation, Progress, Reporter, Stage, silent
from mindcorpus.reading import plan_shards
from mindcorpus.requests import MergeRequest
from mindcorpus.sealing import Sealing
from mindcorpus.settings import Settings
from mindcorpus.statistics import StatisticsJob, compute_statistics
from mindcorpus.writing import WriteJob, write_part


@dataclass(frozen=True)
class MergeResult:
    """A published corpus: where it is and what it holds."""

    manifest: dict[str, Any]
    statistics: dict[str, Any]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    """What a user should know about the sources that were merged, or skipped as absent."""
    missing: tuple[dict[str, Any], ...]
    """Sources that failed and were left out as asked: source, code, reason, hint."""
    json_path: Path
    csv_path: Path
    parquet_path: Path
    lineage_path: Path
    manifest_path: Path


def merge(
    request: MergeRequest,
    settings: Settings,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
) -> MergeResult:
    """Merge the sources a request names into one corpus and publish it.

    The corpus that was there stays whole until the new one is complete. Raises `ExistsError`
    where it may not be replaced, the first failing source's error unless failures are allowed,
    `SettingsError`, `CatalogError`, `StorageError` and `CancelledError`.
    """
    cancel = cancel or Cancellation()
    catalog = _chosen(request)
    store = Store(settings.data_dir)
    store.refuse_to_overwrite("corpus", force=request.force)
    with store.stage("corpus") as staging, storage_errors(settings.data_dir):
        gathered = gather(request, catalog, settings, report, cancel)
        _lock_new(gathered, settings)
        crew = Crew(settings.workers)
        job = _Merge(request, catalog, gathered, staging, crew, report, cancel)
        manifest = job.run()
        report(Progress("publish"))
        cancel.check()
        store.publish("corpus", staging.output, staging)
        gathered.lock.with_sources(job.locked).write(settings.data_dir / LOCK)
    return MergeResult(
        manifest=manifest,
        statistics=manifest["statistics"],
        warnings=tuple(manifest["warnings"]),
        notes=job.notes,
        missing=tuple(manifest["missing"]),
        json_path=store.path("corpus", f"{CORPUS}.json"),
        csv_path=store.path("corpus", f"{CORPUS}.csv"),
        parquet_path=store.path("corpus", f"{CORPUS}.parquet"),
        lineage_path=store.path("corpus", f"{CORPUS}.lineage.parquet"),
        manifest_path=store.path("corpus", f"{CORPUS}.manifest.json"),
    )


def _chosen(request: MergeRequest) -> Catalog:
    return (
        load_catalog([Path(file) for file in request.catalogs])
        .with_options(request.options)
        .choose(request.sources, request.exclude, commercial_only=request.commercial_only)
    )


def _lock_new(gathered: Gathered, settings: Settings) -> None:
    """Lock what was fetched for the first time at once: a second try fetches only what is missing.

    Locks that are moved are written with the corpus, so that a failed upgrade changes nothing.
    """
    new = {
        fetched.source: entry
        for fetched in gathered.fetched
        if fetched.source not in gathered.lock.sources and (entry := lock_of(fetched))
        if all(file.sha256 for file in fetched.files)
    }
    if new:
        gathered.lock.with_sources(new).write(settings.data_dir / LOCK)


@dataclass(frozen=True)
class _Shards:
    """Where a file's parts stand in the list of all parts."""

    source: Source
    fetched: Fetched
    file: FetchedFile
    tasks: range
    check: int | None
    """The task that hashes the file, if it was not hashed when it was fetched."""


class _Merge:
    """One merge, step by step; what the steps share."""

    def __init__(
        self,
        request: MergeRequest,
        catalog: Catalog,
        gathered: Gathered,
        staging: Staging,
        crew: Crew,
        report: Reporter,
        cancel: Cancellation,
    ) -> None:
        self.request = request
        self.catalog = catalog
        self.gathered = gathered
        self.staging = staging
        self.crew = crew
        self.report = report
        self.cancel = cancel
        self.failures: dict[str, MindcorpusError] = dict(gathered.failures)
        self.locked: dict[str, Any] = {}
        self.inputs: dict[str, Fetched] = {}
        self.notes: tuple[str, ...] = ()

    def run(self) -> dict[str, Any]:
        """Do everything up to a staged output with its manifest; give the manifest."""
        origins, parts = self._read()
        self._refuse_failures()
        if not parts:
            raise SettingsError(
                "no source is left to merge",
                hint="Look at --source, --exclude and the messages above.",
            )
        twins = self._find_twins(origins)
        statistics, outputs = self._write(origins, parts, twins)
        return self._describe(parts, statistics, outputs)

    # Reading

    def _read(self) -> tuple[list[PartOrigin], list[Part]]:
        tasks: list[Task] = []
        items: list[str] = []
        files: list[_Shards] = []
        for fetched in self.gathered.fetched:
            source = self.catalog[fetched.source]
            try:
                for file in fetched.files:
                    made = self._tasks(source, fetched, file, len(tasks))
                    files.append(made[0])
                    tasks += made[1]
                    items += [source.name] * len(made[1])
            except DataError as error:
                self._fail(source.name, error)
        results = self._run("read", tasks, items, sum(file.file.size for file in files))
        origins: list[PartOrigin] = []
        parts: list[Part] = []
        for source_files in _by_source(files):
            try:
                found = _parts(source_files, results)
            except MindcorpusError as error:
                self._fail(source_files[0].source.name, error)
                continue
            self._accept(source_files, results)
            for origin, part in found:
                origins.append(origin)
                parts.append(part)
        return origins, parts

    def _tasks(
        self, source: Source, fetched: Fetched, file: FetchedFile, first: int
    ) -> tuple[_Shards, list[Task]]:
        entry = next((entry for entry in source.files if entry.path == file.path), None)
        tasks = []
        read_as = entry.read_as if entry else SUFFIXES[file.local.suffix.lower()]
        for number, shard in enumerate(plan_shards(file.local, file.path, read_as)):
            target = self.staging.scratch / f"part-{first + number:05d}"
            tags = (*source.tags, *(entry.tags if entry else ()))
            job = PartJob(shard, source.name, source.type, tags, source.build_adapter(), target)
            tasks.append(Task(build_part, job))
        shards = range(first, first + len(tasks))
        check = None
        if not file.sha256:
            check = first + len(tasks)
            tasks.append(Task(_verify, (file, source.name)))
        return _Shards(source, fetched, file, shards, check), tasks

    def _fail(self, source: str, error: MindcorpusError) -> None:
        error.source = error.source or source
        self.failures.setdefault(source, error)

    def _accept(self, files: Sequence[_Shards], results: Sequence[Any]) -> None:
        fetched = files[0].fetched
        checked = tuple(
            results[file.check] if file.check is not None else file.file for file in files
        )
        fetched = Fetched(fetched.source, fetched.origin, fetched.revision, checked)
        self.inputs[fetched.source] = fetched
        if entry := lock_of(fetched):
            self.locked[fetched.source] = entry

    def _refuse_failures(self) -> None:
        if not self.failures or self.request.allow_missing:
            return
        first, *others = self.failures.values()
        if others:
            also = "; ".join(str(error) for error in others)
            first.hint = f"{first.hint} Also failed: {also}."
        first.hint = f"{first.hint} Or publish without it: --allow-missing.".strip()
        raise first

    # Planning

    def _find_twins(self, origins: Sequence[PartOrigin]) -> Numbers:
        self.report(Progress("deduplicate", rows=sum(origin.kept for origin in origins)))
        count = sum(origin.kept for origin in origins)
        twins = find_twins([origin.index for origin in origins], count, self.cancel.check)
        np.save(self._twins_path, twins)
        return twins

    @property
    def _twins_path(self) -> Path:
        return self.staging.scratch / "twins.npy"

    # Writing

    def _write(
        self, origins: Sequence[PartOrigin], parts: Sequence[Part], twins: Numbers
    ) -> tuple[dict[str, Any], list[Written]]:
        output = self.staging.output
        folder = output / f"{CORPUS}.parquet"
        folder.mkdir()
        written = [part for part in _planned(parts, twins) if part.kept]
        json_path, csv_path = output / f"{CORPUS}.json", output / f"{CORPUS}.csv"
        json_regions = lay_out(json_path, b"", [part.json_bytes for part in written], JSON_END)
        csv_regions = lay_out(csv_path, CSV_HEADER, [part.csv_bytes for part in written], b"")
        tasks = [
            Task(compute_statistics, StatisticsJob(tuple(origins), self._twins_path), heavy=True),
            Task(
                write_lineage,
                LineageJob(tuple(origins), self._twins_path, output / f"{CORPUS}.lineage.parquet"),
            ),
        ]
        for number, planned in enumerate(written):
            origin = origins[planned.number]
            job = WriteJob(
                records=parts[planned.number].records,
                stays=planned.stays,
                source=origin.source,
                type=origin.type,
                first=number == 0,
                parquet=folder / f"part-{number:05d}.parquet",
                json=json_regions[number],
                csv=csv_regions[number],
            )
            tasks.append(Task(write_part, job))
        text = sum(part.csv_bytes for part in written)
        names = ["statistics", "lineage", *("JSON, CSV and Parquet" for _ in written)]
        with (
            Sealing(json_path, json_regions) as json_seal,
            Sealing(csv_path, csv_regions) as csv_seal,
        ):

            def finished(task: int) -> None:
                if task >= 2:
                    json_seal.complete(task - 2)
                    csv_seal.complete(task - 2)

            statistics, lineage, *parquet = self._succeeded("write", tasks, names, text, finished)
        rows = sum(part.kept for part in written)
        return statistics, [json_seal.written(rows), csv_seal.written(rows), *parquet, lineage]

    # Describing

    def _describe(
        self, parts: Sequence[Part], statistics: dict[str, Any], outputs: Sequence[Written]
    ) -> dict[str, Any]:
        sources = [self._source_entry(name, statistics) for name in self.inputs]
        self._assert_accounts(parts, sources, outputs)
        missing = [
            {"source": name, "code": error.code, "reason": str(error), "hint": error.hint}
            for name, error in self.failures.items()
        ]
        merged = [self.catalog[name] for name in self.inputs]
        absent = [self.catalog[name].absent for name in self.gathered.absent]
        self.notes = (
            *(f"{source.name}: {source.note}" for source in merged if source.note),
            *absent,
        )
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "kind": "corpus",
            "tool": {"name": "mindcorpus", "version": __version__},
            "settings": _settings_entry(self.request),
            "rows": statistics["records"],
            "sources": sources,
            "missing": missing,
            "absent": list(self.gathered.absent),
            "warnings": [
                *(f"Published without {entry['source']}: {entry['reason']}" for entry in missing),
                *(source.licence.warning for source in merged if source.licence.warning),
            ],
            "statistics": statistics,
            "outputs": describe(outputs, self.staging.output),
        }
        card = write_text(self.staging.output / CARD, corpus_card(manifest))
        manifest["outputs"] += describe([card], self.staging.output)
        write_manifest(self.staging.output, manifest)
        return manifest

    def _source_entry(self, name: str, statistics: Mapping[str, Any]) -> dict[str, Any]:
        source, fetched = self.catalog[name], self.inputs[name]
        mapping = source.model_dump_json(include={"adapter", "type", "tags", "files", "options"})
        return {
            "name": name,
            "origin": fetched.origin,
            "revision": fetched.revision,
            "files": [
                {"path": file.path, "size": file.size, "sha256": file.sha256}
                for file in fetched.files
            ],
            "licence": source.licence.model_dump(),
            "mapping_sha256": hashlib.sha256(mapping.encode()).hexdigest(),
            **statistics["sources"][name],
        }

    def _assert_accounts(
        self,
        parts: Sequence[Part],
        sources: Sequence[Mapping[str, Any]],
        outputs: Sequence[Written],
    ) -> None:
        """Nothing vanishes: what the readers counted is what the statistics account for."""
        for source in sources:
            dropped = sum(source["dropped"].values())
            duplicates = sum(source["duplicates"].values())
            assert source["read"] == source["kept"] + dropped + duplicates, source["name"]
        read = sum(source["read"] for source in sources)
        kept = sum(source["kept"] for source in sources)
        assert read == sum(part.units for part in parts)
        written = Counter({output.path.suffix: 0 for output in outputs})
        for output in outputs:
            written["records" if output.path.parent.suffix else output.path.suffix] += output.rows
        assert written["records"] == written[".json"] == written[".csv"] == kept
        assert written[".parquet"] == read

    # Running

    def _succeeded(
        self,
        stage: Stage,
        tasks: Sequence[Task],
        items: Sequence[str],
        total: int,
        finished: Finished,
    ) -> list[Any]:
        results = self._run(stage, tasks, items, total, finished)
        for result in results:
            if isinstance(result, MindcorpusError):
                raise result
        return results

    def _run(
        self,
        stage: Stage,
        tasks: Sequence[Task],
        items: Sequence[str],
        total: int,
        finished: Finished = lambda _task: None,
    ) -> list[Any]:
        done = rows = 0

        def heard(task: int, new_rows: int, size: int) -> None:
            nonlocal done, rows
            rows += new_rows
            done += size
            self.report(Progress(stage, items[task], rows, done, total))

        return self.crew.run(tasks, heard, self.cancel, finished)


@dataclass(frozen=True)
class _Planned:
    """What of a part goes into the corpus, and how many bytes of the merged files it takes."""

    number: int
    kept: int
    stays: bytes | None
    json_bytes: int
    csv_bytes: int


def _planned(parts: Sequence[Part], twins: Numbers) -> Iterator[_Planned]:
    first = 0
    for number, part in enumerate(parts):
        stays = twins[first : first + part.kept] < 0
        first += part.kept
        json_bytes, csv_bytes = (
            int(read_column(part.index, column, np.int64)[stays].sum())
            for column in ("json_bytes", "csv_bytes")
        )
        mask = None if stays.all() else stays.tobytes()
        yield _Planned(number, int(stays.sum()), mask, json_bytes, csv_bytes)


def _verify(what: tuple[FetchedFile, str], tick: Callable[[int, int], None]) -> FetchedFile:
    file, source = what
    return verify(file, source, lambda _size: tick(0, 0))


def _by_source(files: Sequence[_Shards]) -> list[list[_Shards]]:
    grouped: dict[str, list[_Shards]] = {}
    for file in files:
        grouped.setdefault(file.source.name, []).append(file)
    return list(grouped.values())


def _parts(files: Sequence[_Shards], results: Sequence[Any]) -> list[tuple[PartOrigin, Part]]:
    """Give the parts of one source in order; raise the first error any of its tasks met."""
    found: list[tuple[PartOrigin, Part]] = []
    for file in files:
        if file.check is not None and isinstance(results[file.check], MindcorpusError):
            raise results[file.check]
        first_row = 0
        for at in file.tasks:
            part = results[at]
            if isinstance(part, MindcorpusError):
                part.row = None if part.row is None else part.row + first_row
                raise part
            origin = PartOrigin(
                index=part.index,
                kept=part.kept,
                source=file.source.name,
                type=file.source.type,
                file=file.file.path,
                revision=file.fetched.revision or file.fetched.origin,
                licence=file.source.licence.id,
                first_row=first_row,
            )
            found.append((origin, part))
            first_row += part.rows
    if not any(part.kept for _, part in found):
        raise _nothing_kept(files[0].source, [part for _, part in found])
    return found


def _nothing_kept(source: Source, parts: Sequence[Part]) -> DataError:
    units = sum(part.units for part in parts)
    first = next((part.first_drop for part in parts if part.first_drop), None)
    if first is None:
        return DataError("the files hold no rows", source=source.name)
    evidence = f": {first.evidence}" if first.evidence else ""
    return DataError(
        f"none of its {units} rows gives a record; the first: {first.reason}{evidence}",
        source=source.name,
        row=first.number,
        hint="Check that the file is the source's, and the columns its catalogue entry names.",
    )


def _settings_entry(request: MergeRequest) -> dict[str, Any]:
    """Give what of the request shapes the corpus, in an order of its own; no paths of the machine."""
    return {
        "sample": request.sample,
        "sources": None if request.sources is None else sorted(set(request.sources)),
        "exclude": sorted(set(request.exclude)),
        "commercial_only": request.commercial_only,
        "allow_missing": request.allow_missing,
        "options": dict(sorted(request.options.items())),
        "paths": sorted(request.paths),
    }
