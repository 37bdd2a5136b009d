"""AdamW with warm-up and decay, from optax; the learning rate may be traced, so that each member has its own."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from memjax.sae.config import FitConfig
from memjax.sae.model import SAEParams


def relative_rate(fit: FitConfig, total_steps: int) -> optax.Schedule | None:
    """The schedule as a factor on the learning rate, or None where it is constant.

    Args:
        fit: its ``warmup_steps`` and ``decay``.
        total_steps: steps of the whole run, warm-up included; the decay reaches zero there.
    """
    if fit.decay == "none" and not fit.warmup_steps:
        return None
    rest = max(total_steps - fit.warmup_steps, 1)
    after = {
        "none": optax.constant_schedule(1.0),
        "linear": optax.linear_schedule(1.0, 0.0, rest),
        "cosine": optax.cosine_decay_schedule(1.0, rest),
    }[fit.decay]
    if not fit.warmup_steps:
        return after
    # Starts at 1 / (warmup + 1): a first step with rate 0 would be lost.
    warmup = optax.linear_schedule(1 / (fit.warmup_steps + 1), 1.0, fit.warmup_steps)
    return optax.join_schedules([warmup, after], [fit.warmup_steps])


def make_optimiser(learning_rate: float | Array, fit: FitConfig, total_steps: int) -> optax.GradientTransformation:
    """AdamW as torch's: betas 0.9 and 0.999, epsilon 1e-8 outside the root, decoupled decay of every parameter."""
    relative = relative_rate(fit, total_steps)
    rate = (
        learning_rate if relative is None else lambda count: learning_rate * jnp.asarray(relative(count), jnp.float32)
    )
    return optax.adamw(rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=fit.weight_decay)


def update(
    optimiser: optax.GradientTransformation, grads: SAEParams, opt_state: optax.OptState, params: SAEParams
) -> tuple[SAEParams, optax.OptState]:
    """New parameters and optimiser state. optax raises floats to integer counts, which strict promotion does not allow."""
    with jax.numpy_dtype_promotion("standard"):
        updates, opt_state = optimiser.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state
