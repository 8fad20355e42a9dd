"""The blueprint that all routes of the API hang on."""

from __future__ import annotations

from apiflask import APIBlueprint

api = APIBlueprint("api", __name__, tag="Data", url_prefix="/api/ai/data")
