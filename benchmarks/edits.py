"""How fast are parts of an encoder taken out, beside plain passes and beside passes that begin at the first block?

  python benchmarks/edits.py                                dinov2-s14's architecture, random weights
  python benchmarks/edits.py --encoders tiny --images 8

Sides, in turns: *plain*, the encoder with the predictor's tokens read; *resumed*, every unit of every block taken out by
`memjax.causes`, each pass from its own block on; *whole*, the same edits, each a whole pass (`memjax.encode` with ``edit``).
Reported: edits a second, and what an edit costs as a share of a plain pass; medians of the turns and of the ratios in a round.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from benchmarks import architectures, machine, show, turns
from memjax import devices
from memjax.cli.arguments import read_arguments, run_main
from memjax.schema import check_bounds


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What is timed."""

    encoders: tuple[Literal["dinov2-s14", "clip-b32", "clip-b16", "siglip2-b16", "tiny"], ...] = ("dinov2-s14",)
    """Architectures of `benchmarks/architectures.py`."""
    images: int = 4
    """Images a turn, rounded up to a multiple of the devices; one batch."""
    repeats: int = 3
    """Timed turns of each side."""

    def __post_init__(self) -> None:
        check_bounds(self, {"images": (1, 4096), "repeats": (1, 1000)})


def sides_of(encoder: Any, pixels: np.ndarray, mesh: Any) -> tuple[dict[str, turns.Side], int]:
    """The three sides, and how many edits an image has."""
    import jax

    from memjax.causes.effects import block_effects, nothing
    from memjax.causes.units import units_of
    from memjax.predictor.linear import weighted_sum
    from memjax.predictor.scoring import image_values, reading_of, scorer_of

    config = encoder.config
    rng, reading = np.random.default_rng(0), reading_of(encoder, ("cls", "mean"), "native", ())
    shape = (config.depth + 1, config.width)
    scorer = scorer_of(encoder, {name: rng.normal(size=shape) for name in ("cls", "mean")})
    filling = nothing(config.depth)

    def plain(scorer: Any, image: Any) -> Any:
        return weighted_sum(scorer.weights, image_values(scorer.encoder, image, reading))

    def resumed(scorer: Any, image: Any) -> Any:
        return block_effects(scorer, image, filling, reading)

    batch, params = devices.split(pixels, mesh), devices.replicate(scorer, mesh)
    edits = len(units_of(config.heads)) * config.depth

    def side(one: Any, each: int) -> turns.Side:
        run = devices.data_parallel(jax.vmap(one, in_axes=(None, 0)), mesh)
        return turns.Side(lambda: jax.block_until_ready(run(params, batch)), len(pixels) * each)

    return {
        "plain": side(plain, 1),
        "resumed": side(resumed, edits),
        "whole": side(whole_passes(config, reading), edits),
    }, edits


def whole_passes(config: Any, reading: Any) -> Callable[[Any, Any], Any]:
    """Every unit of every block taken out, each in a pass from the first block on."""
    import jax
    import jax.numpy as jnp

    from memjax.causes.effects import nothing, without
    from memjax.causes.units import masks_of, units_of
    from memjax.measure import Reader
    from memjax.models.vit import forward
    from memjax.predictor.linear import weighted_sum

    units, filling = masks_of(units_of(config.heads), config.heads), nothing(config.depth)
    reader = Reader(config, config.layout.on(config.grid), reading.selection)
    stands_in = jnp.zeros((config.layout.prefix + config.grid[0] * config.grid[1], config.width))

    def whole(scorer: Any, image: Any) -> Any:
        def of_unit(unit: Any, block: Any) -> Any:
            edit = without(unit, block, filling, stands_in)
            out = forward(scorer.encoder, image, config, reader.tap, edit=edit)
            return weighted_sum(scorer.weights, reader.values(scorer.encoder, image, out, "highest"))

        blocks = jnp.arange(1, config.depth + 1)
        return jax.lax.map(lambda block: jax.vmap(of_unit, (0, None))(units, block), blocks)

    return whole


def main() -> int:
    args = read_arguments(Arguments, __doc__ or "")
    used = devices.use_cores()
    show.machine(machine.describe() | {"devices": used})
    for name in args.encoders:
        encoder, mesh = architectures.open_encoder(name, "float32"), devices.data_mesh()
        count = -(-args.images // mesh.size) * mesh.size
        pixels = np.random.default_rng(1).normal(size=(count, *encoder.config.image, 3)).astype(np.float32)
        sides, edits = sides_of(encoder, pixels, mesh)
        timings = turns.take_turns(sides, args.repeats)
        print(f"\n{name}: {edits} edits an image, {count} images a turn")
        for side, timing in timings.items():
            low, high = timing.spread
            unit = "images" if side == "plain" else "edits"
            print(f"  {side:<8} {timing.rate:8.2f} {unit}/s  (slowest {low:.2f}, fastest {high:.2f})")
        for side in ("resumed", "whole"):
            share = 1 / turns.ratio(timings[side], timings["plain"])
            print(f"  an edit, {side}, takes {share:.0%} of a plain pass")
    return 0


if __name__ == "__main__":
    run_main(main)
