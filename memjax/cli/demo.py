"""The embedded demo as a run that has kept token vectors, for the commands that need one and are given none."""

from pathlib import Path


def demo_tokens(out: Path) -> Path:
    """The embedded demo's cls tokens, extracted where they are not yet; the run's folder."""
    from memjax.datasets import open_dataset
    from memjax.encoder import load
    from memjax.extract import extract
    from memjax.pipelines.settings import SweepSettings
    from memjax.storage import locked

    with locked(out):
        extract(open_dataset("demo"), load("memjax/tiny"), out, SweepSettings(tokens=("cls",)).plan())
    return out
