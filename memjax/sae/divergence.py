"""Training that left the finite numbers: found where it happens, and told by epoch and autoencoder."""

import numpy as np
from jaxtyping import Float

from memjax.checks import InputError
from memjax.sae.member import Member


class DivergedError(InputError):
    """The loss or the scores of an autoencoder are NaN or infinite; nothing of that epoch is kept."""


def check_finite(values: Float[np.ndarray, "m ..."], members: Member, epoch: int) -> None:
    """Refuse an ensemble of which an autoencoder has diverged.

    Args:
        values: losses or scores of each.
        members: the ensemble.
        epoch: counted from 1, for the message.

    Raises:
        DivergedError: naming the epoch, the first such autoencoder, and how many more there are.
    """
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    if not len(bad):
        return
    seed, layer, rate = (np.asarray(a)[bad[0]] for a in (members.seed, members.layer, members.hyper.learning_rate))
    more = f" (and that of {len(bad) - 1} more)" if len(bad) > 1 else ""
    raise DivergedError(
        f"training diverged in epoch {epoch}: the loss of autoencoder {bad[0] + 1} of {len(values)}, of seed {seed} and "
        f"number {layer + 1} of the trained layers,{more} is no finite number; nothing of this epoch is kept; lower the "
        f"learning rate ({rate:g}) or the sparsity, and choose another folder",
        argument="learning_rate",
    )
