"""Typical mistakes on a command line: one line each, with the remedy, and exit code 2."""

import pytest

from memjax.cli.leaving import code_of
from memjax.cli.main import main

MISTAKES = {
    "swep": "did you mean sweep?",
    "sweep --model memjax/tiny": "--model: no such option; did you mean --models?",
    "sweep --modles=memjax/tiny": "--modles: no such option; did you mean --models?",
    "sweep --zzz": "--zzz: no such option; see --help",
    "sweep --limit many": "--limit: expected a whole number, got 'many'",
    "sweep --limit": "--limit: expected a value, got none",
    "sweep --limit 0": "leave it out to use every image",
    "sweep --seed 1.5": "--seed: expected a whole number, got '1.5'",
    "sweep --tokens clss": "--tokens: expected one of 'cls', 'mean', 'pooled', got 'clss'",
    "sweep --tokens cls --tokens clss": "--tokens: expected one of 'cls', 'mean', 'pooled', got 'clss'",
    "sweep --method spearmann": "--method: expected one of 'spearman', 'pearson', 'kendall', got 'spearmann'",
    "sweep --metrics cls_men": "cls_mean",
    "sweep photos": "photos: belongs to no option; see --help",
    "sweep --follow-links=yes": "yes: belongs to no option",
    "sweep --images photos": "add --scores FILE.csv",
    "sweep --images nope --scores s.csv": "--images nope: expected a folder, got nothing there",
    "sweep --scores s.csv": "add --images DIR",
    "sweep --features-only": "add --images DIR",
    "sweep --dataset lnsym": "known are demo, lnsim",
    "sweep --dataset lnsim": "a data folder is needed",
    "sweep --dataset demo --images photos --scores s.csv": "leave one out",
    "sweep --models ./nope": "a folder with config.json, got no such folder",
    "sweep --models memjax/tiny --models memjax/tiny": "encoders of different names",
    "sweep --processes 2": "only with --distributed",
    "sweep --batch-size -1": "--batch-size: expected a whole number from 1",
    "saes --features nope": "run a sweep first",
    "saes --learning-rate fast": "--learning-rate: expected a number, got 'fast'",
    "saes --variant topk": "take protocol modern",
    "saes --protocol papers": "--protocol: expected one of 'paper', 'paper-split', 'modern', got 'papers'",
    "atlas --features nope": "train some on it first (--saes)",
    "predict --predictor nope --images photos": "name the folder of a saved predictor",
    "compare --run a": "--run: no such option; did you mean --runs?",
    "datasets extra": "extra: belongs to no option",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line_with_the_remedy(
    line: str, capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"no image")
    assert code_of(lambda: main(line.split())) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1
    assert MISTAKES[line] in said
    assert "<class" not in said
