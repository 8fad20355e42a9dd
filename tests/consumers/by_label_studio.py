"""Holds tasks against a labelling interface with Label Studio's own check of tasks."""

from __future__ import annotations

import json
from pathlib import Path

import reading
from label_studio_sdk.label_interface import LabelInterface

_CONFIG = """<View>
  <Text name="input" value="$input"/>
  <Text name="response" value="$response"/>
  <Choices name="quality" toName="response"><Choice value="good"/><Choice value="bad"/></Choices>
</View>"""


def _folder(folder: Path) -> reading.Files:
    interface = LabelInterface(_CONFIG)
    interface.validate()
    tasks = json.loads((folder / "tasks.json").read_text("utf-8"))
    assert all(interface.validate_task(task) for task in tasks)
    return {"tasks.json": [reading.row(task) for task in tasks]}


if __name__ == "__main__":
    reading.read_all({"label-studio": _folder})
