"""Label Studio tasks: one JSON array, a task a record, the part of the split among its data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mindcorpus.formats.annotation import AnnotationEncoder, Record
from mindcorpus.formats.lines import LineFile, LineFormat, Lines


class Tasks(AnnotationEncoder):
    """Encodes records as tasks."""

    def value(self, record: Record) -> dict[str, Any]:
        """Give a task: all that is known of the record are its data."""
        return {"data": record._asdict()}


class LabelStudio(LineFormat):
    """A folder with all tasks in one file, which is imported as it is."""

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them."""
        return [Lines(Tasks)]

    def files(self) -> Sequence[LineFile]:
        """Give its one file."""
        return [LineFile("tasks.json", lines, array=True) for lines in self.lines()]


FORMAT = LabelStudio
