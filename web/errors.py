"""Errors about requests: what a client asked that the API does not take, or does not have.

MindcorpusError
└── RequestError
    ├── MalformedBodyError    malformed-body      the body is not JSON
    ├── MediaTypeError        media-type          the body says that it is not JSON
    ├── InvalidRequestError   invalid-request     a field, a parameter or a header is wrong
    ├── RecordNotFoundError   record-not-found    the corpus has no such row
    ├── ArtifactNotFoundError artifact-not-found  there is no such file to download
    ├── WrongHostError        wrong-host          the service is asked under a name not its own
    ├── SourcesOffError       sources-off         nobody may add sources here
    ├── SourceRefusedError    source-refused      not of a folder or owner that may be read
    ├── SourceUnfitError      source-unfit        what was named cannot be a source
    ├── TokenBusyError        token-busy          the token has as much open as one may
    ├── BusyError             busy                this process has no room for more of the kind
    └── StreamsFullError      too-many-streams    this process keeps no more streams open
"""

from __future__ import annotations

from mindcorpus.errors import MindcorpusError


class RequestError(MindcorpusError):
    """The root of the errors about requests."""


class MalformedBodyError(RequestError):
    """The body of a request is not JSON."""

    code = "malformed-body"


class MediaTypeError(RequestError):
    """The body of a request says of itself that it is not JSON."""

    code = "media-type"


class RecordNotFoundError(RequestError):
    """The corpus has no such row."""

    code = "record-not-found"


class ArtifactNotFoundError(RequestError):
    """There is no such file to download."""

    code = "artifact-not-found"


class WrongHostError(RequestError):
    """The service is asked under a name that is not its own."""

    code = "wrong-host"


class SourcesOffError(RequestError):
    """The operator names no folder and no owner whose sources may be added."""

    code = "sources-off"


class SourceRefusedError(RequestError):
    """What was named lies in no folder, and is of no owner, that the operator names."""

    code = "source-refused"


class SourceUnfitError(RequestError):
    """What was named cannot be a source, or not be inspected."""

    code = "source-unfit"


class TokenBusyError(RequestError):
    """The token has as much open at once as one token may."""

    code = "token-busy"


class BusyError(RequestError):
    """The process works on as many requests of the kind as it has room for."""

    code = "busy"


class StreamsFullError(RequestError):
    """The process keeps as many streams of events open as it may."""

    code = "too-many-streams"
