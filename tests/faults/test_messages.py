"""Messages only wake: none is missed, and no more lie about than there are jobs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sources import LOCAL, fill

from workers.jobs.messages import QUEUES

if TYPE_CHECKING:
    from cluster import Cluster
    from invariants import Sound

#: Longer than a message was waited for before another was sent, when each job had its own.
_NOBODY = 12.0


def test_jobs_that_wait_pile_up_no_messages_and_need_none(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, *LOCAL)
    cluster.heal(0)
    cluster.start_web()
    jobs = [cluster.merge(*LOCAL[:number]) for number in range(1, len(LOCAL) + 1)]
    with cluster.redis.client() as client:

        def messages() -> int:
            return sum(client.llen(f"mindcorpus:{queue}") for queue in QUEUES)

        sent, end = messages(), time.monotonic() + _NOBODY
        assert sent
        while time.monotonic() < end:
            assert messages() == sent, "nobody takes them, and one wakes as well as two"
            time.sleep(0.2)
        client.delete(*(f"mindcorpus:{queue}" for queue in QUEUES))
    cluster.heal(2)
    assert {job.state for job in sound(jobs, 90).values()} == {"succeeded"}
    assert cluster.web is not None
    cluster.web.kill()
