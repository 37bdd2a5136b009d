"""The model card of a predictor: what it is, what it was fitted on, how far it can be trusted."""

from memjax.predictor.record import PredictorRecord

CARD = """---
library_name: memjax
tags: [memorability, vision, ridge-regression]
---

# How memorable images are, read from {encoders}

A ridge regression on {what} of {encoders}; {columns:,} columns. It predicts the memorability that {dataset} measured: {mean:.3f}
on average over its images, standard deviation {sd:.3f}.

```python
import memjax

predictor = memjax.load_predictor("THIS FOLDER")
predictor.predict(["new.jpg"])  # image, score, score_low, score_high, out_of_domain
```

## How well it does

On images of {dataset} that it was not fitted on ({folds} folds, {repeats} partitions): Spearman's rho {rho:+.3f}, 95 % interval
[{low:+.3f}, {high:+.3f}], n = {images:,}. {ceiling}

Its intervals of 95 % come from the residuals of images out of fold; held against other folds they cover {coverage}. That holds
for images like those of {dataset}. An image is marked out_of_domain where it lies further from them, in the encoders' features,
than 99 % of images like them (Mahalanobis' distance); neither score nor interval is to be trusted there.

## What it is not

It says what images of one data set have in common that people remembered better, in the words of an encoder that was trained for
something else. It is no measure of an image's quality, and no proof that people will remember it: context, instruction and people
differ. It has not been checked on other data sets unless somebody says so.

## Fitted on

- Data: {dataset}, {images:,} images. {citation}
- Licence of the data: {licence}
- Encoders: {weights}
- {versions}
"""


def model_card(record: PredictorRecord) -> str:
    """The card, in Markdown."""
    share = record.share_of_ceiling
    known = (
        f"People's own scores would reach {record.ceiling:.3f}"
        if record.ceiling
        else "How well people's own scores would do is not known"
    )
    synthetic = " Its images and scores are made up." if record.dataset.synthetic else ""
    return CARD.format(
        encoders=" and ".join(one.model for one in record.encoders),
        what="token vectors of every layer" if record.source == "vectors" else "measures of every layer",
        columns=record.columns,
        dataset=record.dataset.name,
        mean=record.score_mean,
        sd=record.score_sd,
        folds=record.folds,
        repeats=record.repeats,
        rho=record.rho,
        low=record.ci_low,
        high=record.ci_high,
        images=record.images,
        ceiling=known + (f": it has {share:.0%} of that." if share else "."),
        coverage="too few to say" if record.coverage is None else f"{record.coverage:.1%}",
        citation=(record.dataset.citation or "No citation is known.") + synthetic,
        licence=record.dataset.licence or "not known",
        weights="; ".join(
            f"{one.model} (revision {one.revision}, SHA-256 {one.sha256[:16]}..)" for one in record.encoders
        ),
        versions=", ".join(f"{name} {version}" for name, version in record.versions.items()),
    )
