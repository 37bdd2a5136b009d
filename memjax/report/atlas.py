"""The page of an atlas of latents: a map, cards with images, a table, a search; and the maps as figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure

from memjax.outputs import Run
from memjax.report import labels
from memjax.report.atlas_words import caveats_of, findings_of, summary_rows
from memjax.report.chart import Chart
from memjax.report.embedded import bytes_uri
from memjax.report.figures import SYNTHETIC_IMAGE
from memjax.report.page import environment, flatten
from memjax.report.style import MUTED, WARNING, style

IMAGES = "atlas_images"
"""Folder of the images of a page that is larger than it may be."""

MOST_ROWS, MOST_POINTS = 1000, 2000
"""Latents in the page's table, and on each map of it: those with the largest absolute rho."""

COLOURS, NO_RHO = "PuOr", "#b9b9b9"
"""Purple: goes with a higher score; orange: with a lower one. Grey: fires too rarely."""

SIDE = 400
"""Of a map in the page."""


class CardImage(NamedTuple):
    """An image that a latent fires for: id, the latent's value, the human score, and a JPEG, empty where there is none."""

    image: str
    value: float
    score: float
    jpeg: bytes


class Card(NamedTuple):
    """A latent with its images: its row in the table of the atlas, and that row's number."""

    place: int
    row: Mapping[str, object]
    images: Sequence[CardImage]


@dataclass(frozen=True, eq=False)
class AtlasPage:
    """What the page shows.

    Attributes:
        table: of `memjax.latents.table.atlas_table`.
        summary: of `memjax.latents.summary.summary_table`.
        cards: latents with images.
        run: the record.
        least_firings, same_cosine: of the settings.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    cards: Sequence[Card]
    run: Run
    least_firings: int
    same_cosine: float


class Point(NamedTuple):
    """A latent on a map of the page."""

    place: int
    x: float
    y: float
    colour: str
    title: str
    card: bool


class Map(NamedTuple):
    """The latents of one token and layer."""

    title: str
    points: Sequence[Point]
    left_out: int


def write_atlas_page(path: Path, page: AtlasPage, most_mb: float) -> None:
    """Write the page; its images into it, or where they are more than ``most_mb``, into the folder `IMAGES` beside it."""
    size = sum(len(image.jpeg) for card in page.cards for image in card.images) * 4 / 3
    beside = size > most_mb * 10**6
    if beside:
        (path.parent / IMAGES).mkdir(exist_ok=True)
    cards = [_shown(card, path.parent if beside else None) for card in page.cards]
    order = np.argsort(-page.table["rho"].abs().fillna(-1).to_numpy(), kind="stable")
    run, rows = page.run, page.table.iloc[order[:MOST_ROWS]]
    with_cards = {card.place for card in page.cards}
    text = environment("atlas").get_template("atlas.html.j2").render(
        title=f"Atlas of latents: {', '.join(pd.unique(page.table['model']))} on {run.dataset.name}",
        synthetic=run.dataset.synthetic,
        findings=findings_of(page.table, page.summary),
        caveats=caveats_of(page.table, page.least_firings, page.same_cosine),
        summary=summary_rows(page.summary),
        limit=_limit(page.table),
        stops=[to_hex(matplotlib.colormaps[COLOURS](share)) for share in np.linspace(0, 1, 9)],
        side=SIDE,
        no_rho=NO_RHO,
        maps=list(maps_of(page.table, with_cards)),
        cards=cards,
        beside=IMAGES if beside else "",
        rows=[{**row, "place": place, "card": place in with_cards} for place, row in zip(rows.index, _records(rows))],
        columns=set(page.table.columns),
        count_all=len(page.table),
        least_firings=page.least_firings,
        provenance=list(flatten(run.to_json())),
        citations=[text for text in (run.dataset.citation,) if text],
    )  # fmt: skip
    path.write_text(text, encoding="utf-8", newline="\n")


def _records(rows: pd.DataFrame) -> list[dict[str, object]]:
    """Rows with None where there is no fold."""
    return [{**row, "fold": None if pd.isna(row["fold"]) else row["fold"]} for row in rows.to_dict("records")]


def _shown(card: Card, beside: Path | None) -> dict[str, object]:
    """A card as the template takes it: the images as data, or written into the folder."""
    (row,) = _records(pd.DataFrame([card.row]))
    images = []
    for number, image in enumerate(card.images):
        source = ""
        if image.jpeg and beside is not None:
            source = f"{IMAGES}/{card.place}_{number}.jpg"
            (beside / source).write_bytes(image.jpeg)
        elif image.jpeg:
            source = bytes_uri("image/jpeg", image.jpeg)
        images.append({"image": image.image, "value": image.value, "score": image.score, "source": source})
    return {**row, "place": card.place, "images": images}


def _limit(table: pd.DataFrame) -> float:
    """The rho at the ends of the colours."""
    most = table["rho"].abs().max()
    return float(most) if most > 0 else 1.0


def place_title(token: str, layer: int) -> str:
    """A token and layer in words.

    Example:
        >>> place_title("cls", 11)
        'cls, layer 11'
    """
    return f"{token}, layer {layer}"


def maps_of(table: pd.DataFrame, with_cards: set[int]) -> Iterator[Map]:
    """The latents of each token and layer in a square of side `SIDE`; the strongest are drawn last, so that they are seen."""
    limit = _limit(table)
    for (token, layer), rows in table.groupby(["token", "layer"], sort=False):
        order = np.argsort(rows["rho"].abs().fillna(-1).to_numpy(), kind="stable")
        shown = rows.iloc[order[-MOST_POINTS:]]
        x, y = (_scaled(shown[name].to_numpy(), rows[name].to_numpy()) for name in ("map_x", "map_y"))
        points = [
            Point(
                int(place),
                at[0],
                round(SIDE - at[1], 1),
                _colour(row["rho"], limit),
                _point_title(row),
                place in with_cards,
            )
            for place, row, at in zip(shown.index, shown.to_dict("records"), zip(x, y), strict=True)
        ]
        yield Map(place_title(str(token), int(layer)), points, len(rows) - len(shown))


def _scaled(values: np.ndarray, of: np.ndarray) -> list[float]:
    low, high = float(of.min()), float(of.max())
    return [round(8 + (SIDE - 16) * (value - low) / (high - low or 1.0), 1) for value in values]


def _colour(rho: float, limit: float) -> str:
    return to_hex(matplotlib.colormaps[COLOURS](0.5 + 0.5 * rho / limit)) if labels.is_number(rho) else NO_RHO


def _point_title(row: Mapping[str, object]) -> str:
    fold = "" if pd.isna(row["fold"]) else f", fold {row['fold']}"
    said = f"ρ {labels.signed(row['rho'])}" if labels.is_number(row["rho"]) else "no ρ"
    return f"latent {row['latent']}, seed {row['seed']}{fold}: {said}"


def atlas_maps(table: pd.DataFrame, synthetic: bool) -> dict[str, Figure]:
    """A map of each token and layer as a figure: name -> figure."""
    limit, found = _limit(table), {}
    for (token, layer), rows in table.groupby(["token", "layer"], sort=False):
        order = np.argsort(rows["rho"].abs().fillna(-1).to_numpy(), kind="stable")
        rows = rows.iloc[order]
        with style():
            figure = Chart(figsize=(6.4, 5.4), layout="constrained")
            axes = figure.add_subplot()
            known = rows["rho"].notna().to_numpy()
            axes.scatter(rows["map_x"][~known], rows["map_y"][~known], s=6, color=NO_RHO, label="fires too rarely")
            drawn = axes.scatter(
                rows["map_x"][known],
                rows["map_y"][known],
                s=np.where(rows["q"][known] < 0.05, 22, 10),
                c=rows["rho"][known],
                cmap=COLOURS,
                norm=Normalize(-limit, limit),
                edgecolors=MUTED,
                linewidths=0.3,
            )
            axes.set(xlabel="first component of the decoder directions", ylabel="second component")
            figure.colorbar(drawn, ax=axes, label="Spearman's ρ with the scores")
            title = f"Latents by their decoder directions · {place_title(str(token), int(layer))}"
            figure.heading(title)
            note = f"{labels.count(len(rows))} latents, {', '.join(pd.unique(rows['scored']))}. Large: q < 0.05. Grey: too rare."
            note += f"\n{SYNTHETIC_IMAGE}" if synthetic else ""
            figure.supxlabel(note, fontsize=8.5, color=WARNING if synthetic else MUTED, x=0.02, ha="left")
            figure.set_label(f"{title}. {note}")
        found[f"map_{token}_layer_{layer}"] = figure
    return found
