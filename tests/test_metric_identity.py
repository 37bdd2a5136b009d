"""The identity of a metric: of what its function is, the same in a new process, and of nothing else."""

import functools
import json
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memjax import metrics
from memjax.checks import InputError
from memjax.metrics import Metric, metric_identity
from tests.test_vit import architecture

SCALE, OTHER = 2.0, 3.0


def helper(x):
    return x * SCALE


def made(k):
    return lambda block, layout: k * block.attention.max()


def test_other_functions_differ():
    different = [
        Metric(lambda block, layout: block.attention.max(), "block"),
        Metric(lambda block, layout: block.attention.min(), "block"),
        Metric(lambda block, layout: block.attention.max() * SCALE, "block"),
        Metric(lambda block, layout: block.attention.max() * OTHER, "block"),
        Metric(lambda block, layout: helper(block.attention.max()), "block"),
        Metric(lambda block, layout, k=1: block.attention.max(), "block"),
        Metric(lambda block, layout, k=2: block.attention.max(), "block"),
        Metric(lambda block, layout: block.attention.max(), "sum"),
        Metric(lambda block, layout: block.attention.max(), "block", per_head=True),
        Metric(made(1.0), "block"),
        Metric(made(2.0), "block"),
        Metric(made(np.ones(3)), "block"),
        Metric(made(np.zeros(3)), "block"),
        Metric(made(jnp.zeros(4)), "block"),
        Metric(made({"a": (1, None), "b": {3}}), "block"),
        Metric(made(architecture("plain")), "block"),
        Metric(made(architecture("no-cls")), "block"),
        Metric(functools.partial(made(1.0), 1), "block"),
        Metric(functools.partial(made(1.0), layout=2), "block"),
        Metric(jax.jit(made(1.0)), "block"),
        Metric(helper, "block"),
        Metric(metrics.METRICS["cls_mean"].function, "hidden"),
        Metric(metrics.METRICS["cls_max"].function, "hidden"),
        Metric(jnp.max, "hidden"),
    ]
    found = [metric_identity(metric) for metric in different]
    for i, digest in enumerate(found):
        assert digest not in found[:i], i


def test_two_lambdas_of_one_line_differ_and_what_stands_beside_them_does_not_count():
    two = (lambda block, layout: block.attention.max()), (lambda block, layout: block.attention.min())
    first, second = (metric_identity(Metric(function, "block")) for function in two)
    assert first != second
    assert first == metric_identity(Metric(two[0], "block", "A title", "a unit")), "that is not what it computes"
    assert first == metric_identity(Metric(lambda block, layout: block.attention.max(), "block"))


def test_a_global_that_changes_is_seen(monkeypatch):
    before = metric_identity(Metric(lambda block, layout: helper(block.attention.max()), "block"))
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 2.5)
    assert metric_identity(Metric(lambda block, layout: helper(block.attention.max()), "block")) != before


def test_functions_that_call_themselves_end():
    def again(block, layout, n=3):
        return block.attention.max() if n == 0 else again(block, layout, n - 1)

    assert metric_identity(Metric(again, "block")) == metric_identity(Metric(again, "block"))


def test_what_cannot_be_told_apart_is_refused():
    handle = object()
    with pytest.raises(InputError, match=r"reads an object of type builtins\.object"):
        metric_identity(Metric(lambda block, layout: handle and block.attention.max(), "block"))


@pytest.mark.parametrize("typed", [False, True])
def test_the_same_in_a_new_process(typed, tmp_path):
    """From a file, and typed in (no source: the bytecode stands for it)."""
    body = textwrap.dedent(
        """
        import functools, jax, jax.numpy as jnp, numpy as np
        from beartype import beartype
        from jaxtyping import Array, Float, jaxtyped
        from memjax.metrics import Metric, metric_identity
        from memjax.traces import BlockTrace, Layout
        K = {"a": np.arange(3.0), "b": jnp.ones(2)}
        def helper(x): return x * K["a"].sum()
        own = [
            lambda block, layout: helper(block.attention.max()),
            functools.partial(lambda k, block, layout: jnp.max(block.attention) * k, 3),
            jax.jit(lambda block, layout: jax.nn.relu(block.after).mean()),
        ]
        def third(block, layout):
            names = {"b", "a", "c", "d", "e"}
            return sum(block.after.mean() for _ in names)
        @jaxtyped(typechecker=beartype)
        def fourth(block: BlockTrace, layout: Layout) -> Float[Array, ""]:
            return block.after.mean()
        def twice(function):
            @functools.wraps(function)
            def run(*args):
                return 2 * function(*args)
            return run
        print([metric_identity(Metric(f, "block")) for f in (*own, third, fourth, twice(third))])
        """
    )
    (tmp_path / "own.py").write_text(body)
    command = [sys.executable, "-c", body] if typed else [sys.executable, str(tmp_path / "own.py")]
    first, again = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert first == again
    assert len(set(json.loads(first.replace("'", '"')))) == 6
