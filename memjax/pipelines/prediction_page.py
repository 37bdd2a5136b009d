"""The page of predictions: what the scores are, how they do, the images at their ends, and where in those they come from."""

import functools
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from memjax.outputs import Run
from memjax.pipelines.explained import extremes
from memjax.pipelines.illustrations import small_image
from memjax.predictor.evaluation import AgainstScores
from memjax.predictor.predictor import Predictor
from memjax.predictor.record import PredictorRecord
from memjax.predictor.sources import Named
from memjax.report.gallery import Gallery, strips_of
from memjax.report.labels import Context, count, interval_text, signed
from memjax.report.page import Page, Section, write_report
from memjax.report.predicted import predictions_figure

SHOWN = 6
"""Images at each end."""

MAPS_TITLE = "Where in the image the score comes from"
MAPS = (
    "Maps explain the MODEL's score. Whether people remember the image for the same reason, no map answers.",
    "A map is worth no more than its gain over random orders of the patches, which stands above it; attention rollout knows no "
    "score. Maps by different methods seldom agree.",
)


def write_prediction_page(
    file: Path,
    run: Run,
    predictor: Predictor,
    named: Named,
    scored: tuple[pd.DataFrame, AgainstScores | None],
    told: tuple[pd.DataFrame, Mapping[str, Figure]],
) -> None:
    """Write report.html of predictions.

    Args:
        file: where to.
        run: its record.
        predictor: whose scores they are.
        named: the images.
        scored: the table of predictions, with ``memorability`` where people's scores are known, and how they do against those.
        told: failures, and the figures of `memjax.pipelines.explained.explain_extremes`.
    """
    table, found = scored
    failures, maps = told
    context = Context(level=run.level, synthetic=run.dataset.synthetic)
    page = Page(
        run=run,
        table=None,
        context=context,
        failures=failures,
        figures={"predictions": predictions_figure(table, context)} if table["score"].notna().any() else {},
        sections=[Section(MAPS_TITLE, MAPS, maps, wide=True)] if maps else [],
        findings=_how_it_does(found),
        headline=_scores_in_words(table),
        notes=_notes(predictor.record, table, found),
        title="Predicted memorability",
        gallery=ends(table, named, predictor),
    )
    write_report(file, page)


def ends(table: pd.DataFrame, named: Named, predictor: Predictor) -> Gallery:
    """The images of the highest and the lowest scores within the domain, where there are enough."""
    rows = extremes(table, SHOWN)
    names = dict(zip(named.names, range(len(named.names)), strict=True))
    known = "memorability" in table
    lines = {}
    for _, row in rows:
        said = {"predicted": table["score"][row], **({"people": table["memorability"][row]} if known else {})}
        lines[named.names[row]] = [f"{who} {value:.3f}" for who, value in said.items()]
    orient = next(iter(predictor.record.encoders)).preprocessing.get("orientation", "exif") == "exif"
    small = functools.partial(_thumbnails, named, names, orient)
    strips = [
        (title, [named.names[row] for name, row in rows if name.startswith(end)])
        for title, end in (("Highest predicted scores", "high"), ("Lowest predicted scores", "low"))
    ]
    note = "The images at the ends of the predicted scores, those out of domain left out where there are enough others."
    return Gallery(note, strips_of([strip for strip in strips if strip[1]], lines, small))


def _thumbnails(named: Named, rows: Mapping[str, int], orient: bool, names: list[str]) -> dict[str, bytes]:
    found = {name: small_image(named.dataset.records[rows[name]].data, orient) for name in names}
    return {name: data for name, data in found.items() if data is not None}


def _scores_in_words(table: pd.DataFrame) -> str:
    """How many scores there are, and where they lie."""
    score = table["score"].dropna()
    if not len(score):
        return "No image could be scored."
    if len(score) == 1:
        return f"The image has a predicted score of {score.iloc[0]:.3f}."
    spread = f"from {score.min():.3f} to {score.max():.3f}, median {score.median():.3f}"
    return f"{count(len(score))} images have predicted scores {spread}."


def _how_it_does(found: AgainstScores | None) -> list[str]:
    """The evaluation in a sentence; none without people's scores."""
    if found is None:
        return []
    rho = f"Spearman's ρ = {signed(found.rho)}, 95 % interval {interval_text(found.ci_low, found.ci_high)}"
    if found.in_sample:
        return [f"These are images that it was fitted on: {rho} with people's scores tells nothing of others."]
    covered = f"{found.coverage:.1%} [{found.coverage_low:.1%}, {found.coverage_high:.1%}]"
    return [
        f"With people's scores of {count(found.n)} images: {rho}.",
        f"Intervals made to cover {found.level:.0%} cover {covered}; predictions less scores: {signed(found.bias)} on average.",
    ]


def _notes(of: PredictorRecord, table: pd.DataFrame, found: AgainstScores | None) -> list[str]:
    """What keeps the scores from saying more."""
    scored = table[table["score"].notna()]
    rho = f"Spearman's ρ {signed(of.rho)} {interval_text(of.ci_low, of.ci_high)}"
    notes = [
        f"Fitted on {count(of.images)} images of {of.dataset.name}; on images of it that were held out of the fit it has {rho}.",
        "A score says how images of that data set with such features were remembered. It is no measure of an image's quality.",
    ]
    if found is None:
        notes.append("No scores of people were given: how well it does on these images is not known.")
    if outside := int(scored["out_of_domain"].sum()):
        notes.append(
            f"{count(outside)} of {count(len(scored))} images are unlike those of the fit (out of domain): neither their "
            "score nor its interval is to be trusted."
        )
    return notes
