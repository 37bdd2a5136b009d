"""saev's files: a first line of JSON, then a torch state dict; what that line says, in each version of it.

Whether the decoder's bias is subtracted first is not written there. Files without a ``schema`` are of the time when saev did,
those of schema 2 and later of the time when it does not; schema 1 is of both. Its TopK keeps negative values that are among
the k largest; here latents are never negative, which differs only where fewer than k are positive. What saev's data loader
does to vectors beforehand (``scale_mean``, ``scale_norm``) is not in the file either.

Reference: Stevens et al. 2025, arXiv 2502.06755.
"""

from collections.abc import Mapping

from memjax.checks import InputError, expected
from memjax.sae.layouts import MOST_LATENTS, STANDARD, WIDEST, SAEPlan, TensorRow, config_in, whole_number
from memjax.sae.origin import SAEOrigin
from memjax.schema import Allowed, check_field, shown, shown_name

SCHEMAS = (1, 2, 3, 4, 5)
THRESHOLD = TensorRow("activation.threshold", "threshold", "")
"""The running threshold of BatchTopK, in files of versions that have one."""

SIZES: dict[str, Allowed] = {
    "d_vit": Allowed("whole", 1, WIDEST),
    "d_model": Allowed("whole", 1, WIDEST),
    "d_sae": Allowed("whole", 1, MOST_LATENTS),
    "exp_factor": Allowed("whole", 1, MOST_LATENTS),
    "top_k": Allowed("whole", 1, MOST_LATENTS),
}
IGNORED = frozenset(
    """
    n_reinit_samples remove_parallel_grads normalize_w_dec seed reinit_blend reinit_enc_dec_tranpose sparsity_coeff ghost_grads
    l1_coeff use_ghost_grads
    """.split()  # noqa: SIM905 (a word list reads better than quoted strings)
)
"""Fields of its training."""
ACTIVATIONS = {"Relu": "relu", "TopK": "topk", "BatchTopK": "batchtopk"}
"""Class in saev -> variant here."""
ACTIVATION_FIELDS = {"key", "kind", "top_k", "sparsity", "aux", "momentum"}


def plan_of_saev(
    header: Mapping[str, object], names: frozenset[str], where: str, pre_bias: bool | None = None
) -> SAEPlan:
    """What the first line of a file of saev says.

    Args:
        header: that line.
        names: of the file's tensors.
        where: the file, for messages.
        pre_bias: whether the decoder's bias is subtracted first, where the file is of schema 1.

    Raises:
        InputError: a field that is not known, or a value that is not possible here, by name.
    """
    schema = header.get("schema")
    if schema is not None and (isinstance(schema, bool) or schema not in SCHEMAS):
        raise expected(f"{where}, schema", f"one of {', '.join(map(str, SCHEMAS))}, or none", shown(schema))
    cfg = header if schema is None else header.get("cfg")
    if not isinstance(cfg, Mapping):
        raise expected(f"{where}, cfg", "an object", shown(cfg))
    kind, budget = _activation(header, cfg, where)
    if unknown := sorted(cfg.keys() - SIZES.keys() - IGNORED - {"activation"}):
        names_ = ", ".join(map(shown_name, unknown[:12]))
        raise InputError(f"{where}: unknown fields {names_}; they may change the autoencoder")
    for name in SIZES.keys() & cfg.keys():
        check_field(cfg[name], SIZES[name], f"{where}, {name}")
    width, latents = _sizes(cfg, where)
    subtracted = _subtracted(schema, pre_bias, where)
    if kind == "batchtopk" and THRESHOLD.name not in names:
        fix = "without one its latents depend on the batch that they are computed in"
        raise InputError(f"{where}: a BatchTopK without the tensor {THRESHOLD.name}; {fix}")
    sizes = {"width": width, "latents": latents, "k": budget}
    config = config_in(where, sizes | {"pre_bias": subtracted, "unit_norm": False, "variant": kind})
    rows = (*STANDARD, THRESHOLD) if kind == "batchtopk" else STANDARD
    return SAEPlan(config, rows, origin=SAEOrigin(format=f"saev schema {schema or 0}"))


def _sizes(cfg: Mapping[str, object], where: str) -> tuple[int, int]:
    width = cfg.get("d_model", cfg.get("d_vit"))
    check_field(width, SIZES["d_model"], f"{where}, d_model or d_vit")
    if "d_sae" not in cfg and "exp_factor" not in cfg:
        raise expected(where, "d_sae or exp_factor", "neither")
    latents = whole_number(cfg["d_sae"]) if "d_sae" in cfg else whole_number(width) * whole_number(cfg["exp_factor"])
    check_field(latents, SIZES["d_sae"], f"{where}, latents")
    return whole_number(width), latents


def _activation(header: Mapping[str, object], cfg: Mapping[str, object], where: str) -> tuple[str, int]:
    """The variant, and its k (1 where it has none)."""
    before = {"cls": header.get("cls", "Relu"), "params": {"top_k": cfg.get("top_k", 32)}}
    found = cfg.get("activation", before if header.get("schema") in (None, 1) else None)
    name = found.get("cls") if isinstance(found, Mapping) else found
    params = found.get("params") if isinstance(found, Mapping) else None
    if not isinstance(name, str) or name not in ACTIVATIONS or not isinstance(params, Mapping):
        raise expected(f"{where}, activation", f"one of {', '.join(ACTIVATIONS)}", shown(name))
    if unknown := sorted(params.keys() - ACTIVATION_FIELDS):
        raise InputError(f"{where}, activation: unknown fields {', '.join(map(shown_name, unknown[:12]))}")
    if name == "Relu":
        return "relu", 1
    check_field(params.get("top_k"), SIZES["top_k"], f"{where}, activation, top_k")
    return ACTIVATIONS[name], whole_number(params["top_k"])


def _subtracted(schema: object, pre_bias: bool | None, where: str) -> bool:
    known = None if schema == 1 else schema is None
    if known is None and pre_bias is None:
        fix = "say it: pre_bias=True for files from before saev had TopK, else False"
        raise InputError(
            f"{where}: schema 1 does not say whether the decoder's bias is subtracted first; {fix}", "pre_bias"
        )
    if known is not None and pre_bias not in (None, known):
        raise expected("pre_bias", f"{known} or none, as the schema of {where} says", pre_bias, argument="pre_bias")
    return bool(pre_bias) if known is None else known
