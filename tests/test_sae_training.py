"""Ensembles, checkpoints and resumption: members do not depend on their neighbours, a killed run ends with the same bits."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memjax.checks import InputError
from memjax.devices import data_mesh
from memjax.sae.checkpoint import Checkpoints, digest, open_manager, restore_checkpoint, save_checkpoint
from memjax.sae.config import FitConfig
from memjax.sae.ensemble import Schedule, epoch_orders, train_members
from memjax.sae.evaluation import evaluate
from memjax.sae.member import SEGMENT, Hyper, epoch_order, train_step
from memjax.sae.presets import modern, paper
from memjax.sae.score import score_sae
from memjax.sae.standardiser import standardise
from memjax.sae.stream import whole
from memjax.sae.training import fit_members, recipe_for, start_members

L, N, D = 2, 24, 5


def setting(variant="topk", epochs=3, seed=0, members=3, segment=SEGMENT):
    """Data, recipe and fresh members: the same arguments give the same ones, in any process."""
    data = np.random.default_rng(seed).normal(size=(L, N, D)).astype(np.float32)
    preset = paper(D) if variant == "paper" else modern(variant, D, N, latents=16, epochs=epochs, batch_size=4)
    if variant == "paper":
        preset = type(preset)(preset.sae, FitConfig(epochs=epochs), 1e-3, 1e-5)
    rows = np.broadcast_to(np.arange(N, dtype=np.int32), (members, N)).copy()
    hyper = Hyper(jnp.full(members, preset.learning_rate), jnp.full(members, preset.sparsity))
    layers, seeds = np.arange(members) % L, np.arange(members)
    stream = whole(data, rows)
    recipe = recipe_for(stream, preset.sae, preset.fit)
    return (
        data,
        dataclasses.replace(recipe, segment=segment),
        stream,
        start_members(stream, layers, seeds, hyper, recipe),
    )


def weights(members):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(members)]


def same(a, b) -> bool:
    return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(weights(a), weights(b), strict=True))


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_an_ensemble_is_its_members_one_by_one(at_once):
    data, recipe, stream, members = setting("relu")
    orders = epoch_orders(members.seed, 0, jnp.asarray(stream.rows(0)), 4)
    alone = []
    for m in range(3):
        member = jax.tree.map(lambda a, m=m: a[m], members)
        for batch in np.asarray(orders[m]):
            x = standardise(member.standardiser, jnp.asarray(data[int(member.layer), batch]))
            member, _ = train_step(member, x, recipe)
        alone.append(member)
    found, losses = train_members(members, jnp.asarray(data), orders, recipe, Schedule(data_mesh(), at_once))
    assert losses.shape == (3,)
    for m, member in enumerate(alone):
        for ours, theirs in zip(weights(found), weights(member), strict=True):
            np.testing.assert_allclose(ours[m], theirs, rtol=2e-4, atol=2e-5)


def test_one_device_or_two_the_same_bits():
    assert jax.device_count() >= 2
    ends = []
    for devices in (jax.devices()[:1], jax.devices()[:2]):
        _, recipe, stream, members = setting("batchtopk")
        ends.append(fit_members(members, stream, recipe, data_mesh(devices)))
    assert same(*ends)


def test_orders_are_permutations_of_the_seed_and_the_epoch():
    rows = jnp.arange(10, 31, dtype=jnp.int32)
    order = lambda seed, epoch: np.asarray(epoch_order(jnp.int32(seed), jnp.int32(epoch), rows, 4)).ravel()  # noqa: E731
    assert order(1, 0).shape == (20,)
    assert set(order(1, 0)) < set(range(10, 31))
    assert len(set(order(1, 0))) == 20
    np.testing.assert_array_equal(order(1, 0), order(1, 0))
    assert not np.array_equal(order(1, 0), order(1, 1))
    assert not np.array_equal(order(1, 0), order(2, 0))


@pytest.mark.parametrize(
    "variant",
    ["paper", "batchtopk"]
    + [
        pytest.param(v, marks=pytest.mark.slow)
        for v in ("relu", "topk", "jumprelu", "gated", "matryoshka", "archetypal", "matching_pursuit")
    ],
)
def test_training_explains_more(variant):
    data, recipe, stream, members = setting(variant, epochs=8)
    mesh = data_mesh()
    before = evaluate(members, stream.images, recipe.sae, mesh).members.explained_variance
    members = fit_members(members, stream, recipe, mesh)
    found = evaluate(members, stream.images, recipe.sae, mesh)
    assert (found.members.explained_variance > before).all()
    for j, layer in enumerate(np.asarray(members.layer)):
        member = jax.tree.map(lambda a, j=j: a[j], members)
        x = standardise(member.standardiser, jnp.asarray(data[layer]))
        alone = score_sae(member.params, member.state, x, recipe.sae)
        np.testing.assert_allclose(found.members.explained_variance[j], alone.explained_variance, atol=1e-5)
        np.testing.assert_array_equal(found.members.dead_fraction[j], alone.dead_fraction)
    assert (np.asarray(members.step) == recipe.total_steps).all()
    raw, standard = found.images["raw"].error, found.images["standardised"].error
    assert raw.shape == (3, N)
    assert not np.allclose(raw, standard)


def test_held_out_rows_do_not_reach_a_member():
    data, recipe, stream, _ = setting("relu")
    hyper = Hyper(jnp.full(3, 1e-3), jnp.full(3, 1e-3))
    rows = stream.rows(0)[:, :20]
    fewer = recipe_for(whole(data, rows), recipe.sae, recipe.fit)
    changed = data.copy()
    changed[:, 20:] += 100
    ends = [
        fit_members(
            start_members(whole(x, rows), np.zeros(3, int), np.arange(3), hyper, fewer),
            whole(x, rows), fewer, data_mesh(),
        )
        for x in (data, changed)
    ]  # fmt: skip
    assert same(*ends)


def test_checkpoints_resume_to_the_same_bits_and_are_kept_by_policy(tmp_path):
    _, recipe, stream, members = setting(segment=4)
    unbroken = fit_members(members, stream, recipe, data_mesh())
    _, _, _, members = setting()
    with open_manager(tmp_path, keep=2) as manager:

        def stop(epoch, *_):
            if epoch == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit_members(members, stream, recipe, data_mesh(), Checkpoints(manager, {"a": 1}), stop)
        manager.wait_until_finished()
    _, _, _, members = setting()
    with open_manager(tmp_path, keep=2) as manager:
        assert manager.latest_step() == 3
        resumed = fit_members(members, stream, recipe, data_mesh(), Checkpoints(manager, {"a": 1}))
        assert len(manager.all_steps()) == 2
    assert same(unbroken, resumed)


def test_checkpoints_of_another_run_or_damaged_are_refused(tmp_path):
    _, _, _, members = setting()
    with open_manager(tmp_path) as manager:
        assert restore_checkpoint(Checkpoints(manager), members) is None
        save_checkpoint(Checkpoints(manager, {"sae": {"latents": 16, "k": 4}}), 1, members)
        manager.wait_until_finished()
    with open_manager(tmp_path) as manager, pytest.raises(InputError, match=r"sae\.latents: 16 \(this run: 32\)"):
        restore_checkpoint(Checkpoints(manager, {"sae": {"latents": 32, "k": 4}}), members)
    files = [p for p in (tmp_path / "1" / "members").rglob("*") if p.is_file() and "/d/" in p.as_posix()]
    assert files
    for file in files:
        content = bytearray(file.read_bytes())
        for place in range(0, len(content), 7):
            content[place] ^= 0xFF
        file.write_bytes(content)
    with open_manager(tmp_path) as manager, pytest.raises(InputError, match="damaged") as refused:
        restore_checkpoint(Checkpoints(manager, {"sae": {"latents": 16, "k": 4}}), members)
    assert "\n" not in str(refused.value)


def test_digest_sees_type_shape_and_value():
    zeros = np.zeros((2, 3), np.float32)
    others = (zeros.T, zeros.astype(np.int32), np.full((2, 3), 1e-9, np.float32))
    assert len({digest(a) for a in (zeros, *others)}) == 4


def child(folder: Path, result: Path) -> None:
    """What the subprocess of the next test runs: a fit with a checkpoint every 4 steps, slowed down so that it can be hit."""
    _, recipe, stream, members = setting("batchtopk", epochs=12, segment=4)
    with open_manager(folder) as manager:
        slowly = lambda *_: time.sleep(0.1)  # noqa: E731
        members = fit_members(members, stream, recipe, data_mesh(), Checkpoints(manager), slowly)
    np.savez(result, *weights(members))
    result.with_suffix(".json").write_text(json.dumps({"done": True}))


def test_sigkill_and_resume_end_with_the_same_bits(tmp_path):
    code = (
        "import sys; from pathlib import Path; import tests.conftest; from tests.test_sae_training import child;"
        "child(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run"), str(tmp_path / "killed.npz")]
    root = Path(__file__).resolve().parents[1]
    process = subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    limit = time.time() + 60
    while not any(int(p.name) >= 3 for p in (tmp_path / "run").glob("[0-9]*") if p.name.isdigit()):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.time() < limit
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed.npz").exists()
    subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=True, timeout=120)
    _, recipe, stream, members = setting("batchtopk", epochs=12, segment=4)
    unbroken = fit_members(members, stream, recipe, data_mesh())
    with np.load(tmp_path / "killed.npz") as killed:
        assert all(np.array_equal(killed[f"arr_{i}"], leaf) for i, leaf in enumerate(weights(unbroken)))
