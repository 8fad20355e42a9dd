"""What is answered where no view is reached: to what is no request, or did not arrive in time."""

from __future__ import annotations

from uuid import uuid4

import structlog
from waitress.task import ErrorTask
from waitress.utilities import Error

from web.access.headers import ALWAYS, STRICT
from web.problems import MEDIA_TYPE, refusal


class RequestTimeoutError(Error):  # type: ignore[misc]  # waitress has no types
    """A request that began and did not end in time."""

    code = 408
    reason = "Request Timeout"


class Refusal(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Answers with a problem, as views do, and leaves a line in the log."""

    def execute(self) -> None:
        """Answer, and close the connection: what else comes through it cannot be told apart."""
        error = self.request.error
        number = uuid4().hex
        body = refusal(error.code)
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            ("Content-Type", MEDIA_TYPE),
            ("Content-Security-Policy", STRICT),
            ("Cache-Control", "no-store"),
            ("X-Request-ID", number),
            *ALWAYS.items(),
        ]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)
        log = structlog.get_logger("web.access")
        log.info("request", request_id=number, status=error.code)
