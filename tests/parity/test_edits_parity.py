"""Ablations against transformers with hooks on its modules, on tiny random models."""

import contextlib
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="parity needs torch (CPU build) and transformers")
transformers = pytest.importorskip("transformers")

import jax
import jax.numpy as jnp

import memjax
from memjax import edits
from tests.parity import hf
from tests.parity.test_models_parity import CASES

BLOCK, HEAD, HEADS, WIDTH = 2, 1, 2, 24
"""The layer coordinate of the block that is edited, the head, and the models' sizes."""

DIRECTION = np.random.default_rng(7).normal(size=WIDTH).astype(np.float32)
"""That is taken out of the stream."""

WHERE = {
    "vit": ("layers", "attention.o_proj"),
    "deit": ("layers", "attention.o_proj"),
    "clip": ("encoder.layers", "self_attn.out_proj"),
    "siglip": ("encoder.layers", "self_attn.out_proj"),
    "dinov2": ("encoder.layer", "attention.o_proj"),
    "dinov3": ("model.layer", "attention.o_proj"),
}
"""Where transformers keeps the blocks, and in one the projection of its heads."""

Hooked = Callable[[torch.nn.Module, str], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def without_head(block: torch.nn.Module, projection: str) -> Iterator[None]:
    """The head's share of what enters the output projection becomes 0."""

    def hook(module, inputs):
        mixed = inputs[0].clone()
        mixed[..., HEAD * WIDTH // HEADS : (HEAD + 1) * WIDTH // HEADS] = 0.0
        return (mixed,)

    with contextlib.closing(Handle(block.get_submodule(projection).register_forward_pre_hook(hook))):
        yield


@contextlib.contextmanager
def without_mlp(block: torch.nn.Module, projection: str) -> Iterator[None]:
    with contextlib.closing(Handle(block.mlp.register_forward_hook(lambda module, inputs, out: torch.zeros_like(out)))):
        yield


@contextlib.contextmanager
def without_direction(block: torch.nn.Module, projection: str) -> Iterator[None]:
    unit = torch.from_numpy(DIRECTION / np.linalg.norm(DIRECTION))

    def hook(module, inputs, out):
        return out - (out @ unit)[..., None] * unit

    with contextlib.closing(Handle(block.register_forward_hook(hook))):
        yield


@contextlib.contextmanager
def without_patches(block: torch.nn.Module, projection: str) -> Iterator[None]:
    """The last three tokens of what enters the block become 0."""

    def hook(module, inputs):
        hidden = inputs[0].clone()
        hidden[:, -3:] = 0.0
        return (hidden, *inputs[1:])

    with contextlib.closing(Handle(block.register_forward_pre_hook(hook))):
        yield


@contextlib.contextmanager
def evenly_attending(block: torch.nn.Module, projection: str) -> Iterator[None]:
    """The softmax of that block gives every token the same; of the others it stays."""
    softmax, calls = torch.nn.functional.softmax, []

    def even(scores, **options):
        calls.append(1)
        found = softmax(scores, **options)
        return torch.full_like(found, 1 / found.shape[-1]) if len(calls) == BLOCK else found

    with mock.patch.object(torch.nn.functional, "softmax", even):
        yield
    assert len(calls) >= BLOCK


class Handle:
    """A hook that `contextlib.closing` takes away."""

    def __init__(self, handle: torch.utils.hooks.RemovableHandle) -> None:
        self.close = handle.remove


def last_three(tokens: int) -> jax.Array:
    return jnp.arange(tokens) >= tokens - 3


EDITS: dict[str, tuple[Hooked, Callable[[int], memjax.models.edits.Edit]]] = {
    "head": (without_head, lambda tokens: edits.ablate_head(BLOCK, HEAD, HEADS)),
    "mlp": (without_mlp, lambda tokens: edits.ablate_mlp(BLOCK)),
    "direction": (without_direction, lambda tokens: edits.ProjectOut(jnp.asarray(DIRECTION), BLOCK)),
    "tokens": (without_patches, lambda tokens: edits.ablate_tokens(BLOCK, last_three(tokens))),
    "attention": (evenly_attending, lambda tokens: edits.patch("attention", BLOCK, 1 / tokens)),
}


@pytest.mark.parametrize("family", WHERE)
def test_edits_are_those_of_hooks(family, tmp_path):
    """The streams that leave the blocks after the edited one; transformers notes that of the block itself before its hooks."""
    architecture, config, size = CASES[family]
    model = hf.build(architecture, config, tmp_path)
    encoder = memjax.load(str(tmp_path))
    pixels = np.random.default_rng(1).normal(size=(2, *size, 3)).astype(np.float32)
    blocks, projection = WHERE[family]
    block = getattr(model, "vision_model", model).get_submodule(blocks)[BLOCK - 1]
    plain = hf.inside(model, pixels).hidden

    for name, (hooked, make) in EDITS.items():
        with hooked(block, projection):
            wanted = hf.inside(model, pixels).hidden
        edit = make(wanted.shape[2])
        found = jax.vmap(
            lambda image, edit=edit: memjax.encode(
                encoder.params, image, encoder.config, lambda block: block.after, edit=edit
            )
        )(jnp.asarray(pixels))
        assert hf.relative(wanted[:, BLOCK + 1], plain[:, BLOCK + 1]) > 1e-3, f"{name}: the hook has changed nothing"
        assert hf.relative(found[:, BLOCK:], wanted[:, BLOCK + 1 :]) < 1e-5, name
