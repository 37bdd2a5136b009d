"""Tokens read block by block: every row once an epoch, held-out images never, resumed to the same bits; large batches split."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memjax.checks import InputError
from memjax.devices import data_mesh
from memjax.sae.checkpoint import Checkpoints, open_manager
from memjax.sae.config import FitConfig
from memjax.sae.ensemble import Schedule, epoch_orders, split_batches, train_members
from memjax.sae.evaluation import evaluate
from memjax.sae.folds import k_folds_in_blocks
from memjax.sae.member import Hyper
from memjax.sae.presets import modern
from memjax.sae.standardiser import fit_standardiser, moments
from memjax.sae.stream import ImageTokens, ahead, in_memory, leaving_out, whole
from memjax.sae.training import fit_members, recipe_for, standardisers, start_members

LAYERS, IMAGES, TOKENS, WIDTH, FOLDS = 2, 11, 3, 5, 2


@pytest.fixture
def data():
    return np.random.default_rng(0).normal(2, 3, (LAYERS, IMAGES * TOKENS, WIDTH)).astype(np.float32)


def read_from(data: np.ndarray, size: int) -> ImageTokens:
    return ImageTokens(lambda start, stop: data[:, start * TOKENS : stop * TOKENS], IMAGES, TOKENS, size)


def hyper(count: int) -> Hyper:
    return Hyper(jnp.full(count, 1e-3), jnp.full(count, 1e-3))


def leaves(tree) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def same(a, b) -> bool:
    return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(leaves(a), leaves(b), strict=True))


def test_an_epoch_has_every_row_once_in_an_order_of_its_own(data):
    stream = leaving_out(read_from(data, 4), np.zeros(IMAGES, int), 1, np.array([0]))
    assert all(sorted(stream.order(epoch)) == [0, 1, 2] for epoch in range(9))
    assert len({tuple(stream.order(epoch)) for epoch in range(9)}) > 2
    first = [*ahead(stream.images.block, stream.order(0))]
    rows = np.concatenate([block[0][stream.rows(number)[0]] for number, block in first])
    np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(data[0], axis=0))


def test_each_fold_has_its_share_of_every_block_and_is_left_out_whole():
    fold = k_folds_in_blocks(IMAGES, FOLDS, 4)
    assert [np.bincount(fold[i : i + 4]).tolist() for i in (0, 4)] == [[2, 2], [2, 2]]
    stream = leaving_out(read_from(np.zeros((1, IMAGES * TOKENS, 1), np.float32), 4), fold, FOLDS, np.array([0, 1, 1]))
    for block in range(3):
        rows, mine = stream.rows(block), fold[stream.images.span(block)]
        assert rows.shape[0] == 3
        for held, row in zip((0, 1, 1), rows, strict=True):
            images, counts = np.unique(row // TOKENS, return_counts=True)
            assert (mine[images] != held).all()
            assert (counts == TOKENS).all()
    with pytest.raises(InputError, match="images of a block"):
        k_folds_in_blocks(IMAGES, 5, 4)


def test_moments_of_parts_are_those_of_the_whole(data):
    parts = moments(data[0, :7]) + moments(data[0, 7:8]) + moments(data[0, 8:])
    all_of_it = moments(data[0])
    np.testing.assert_allclose(parts.mean, all_of_it.mean, rtol=1e-12)
    np.testing.assert_allclose(parts.squares, all_of_it.squares, rtol=1e-12)


def test_standardisers_are_of_the_training_rows_alone(data):
    fold = k_folds_in_blocks(IMAGES, FOLDS, 4)
    held, layers = np.array([0, 1, 0]), np.array([0, 0, 1])
    stream = leaving_out(read_from(data, 4), fold, FOLDS, held)
    found = standardisers(stream, layers)
    for member in range(3):
        rows = [
            data[layers[member], stream.images.span(block).start * TOKENS + stream.rows(block)[member]]
            for block in range(stream.images.blocks)
        ]
        wanted = fit_standardiser(np.concatenate(rows))
        np.testing.assert_allclose(found.mean[member], wanted.mean, rtol=1e-6)
        np.testing.assert_allclose(found.std[member], wanted.std, rtol=1e-6)


def test_scores_of_blocks_are_means_over_tokens_and_those_of_memory(data):
    preset = modern("topk", WIDTH, 20, latents=8, epochs=1, batch_size=4)
    stream = leaving_out(read_from(data, 4), np.zeros(IMAGES, int), 1, np.array([0, 0]))
    recipe = recipe_for(stream, preset.sae, preset.fit)
    members = start_members(stream, np.array([1, 0]), np.array([3, 4]), hyper(2), recipe)
    blocks = evaluate(members, stream.images, preset.sae, data_mesh())
    memory = evaluate(members, in_memory(data), preset.sae, data_mesh())
    for space in ("standardised", "raw"):
        rows = memory.images[space].error.reshape(2, IMAGES, TOKENS)
        np.testing.assert_allclose(blocks.images[space].error, rows.mean(axis=2), rtol=1e-5)
    np.testing.assert_allclose(blocks.members.explained_variance, memory.members.explained_variance, atol=1e-5)
    np.testing.assert_allclose(blocks.members.firing_frequency, memory.members.firing_frequency, atol=1e-6)


def test_a_broken_off_fit_goes_on_inside_an_epoch_to_the_same_bits(data, tmp_path):
    preset = modern("batchtopk", WIDTH, 20, latents=8, epochs=3, batch_size=4)

    def fresh(read=None):
        images = read_from(data, 4) if read is None else ImageTokens(read, IMAGES, TOKENS, 4)
        stream = leaving_out(images, k_folds_in_blocks(IMAGES, FOLDS, 4), FOLDS, np.array([0, 1]))
        recipe = recipe_for(stream, preset.sae, preset.fit)
        return stream, recipe, start_members(stream, np.zeros(2, int), np.arange(2), hyper(2), recipe)

    stream, recipe, members = fresh()
    unbroken = fit_members(members, stream, recipe, data_mesh())
    calls = []

    def failing(start, stop):
        calls.append(start)
        if len(calls) == 3 + 5:  # three for the standardisers, then inside the second epoch
            raise OSError("the store is gone")
        return data[:, start * TOKENS : stop * TOKENS]

    stream, recipe, members = fresh(failing)
    with open_manager(tmp_path) as manager, pytest.raises(OSError, match="gone"):
        fit_members(members, stream, recipe, data_mesh(), Checkpoints(manager))
    stream, recipe, members = fresh()
    with open_manager(tmp_path) as manager:
        visits = sum(steps > 0 for steps in stream.steps(4)) * 3
        assert 2 < (manager.latest_step() or 0) < visits, "inside the second epoch"
        resumed = fit_members(members, stream, recipe, data_mesh(), Checkpoints(manager))
    assert same(unbroken, resumed)


def test_a_batch_larger_than_every_block_is_refused(data):
    stream = leaving_out(read_from(data, 4), np.zeros(IMAGES, int), 1, np.array([0]))
    preset = modern("relu", WIDTH, 20, latents=8, epochs=1, batch_size=4)
    fit = FitConfig(batch_size=13, epochs=1)
    recipe = recipe_for(stream, preset.sae, fit)
    members = start_members(stream, np.zeros(1, int), np.zeros(1, int), hyper(1), recipe)
    with pytest.raises(InputError, match="training rows of a block"):
        fit_members(members, stream, recipe, data_mesh())


@pytest.mark.parametrize("variant", ["relu", "batchtopk"])
def test_a_batch_split_over_devices_gives_the_same_weights(data, variant):
    mesh = data_mesh(jax.devices()[:2])
    assert mesh.size == 2
    assert split_batches(1, 512, mesh)
    assert not split_batches(2, 512, mesh)
    assert not split_batches(1, 64, mesh)
    preset = modern(variant, WIDTH, 32, latents=8, epochs=2, batch_size=8)
    ends = []
    for split in (False, True):
        stream = whole(data, np.arange(32, dtype=np.int32)[None])
        recipe = recipe_for(stream, preset.sae, preset.fit)
        members = start_members(stream, np.zeros(1, int), np.zeros(1, int), hyper(1), recipe)
        orders = epoch_orders(members.seed, 0, jnp.asarray(stream.rows(0)), 8)
        ends.append(train_members(members, jnp.asarray(data), orders, recipe, Schedule(mesh, 1, split))[0].params)
    for ours, theirs in zip(*map(leaves, ends), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
