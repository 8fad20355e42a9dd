"""What stages decided is read back in pieces: verdicts, kin, and the corpus rows that follow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mindcorpus.corpus import lineage
from mindcorpus.corpus.kin import Kin
from mindcorpus.corpus.lineage import CorpusRows
from mindcorpus.corpus.row_facts import none_of
from mindcorpus.corpus.verdicts import Reason, Verdicts


@given(st.lists(st.sampled_from([0, 0, 0, 1, 2]), max_size=300))
@example([0] * 64)
@example([1] * 65 + [0])
def test_a_record_that_stays_has_as_many_before_it_as_stay(
    tmp_path_factory: pytest.TempPathFactory, codes: list[int]
) -> None:
    path = tmp_path_factory.mktemp("codes") / "code.npy"
    np.save(path, np.array(codes, np.int16))
    stay = [at for at, code in enumerate(codes) if code == 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lineage, "_AT_ONCE", 128)
        rows = CorpusRows(path)
    assert rows.of(np.array(stay, np.int32)).tolist() == list(range(len(stay)))
    assert rows.codes_of(np.arange(len(codes))).tolist() == codes


def test_verdicts_and_kin_are_read_back_piece_by_piece(tmp_path: Path) -> None:
    reason = Reason("rare")
    verdicts = Verdicts.none(5).leave_out(np.array([1, 3]), reason, np.array([0, 2]))
    saved = verdicts.save(tmp_path)
    pieces = [saved.of(0, 2), saved.of(2, 2), saved.of(2, 5)]
    assert [code for each in pieces for code in each.code.tolist()] == [0, 1, 0, 1, 0]
    assert [twin for each in pieces for twin in each.twin.tolist()] == [-1, 0, -1, 2, -1]
    assert {each.reasons for each in pieces} == {(reason,)}
    kin = Kin(np.array([-1, -1, 0]), none_of(3)).save(tmp_path)
    assert kin.of(1, 3).answer.tolist() == [-1, 0]
    assert kin.of(0, 3).opening.tolist() == [-1] * 3
