"""The model card of an autoencoder, or transcoder: what it is, what it was trained on, how to read it."""

import re

from memjax.sae.saelens import OWN
from memjax.sae.trained import TrainedSAE

CARD = """---
library_name: memjax
tags: [{tag}, SAELens, vision, interpretability, memorability]
{base}---

# A {kind} of {encoder}

{title}: {latents:,} latents ({active}) of vectors of width {width:,}{where}{into}.

```python
from memjax import sae

one = sae.load("THIS FOLDER")
latents = one.encode(vectors)  # raw token vectors [b, {width}] -> [b, {latents}]
one.decode(latents), one.score({scored}).error
```

{read}{folded}

## Trained on

{training}

## How well it does

{scores}
"""

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def sae_card(sae: TrainedSAE, standardised: bool) -> str:
    """The card, in Markdown.

    Args:
        sae: the autoencoder.
        standardised: whether a standardiser was folded into its weights.
    """
    row, origin, transcodes = sae.config.row, sae.origin, sae.config.transcodes
    encoder, architecture = origin.encoder_id or sae.encoder, sae.config.saelens
    whose = "inputs and targets" if transcodes else "inputs"
    folded = f" The means and standard deviations that its {whose} were standardised by are part of the weights."
    read = f'SAELens reads it too: `SAE.load_from_disk("THIS FOLDER")`, architecture `{architecture}`.'
    unread = f"Its tensors have SAELens' names; SAELens has no `{architecture}` and does not read it."
    return CARD.format(
        base=f"base_model: {encoder}\n" if HUB_ID.fullmatch(encoder) and not encoder.startswith("memjax/") else "",
        tag="transcoder" if transcodes else "sparse-autoencoder",
        kind="transcoder" if transcodes else "sparse autoencoder",
        encoder=_line(encoder) or "an encoder that is not named",
        title=row.title[0].upper() + row.title[1:],
        latents=sae.config.latents,
        active=row.latents,
        width=sae.config.width,
        where=_where(sae),
        into=_into(sae),
        scored="vectors, targets" if transcodes else "vectors",
        read=unread if architecture in OWN else read,
        folded=folded if standardised else "",
        training=_training(sae),
        scores=_scores(sae),
    )


def _line(text: str) -> str:
    """A text from a file, on one line."""
    return " ".join(text.split())


def _where(sae: TrainedSAE) -> str:
    token = f", token {_line(sae.origin.token)}" if sae.origin.token else ""
    place = f" ({_line(sae.origin.place)})" if sae.origin.place else ""
    return f", layer {sae.layer}{place}{token}"


def _into(sae: TrainedSAE) -> str:
    """What a transcoder decodes."""
    place = f" ({_line(sae.origin.target_place)})" if sae.origin.target_place else ""
    return f", decoded into targets of width {sae.config.target_width:,}{place}" if sae.config.transcodes else ""


def _training(sae: TrainedSAE) -> str:
    origin = sae.origin
    made_up = ", which are made up" if origin.synthetic else ""
    unseen = "" if sae.fold is None else f"; the images of fold {sae.fold} of {origin.parts} were left out"
    images = "" if origin.images is None else f", {origin.images:,} images{made_up}{unseen}"
    revision = f", revision {_line(origin.encoder_revision)}" if origin.encoder_revision else ""
    weights = f", SHA-256 {origin.encoder_sha256[:16]}.." if origin.encoder_sha256 else ""
    lines = [
        f"- Data: {_line(origin.dataset) or 'not known'}{images}",
        f"- Encoder: {_line(origin.encoder_id or sae.encoder) or 'not known'}{revision}{weights}",
        f"- Reference of the method: {sae.config.row.reference}"
        + ("; of transcoders, Dunefsky, Chlenski & Nanda 2024, arXiv 2406.11944" if sae.config.transcodes else ""),
    ]
    fitted = (origin.epochs, origin.batch_size, origin.learning_rate, origin.sparsity)
    if None not in fitted:
        lines.append(
            "- {} epochs in batches of {}, learning rate {:g}, weight of the sparsity penalty {:g}".format(*fitted)
            + f", seed {sae.seed}, protocol {_line(origin.protocol)}"
        )
    return "\n".join([*lines, f"- Read from: {_line(origin.format)}"] if origin.format else lines)


def _scores(sae: TrainedSAE) -> str:
    origin = sae.origin
    if origin.explained_variance is None or origin.dead_fraction is None:
        return "Not known."
    told = (
        f"It explains {origin.explained_variance:.1%} of the variance of all images' standardised vectors; "
        f"{origin.dead_fraction:.1%} of its latents never fire"
    )
    if origin.rho is None or origin.rho_low is None or origin.rho_high is None:
        return f"{told}."
    return (
        f"{told}. Its reconstruction error and the human scores: Spearman's rho {origin.rho:+.3f}, 95 % interval "
        f"[{origin.rho_low:+.3f}, {origin.rho_high:+.3f}]. Where there are folds these are of all autoencoders of its layer and "
        "seed, each image's error by the one that left it out."
    )
