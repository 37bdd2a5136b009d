"""What is built: the architecture of a vision transformer, frozen and hashable, and nothing about its weights."""

import dataclasses

from memjax.traces import Layout

ACTIVATIONS = ("gelu", "gelu_tanh", "quick_gelu", "silu")
POOLS = ("none", "cls", "pooler", "projection", "attention")
PLACED = ("patches", "cls", "all")
POOLED_FROM = ("cls", "pair", "patches", "all")


@dataclasses.dataclass(frozen=True)
class DecoderConfig:
    """The decoder of a masked autoencoder (He et al. 2021): a narrower transformer, and how pixels are masked."""

    width: int
    depth: int
    heads: int
    mlp_width: int
    mask_ratio: float
    norm_pix_loss: bool


@dataclasses.dataclass(frozen=True)
class ViTConfig:
    """One vision transformer. Every difference between the families is a field here.

    Attributes:
        family: the Hugging Face ``model_type`` that it was read from.
        width, depth, heads, mlp_width: d, l, h, m.
        patch, image: side of a patch, and ``(y, x)`` of the images that the positions were made for, in pixels.
        activation: ``gelu`` (exact, erf), ``gelu_tanh``, ``quick_gelu`` (x sigmoid(1.702 x)) or ``silu``.
        eps: of every layer norm.
        cls: whether there is a cls token.
        distillation: whether a distillation token follows it (DeiT); it has a position.
        registers: how many register tokens follow.
        placed: which tokens have a position: ``"patches"`` alone, ``"cls"``: the cls and the distillation token too, or
            ``"all"``: the registers too.
        position: ``"learned"`` (also fixed sin-cos tables, which are stored the same way) or ``"rotary"``.
        interpolate: whether positions stretch to other image sizes (bicubic).
        antialias: whether that is with antialias and a = -0.5 (DINOv2 with registers), else without and a = -0.75.
        rope_theta: base period of rotary positions.
        gated: MLP with a gate, ``down(act(gate x) * up x)``.
        layer_scale: whether each residual branch is scaled per channel.
        query_bias, key_bias, value_bias, out_bias, mlp_bias, patch_bias: which projections have a bias.
        pre_norm: layer norm before block 1 (CLIP).
        final_norm: layer norm after the last block.
        pool: what makes ``pooled`` of the normed token that is pooled: nothing more, a tanh pooler, a projection, attention
            pooling; or none is made.
        pooled_from: the token that is pooled: the ``"cls"``, or the mean of cls and distillation token (``"pair"``), of the
            ``"patches"`` or of ``"all"`` tokens. Attention pooling reads all tokens, or with ``"patches"`` those.
        norm_last: whether the mean is made first and normed then.
        pool_width: width of ``pooled``.
        decoder: of a masked autoencoder, else None.
    """

    family: str
    width: int
    depth: int
    heads: int
    mlp_width: int
    patch: int
    image: tuple[int, int]
    activation: str = "gelu"
    eps: float = 1e-6
    cls: bool = True
    distillation: bool = False
    registers: int = 0
    placed: str = "cls"
    position: str = "learned"
    interpolate: bool = False
    antialias: bool = False
    rope_theta: float = 100.0
    gated: bool = False
    layer_scale: bool = False
    query_bias: bool = True
    key_bias: bool = True
    value_bias: bool = True
    out_bias: bool = True
    mlp_bias: bool = True
    patch_bias: bool = True
    pre_norm: bool = False
    final_norm: bool = True
    pool: str = "none"
    pool_width: int = 0
    pooled_from: str = "cls"
    norm_last: bool = False
    decoder: DecoderConfig | None = None

    def __post_init__(self) -> None:
        problems = [
            f"width {self.width} is not a multiple of heads {self.heads}" if self.width % self.heads else "",
            f"activation {self.activation!r} is not one of {ACTIVATIONS}" if self.activation not in ACTIVATIONS else "",
            f"pool {self.pool!r} is not one of {POOLS}" if self.pool not in POOLS else "",
            f"placed {self.placed!r} is not one of {PLACED}" if self.placed not in PLACED else "",
            f"pooled_from {self.pooled_from!r} is not one of {POOLED_FROM}"
            if self.pooled_from not in POOLED_FROM
            else "",
            f"image {self.image} is smaller than a patch of {self.patch}" if min(self.image) < self.patch else "",
            "rotary positions want a head width divisible by 4"
            if self.position == "rotary" and (self.width // self.heads) % 4
            else "",
        ]
        if any(problems):
            raise ValueError("; ".join(p for p in problems if p))

    @property
    def has_output(self) -> bool:
        """Whether the family's head makes something of the last layer (`memjax.models.vit.pool`)."""
        return self.pool != "none" and self.final_norm

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def before_patches(self) -> int:
        """How many tokens stand before the patches."""
        return int(self.cls) + int(self.distillation) + self.registers

    @property
    def layout(self) -> Layout:
        """Which tokens are cls, extras (distillation, registers) and patches."""
        extra = int(self.distillation) + self.registers
        return Layout(cls=self.cls, extra=extra, registers=self.registers, grid=self.grid, patch=self.patch)

    @property
    def grid(self) -> tuple[int, int]:
        """Patches of the native image size, ``(rows, columns)``."""
        return self.grid_of(self.image)

    def grid_of(self, image: tuple[int, ...]) -> tuple[int, int]:
        """Patches of an image of size ``(y, x, ...)``: ``(rows, columns)``; those that are not whole are left out."""
        return image[0] // self.patch, image[1] // self.patch

    @property
    def positions(self) -> int:
        """Rows of the position table: those of the tokens that are `placed`, and native patches."""
        first = {"patches": 0, "cls": self.before_patches - self.registers, "all": self.before_patches}[self.placed]
        return first + self.grid[0] * self.grid[1]
