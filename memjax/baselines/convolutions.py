"""A convolutional network's weights out of torch's named tensors, every one that does not fit named at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import jax.numpy as jnp
import numpy as np
from flax import struct

from memjax.axes import Leaf
from memjax.checks import InputError
from memjax.models import hub
from memjax.schema import shown_name


@struct.dataclass
class Convolution:
    """One layer's weights."""

    kernel: Annotated[Leaf, "y x i o"]
    bias: Annotated[Leaf, "o"]


class FoundTensors:
    """Named tensors that are taken one by one; what is missing, misshapen or not finite is collected, and zeros stand for it.

    Example:
        >>> found = FoundTensors({"a": np.ones(2, np.float32)})
        >>> found.take("a", (2,)).tolist(), found.take("b", (1,)).tolist(), found.problems
        ([1.0, 1.0], [0.0], ['missing b'])
    """

    def __init__(self, state: Mapping[str, np.ndarray]) -> None:
        self.left = dict(state)
        self.problems: list[str] = []

    def take(self, key: str, shape: tuple[int, ...]) -> np.ndarray:
        """One tensor, as float32."""
        array = self.left.pop(key, None)
        if array is None:
            self.problems.append(f"missing {key}")
        elif array.shape != shape or array.dtype.kind != "f":
            self.problems.append(f"{key} is {array.dtype} {array.shape}, expected float {shape}")
        elif not hub.all_finite(array):
            self.problems.append(f"{key} holds NaN or infinity")
        else:
            return array.astype(np.float32)
        return np.zeros(shape, np.float32)

    def convolution(self, key: str, inputs: int, outputs: int) -> Convolution:
        """A 3 x 3 convolution, ``KEY.weight`` ``[o, i, y, x]`` and ``KEY.bias``."""
        kernel = self.take(f"{key}.weight", (outputs, inputs, 3, 3))
        return Convolution(jnp.asarray(kernel.transpose(2, 3, 1, 0)), jnp.asarray(self.take(f"{key}.bias", (outputs,))))

    def check_all_used(self, path: Path, what: str) -> None:
        """Raises `InputError` where some did not fit, or are left over."""
        problems = self.problems + [f"unexpected {shown_name(key)}" for key in self.left]
        if problems:
            raise InputError(f"{path}: {len(problems)} tensors do not fit {what}: {'; '.join(problems[:12])}")
