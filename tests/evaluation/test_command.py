"""The table by one command, which goes on where it was stopped."""

import numpy as np
import pandas as pd
import pytest

from sksim.evaluation import MeasureTable, _command

SMALL = ["--seeds", "2", "--parts", "quality", "--tests", "quality_accuracy"]


@pytest.fixture
def run(tmp_path):
    def run(*arguments):
        options = ["--out", str(tmp_path / "out"), "--data-home", str(tmp_path)]
        options += ["--kinds", "digits", "--quiet", *SMALL]
        return _command.main([*options, *arguments]), tmp_path / "out"

    return run


def test_what_is_done_is_not_done_again(run, monkeypatch, capsys):
    status, out = run("--measures", "CKA")
    assert status == 0
    assert "4 measures, 8 values, of which 0 are failures" in capsys.readouterr().out
    first = MeasureTable.from_csv(out)
    assert first.table["measure"].unique().tolist() == [
        *("CKA", "PerformanceDifference", "Magnitude", "random")
    ]
    assert np.isfinite(first.table["value"]).all()
    judged = []

    def only(zoo, judges, *args, **kwargs):
        judged.append(list(judges))
        return iter(())

    monkeypatch.setattr(_command, "judged", only)
    assert run("--measures", "CKA")[0] == 0
    assert not judged
    pd.testing.assert_frame_equal(MeasureTable.from_csv(out).table, first.table)
    # stopped before the second measure was done
    assert run("--measures", "CKA", "RSA")[0] == 0
    assert judged == [["RSA"]]
    monkeypatch.undo()
    run("--measures", "CKA", "RSA")
    both = MeasureTable.from_csv(out).table
    assert set(both["measure"]) == {*first.table["measure"], "RSA"}
    kept = both[both["measure"] == "CKA"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, first.table[:2])


def test_another_setting_is_another_table(run):
    _, out = run("--measures", "CKA")
    run("--measures", "CKA", "--time-limit", "3")
    run("--measures", "CKA", "--seeds", "3")
    assert len(list((out / "parts").iterdir())) == 3
    names = {_command._file_name(label) for label in ("CKA(a=1)", "CKA(a=2)")}
    assert len(names) == 2


def test_wrong_arguments(run, capsys):
    assert run("--measures", "CKAA")[0] == 1
    assert "There is no measure or family 'CKAA'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("--kinds", "mnist")
