"""Programs compiled for chips that are only described; each is compiled once."""

import dataclasses
import functools

import jax

from benchmarks import estimates, hlo, programs, targets

targets.prepare()


@dataclasses.dataclass(frozen=True)
class Built:
    """A compiled program and what its text says."""

    compiled: jax.stages.Compiled
    program: hlo.Program

    @property
    def precisions(self) -> dict[str, int]:
        return estimates.precisions(self.program)

    @property
    def temp(self) -> int:
        return self.compiled.memory_analysis().temp_size_in_bytes

    @property
    def needed(self) -> int:
        """Bytes on the chip: arguments, results, what lies between."""
        stats = self.compiled.memory_analysis()
        return stats.argument_size_in_bytes + stats.output_size_in_bytes + stats.temp_size_in_bytes


@functools.cache
def device_of(target: str) -> jax.Device:
    return targets.device(target)


def build(lowered: jax.stages.Lowered, target: str) -> Built:
    compiled = lowered.compile(dict(targets.CHIPS[target].options))
    return Built(compiled, hlo.parse(compiled.as_text()))


@functools.cache
def encoder_program(target: str, name: str, kind: programs.Kind, dtype: programs.Dtype, batch: int = 0) -> Built:
    """An encoder's program; the batch is a sweep's own where none is given."""
    encoder = programs.encoder_of(name)
    batch = batch or programs.default_batch(encoder, target)
    return build(programs.lower(encoder, kind, dtype, batch, device_of(target)), target)


@functools.cache
def causes_program(target: str, name: str, dtype: programs.Dtype, batch: int) -> Built:
    return build(programs.lower_causes(programs.encoder_of(name), dtype, batch, device_of(target)), target)


@functools.cache
def latents_program(target: str, name: str, dtype: programs.Dtype, batch: int) -> Built:
    return build(programs.lower_latents(programs.encoder_of(name), dtype, batch, device_of(target)), target)


@functools.cache
def ensemble_step(target: str, batch: int) -> Built:
    return build(programs.lower_ensemble(13, 5, 768, batch, device_of(target)), target)
