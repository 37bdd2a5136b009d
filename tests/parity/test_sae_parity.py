"""The paper's autoencoder beside the same in PyTorch: one step, two epochs, released weights, rho per epoch on LNSIM."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import scipy.stats

from memjax.checks import InputError
from memjax.devices import data_mesh
from memjax.sae.config import FitConfig
from memjax.sae.ensemble import Schedule, score_members, train_members
from memjax.sae.init import init_state
from memjax.sae.kinds import PAPER_SEEDS
from memjax.sae.member import Hyper
from memjax.sae.model import SAEParams
from memjax.sae.presets import paper
from memjax.sae.reconstruction import objective, reconstruct
from memjax.sae.released import load_released
from memjax.sae.stream import whole
from memjax.sae.training import fit_members, recipe_for, start_members
from tests.conftest import reference_data


class Theirs(torch.nn.Module):
    """PAPER's autoencoder: two Linear layers with a ReLU between; returns reconstruction and pre-activations."""

    def __init__(self, d: int, f: int = 100) -> None:
        super().__init__()
        self.fc1, self.fc2 = torch.nn.Linear(d, f), torch.nn.Linear(f, d)

    def forward(self, x):
        pre = self.fc1(x)
        return self.fc2(torch.relu(pre)), pre

    def loss(self, x):
        recons, pre = self(x)
        return ((recons - x) ** 2).sum() + 1e-5 * pre.abs().sum()

    def fit(self, x, order, lr=1e-4):
        optimiser = torch.optim.AdamW(self.parameters(), lr=lr)
        for i in order:
            optimiser.zero_grad()
            self.loss(x[i : i + 1]).backward()
            optimiser.step()


def as_params(model, grads: bool = False) -> SAEParams:
    pick = (lambda p: p.grad) if grads else (lambda p: p.detach())
    to = lambda p: jnp.asarray(pick(p).numpy().T.copy())  # noqa: E731
    return SAEParams(to(model.fc1.weight), to(model.fc1.bias), to(model.fc2.weight), to(model.fc2.bias))


@pytest.fixture
def pair(rng):
    """Representations, one member with torch's weights, and the torch model."""
    torch.manual_seed(1)
    model, x = Theirs(37), rng.normal(size=(1, 60, 37)).astype(np.float32)
    preset, rows = paper(37), np.arange(60, dtype=np.int32)[None]
    hyper = Hyper(jnp.full(1, 1e-4), jnp.full(1, 1e-5))
    recipe = recipe_for(whole(x, rows), preset.sae, preset.fit)
    members = start_members(whole(x, rows), np.zeros(1, int), np.zeros(1, int), hyper, recipe)
    members = members.replace(params=jax.tree.map(lambda a: a[None], as_params(model)))
    standard = (x[0] - x[0].mean(0)) / x[0].std(0, ddof=1)
    return x, torch.from_numpy(standard.astype(np.float32)), members, model, recipe


def close(ours: SAEParams, theirs: SAEParams, atol: float) -> None:
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=atol)


def test_loss_and_gradients_of_one_step(pair):
    _, standard, _, model, recipe = pair
    theirs = model.loss(standard[:1])
    theirs.backward()

    def loss(p):
        return objective(p, jnp.asarray(standard[:1].numpy()), init_state(recipe.sae), recipe.sae, jnp.float32(1e-5))[0]

    value, grads = jax.value_and_grad(loss)(as_params(model))
    np.testing.assert_allclose(value, theirs.item(), rtol=1e-6)
    close(grads, as_params(model, grads=True), 1e-6)


@pytest.mark.parametrize(("order", "atol"), [([3], 1e-6), ([*range(60), *range(59, -1, -1)], 1e-4)])
def test_updates_in_the_same_order(pair, order, atol):
    x, standard, members, model, recipe = pair
    model.fit(standard, order)
    orders = jnp.asarray(order, jnp.int32)[None, :, None]
    found, _ = train_members(members, jnp.asarray(x), orders, recipe, Schedule(data_mesh()))
    close(jax.tree.map(lambda a: a[0], found.params), as_params(model), atol)


def test_initialisation_has_torchs_bounds():
    torch.manual_seed(0)
    theirs = as_params(Theirs(768))
    rows = np.zeros((1, 2), np.int32)
    preset, hyper = paper(768), Hyper(jnp.full(1, 1e-4), jnp.full(1, 1e-5))
    x = np.random.default_rng(0).normal(size=(1, 2, 768)).astype(np.float32)
    recipe = recipe_for(whole(x, rows), preset.sae, preset.fit)
    ours = start_members(whole(x, rows), np.zeros(1, int), np.zeros(1, int), hyper, recipe).params
    for a, b, bound in zip(
        jax.tree.leaves(ours), jax.tree.leaves(theirs), (768**-0.5, 768**-0.5, 0.1, 0.1), strict=True
    ):
        assert float(jnp.abs(a).max()) == pytest.approx(float(jnp.abs(b).max()), rel=0.05)
        assert float(jnp.abs(a).max()) <= bound
        assert float(a.std()) == pytest.approx(bound / 3**0.5, rel=0.15)


@pytest.mark.slow
def test_released_weights_reconstruct_as_torch(memvis_dir, rng):
    (file,) = memvis_dir.glob("SPARSE_autoencoder_model_*.pt")
    params, config = load_released(file)
    model = Theirs(768)
    model.load_state_dict(torch.load(file, weights_only=True))
    x = rng.normal(size=(9, 768)).astype(np.float32)
    recons, pre = model(torch.from_numpy(x))
    out = reconstruct(params, jnp.asarray(x), init_state(config), config)
    np.testing.assert_allclose(out.recons, recons.detach(), atol=1e-5)
    np.testing.assert_allclose(out.pre, pre.detach(), atol=1e-5)


def test_files_that_are_no_state_dict_are_refused(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"not a checkpoint")
    torch.save([1, 2], tmp_path / "b.pt")
    torch.save({"fc1.weight": torch.zeros(3, 2)}, tmp_path / "c.pt")
    for name, says in (
        ("a.pt", "could not read"),
        ("b.pt", "state dict"),
        ("c.pt", "missing"),
        ("d.pt", "nothing there"),
    ):
        with pytest.raises(InputError, match=says):
            load_released(tmp_path / name)


def spearman(errors, y) -> float:
    return float(scipy.stats.spearmanr(errors, y).statistic)


def lnsim_cls() -> tuple[np.ndarray, np.ndarray]:
    """Last cls tokens of dinov2-small from a sweep's store (``--tokens cls``), named by ``MEMJAX_LNSIM_FEATURES``."""
    from memjax.store import open_features

    place = os.environ.get("MEMJAX_LNSIM_FEATURES")
    if not place or not Path(place).exists():
        pytest.skip("set MEMJAX_LNSIM_FEATURES to a features.zarr of LNSIM made with --tokens cls")
    (group,) = open_features(place).values()
    return group["cls"].isel(layer=-1).values, group["memorability"].values


@pytest.mark.slow
def test_rho_by_epoch_is_within_the_spread_of_torch():
    """Five seeds each, the paper's protocol: means differ by less than the two spreads explain."""
    if not reference_data().exists():
        pytest.skip("reference data absent")
    x, y = lnsim_cls()
    standard = torch.from_numpy(((x - x.mean(0)) / x.std(0, ddof=1)).astype(np.float32))
    theirs = np.zeros((5, 5, 2))
    for s, seed in enumerate(PAPER_SEEDS):
        torch.manual_seed(seed)
        model = Theirs(x.shape[1])
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
        for epoch in range(5):
            for i in torch.randperm(len(x)).tolist():
                optimiser.zero_grad()
                model.loss(standard[i : i + 1]).backward()
                optimiser.step()
            with torch.no_grad():
                errors = ((model(standard)[0] - standard) ** 2).sum(1).numpy()
            theirs[s, epoch] = spearman(errors, y), errors.mean()
    ours, mesh, data = np.zeros((5, 5, 2)), data_mesh(), x[None]
    preset, rows = paper(x.shape[1]), np.broadcast_to(np.arange(len(x), dtype=np.int32), (5, len(x))).copy()
    hyper = Hyper(jnp.full(5, 1e-4), jnp.full(5, 1e-5))
    recipe = recipe_for(whole(data, rows), preset.sae, FitConfig())
    members = start_members(whole(data, rows), np.zeros(5, int), np.array(PAPER_SEEDS), hyper, recipe)

    def score(epoch, members, _):
        errors = np.asarray(score_members(members, jnp.asarray(data), preset.sae, "standardised", mesh).error)
        ours[:, epoch - 1] = [(spearman(e, y), e.mean()) for e in errors]

    fit_members(members, whole(data, rows), recipe, mesh, on_epoch=score)
    for name, values in (("ours", ours), ("torch", theirs)):
        print(name, "rho", values[..., 0].mean(0).round(4), "+-", values[..., 0].std(0, ddof=1).round(4))
        print(name, "loss", values[..., 1].mean(0).round(3), "+-", values[..., 1].std(0, ddof=1).round(3))
    difference = np.abs(ours.mean(0) - theirs.mean(0))
    spread = np.sqrt(ours.var(0, ddof=1) + theirs.var(0, ddof=1))
    assert (difference <= 2 * spread + 1e-4).all(), (difference, spread)
