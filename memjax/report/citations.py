"""Whom to cite: the paper whose analyses these are, this package, each encoder and the data set."""

from memjax import __version__
from memjax.outputs import ModelRecord, Run

PAPER = (
    "Takmaz, E., Gatt, A., & Dotlačil, J. (2025). Traces of image memorability in vision encoders: Activations, "
    "attention distributions and autoencoder losses. arXiv:2509.01453. MemVis workshop, ICCV 2025."
)

ENCODERS = {
    "clip": (
        "Radford, A., Kim, J. W., Hallacy, C., Ramesh, A., Goh, G., Agarwal, S., ... Sutskever, I. (2021). Learning transferable "
        "visual models from natural language supervision. ICML. arXiv:2103.00020."
    ),
    "siglip": (
        "Zhai, X., Mustafa, B., Kolesnikov, A., & Beyer, L. (2023). Sigmoid loss for language image pre-training. ICCV. "
        "arXiv:2303.15343."
    ),
    "siglip2": (
        "Tschannen, M., Gritsenko, A., Wang, X., Naeem, M. F., Alabdulmohsin, I., Parthasarathy, N., ... Zhai, X. (2025). "
        "SigLIP 2: Multilingual vision-language encoders with improved semantic understanding, localization, and dense features. "
        "arXiv:2502.14786."
    ),
    "dinov2": (
        "Oquab, M., Darcet, T., Moutakanni, T., Vo, H., Szafraniec, M., Khalidov, V., ... Bojanowski, P. (2024). DINOv2: "
        "Learning robust visual features without supervision. TMLR. arXiv:2304.07193."
    ),
    "dinov2_with_registers": (
        "Darcet, T., Oquab, M., Mairal, J., & Bojanowski, P. (2024). Vision transformers need registers. ICLR. arXiv:2309.16588."
    ),
    "dinov3_vit": "Siméoni, O., Vo, H. V., Seitzer, M., Baldassarre, F., Oquab, M., et al. (2025). DINOv3. arXiv:2508.10104.",
    "vit": (
        "Dosovitskiy, A., Beyer, L., Kolesnikov, A., Weissenborn, D., Zhai, X., Unterthiner, T., ... Houlsby, N. (2021). An "
        "image is worth 16x16 words: Transformers for image recognition at scale. ICLR. arXiv:2010.11929."
    ),
    "deit": (
        "Touvron, H., Cord, M., Douze, M., Massa, F., Sablayrolles, A., & Jégou, H. (2021). Training data-efficient image "
        "transformers & distillation through attention. ICML. arXiv:2012.12877."
    ),
    "vit_mae": (
        "He, K., Chen, X., Xie, S., Li, Y., Dollár, P., & Girshick, R. (2022). Masked autoencoders are scalable vision learners. "
        "CVPR. arXiv:2111.06377."
    ),
}
"""Family of encoders -> the work that made them."""


def citations(run: Run) -> list[str]:
    """References for a page of this run, each once; an encoder that is the package's own, or of no published family, has none.

    Example:
        >>> from memjax.outputs import DatasetRecord
        >>> run = Run(DatasetRecord("mine"), models=(ModelRecord("facebook/dinov2-small", family="dinov2"),))
        >>> [text.split()[0] for text in citations(run)]
        ['Takmaz,', 'The', 'Oquab,']
    """
    version = run.versions.get("memjax") or __version__
    works = [
        PAPER,
        f"The memjax authors. memjax {version} (software).",
        *map(_of_encoder, run.models),
        run.dataset.citation,
    ]
    return list(dict.fromkeys(filter(None, works)))


def _of_encoder(model: ModelRecord) -> str:
    name = model.name or model.model
    if name.startswith("memjax/"):
        return ""
    return ENCODERS.get("siglip2" if "siglip2" in name.lower() else model.family, "")
