"""The VGG-16 autoencoder against the same architecture in plain torch: forward, gradient, Adam and running statistics."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="parity needs torch (CPU build)")

import jax
import jax.numpy as jnp

from memjax.baselines.autoencoder import reconstruct_image
from memjax.baselines.autoencoder_weights import autoencoder_from
from memjax.baselines.convolutions import FoundTensors
from memjax.baselines.exposure import begin, expose, pixel_loss
from tests.exposed import WIDTHS, random_state
from tests.parity import hf

DEEP = ((4, 4), (4, 4), (6, 6, 6), (8, 8, 8), (8, 8, 8))
"""As many convolutions as VGG-16 has; training is compared on fewer (`tests.exposed.WIDTHS`), which compile in seconds."""


class Autoencoder(torch.nn.Module):
    """Modules named as those of the published network, so that its state dict is one of a published file."""

    def __init__(self, widths) -> None:
        super().__init__()
        nn, channels = torch.nn, 3
        self.encoder, self.decoder = nn.Module(), nn.Module()
        for number, block in enumerate(widths, 1):
            layers = nn.Sequential()
            for i, width in enumerate(block):
                layer = nn.Module()
                layer.layer = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
                layers.add_module(f"{i} EncoderLayer", layer)
                channels = width
            self.encoder.add_module(f"conv{number}", layers)
        for number, block in enumerate(reversed(widths), 1):
            wide, place, layers = block[-1], len(widths) - number, nn.Sequential()
            narrow = widths[place - 1][-1] if place else 3
            layers.add_module("0 UpSampling", nn.ConvTranspose2d(wide, wide, 2, stride=2))
            for i in range(1, len(block) + 1):
                layer = nn.Module()
                out = narrow if i == len(block) else wide
                layer.layer = nn.Sequential(nn.BatchNorm2d(wide), nn.ReLU(), nn.Conv2d(wide, out, 3, padding=1))
                layers.add_module(f"{i} DecoderLayer", layer)
            self.decoder.add_module(f"conv{number}", layers)

    def forward(self, x):
        for block in self.encoder.children():
            for layer in block.children():
                x = layer.layer(x)
            x = torch.nn.functional.max_pool2d(x, 2)
        latent = x
        for block in self.decoder.children():
            up, *layers = block.children()
            x = up(x)
            for layer in layers:
                x = layer.layer(x)
        return latent, torch.sigmoid(x)


def both(widths):
    """The same random weights in torch and here."""
    state = random_state(3, widths)
    model = Autoencoder(widths)
    model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()})
    return model, autoencoder_from(FoundTensors(state), widths)


@pytest.mark.parametrize(("size", "training"), [((64, 64), False), ((96, 160), False), ((64, 96), True)])
def test_latent_and_reconstruction(size, training):
    model, params = both(DEEP)
    image = np.random.default_rng(1).uniform(size=(*size, 3)).astype(np.float32)
    found = jax.jit(reconstruct_image, static_argnums=2)(params, image, training)
    with torch.no_grad():
        latent, made = model.train(training)(torch.from_numpy(image).permute(2, 0, 1)[None])
    assert hf.relative(found.latent, latent[0].permute(1, 2, 0).numpy()) < 1e-4
    assert hf.relative(found.image, made[0].permute(1, 2, 0).numpy()) < 1e-4


def in_float64(params):
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), jnp.float64), params)


def test_the_gradient_of_the_pixel_loss():
    """In float64: in float32 one value that lies on the other side of a ReLU changes a gradient by a percent."""
    model, params = both(WIDTHS)
    image = np.random.default_rng(5).uniform(size=(32, 32, 3))
    model.double().train()
    given = torch.from_numpy(image).permute(2, 0, 1)[None]
    torch.nn.functional.mse_loss(model(given)[1], given).backward()
    theirs = {name: p.grad.float().numpy() for name, p in model.named_parameters()}
    still = {name: np.zeros(value.shape, np.float32) for name, value in model.state_dict().items()}
    wanted = autoencoder_from(FoundTensors(still | theirs), WIDTHS)
    with jax.enable_x64(True):
        grads = jax.jit(jax.grad(lambda p, x: pixel_loss(p, x)[0]))(in_float64(params), jnp.asarray(image))
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(grads)]
    for mine, other in zip(leaves, map(np.asarray, jax.tree.leaves(wanted)), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5 * max(np.abs(other).max(), 1e-6))


def test_images_one_at_a_time():
    """Steps of Adam: the losses, the kernels after the first and the running statistics are torch's."""
    model, params = both(WIDTHS)
    rng, rate = np.random.default_rng(2), 1e-3
    state, optimiser = begin(params, rate), torch.optim.Adam(model.parameters(), lr=rate)
    model.train()
    for step in range(3):
        levels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        image = torch.from_numpy(levels).permute(2, 0, 1)[None].float() / 255
        loss = torch.nn.functional.mse_loss(model(image)[1], image)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        state = expose(state, levels, jnp.float32(rate))
        assert float(state.loss) == pytest.approx(loss.item(), rel=1e-3)
        theirs = autoencoder_from(FoundTensors({k: v.detach().numpy() for k, v in model.state_dict().items()}), WIDTHS)
        for one, other in zip(jax.tree.leaves(state.params), jax.tree.leaves(theirs), strict=True):
            if step == 0 and one.ndim == 4:  # later steps turn on the signs of the smallest gradients
                assert np.mean(np.abs(np.asarray(one) - np.asarray(other)) > 0.05 * rate) < 0.01
    for one, other in zip(jax.tree.leaves(state.params.encoder), jax.tree.leaves(theirs.encoder), strict=True):
        if one.ndim == 1 and float(np.abs(other).max()) > 0.5:
            np.testing.assert_allclose(one, other, rtol=2e-2, atol=1e-2)
