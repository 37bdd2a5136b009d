"""What a folder or tensors of another library are called, so that an error can say what was given."""

from collections.abc import Iterable
from pathlib import Path

_READ = (
    "memjax reads models that transformers saved (config.json with model_type, model.safetensors), and vision transformers of "
    "timm and OpenCLIP"
)

FILES = {
    "adapter_config.json": "a PEFT adapter without its model",
    "model_index.json": "a diffusers pipeline",
    "modules.json": "a sentence-transformers model",
}
"""A file that tells whose folder it is."""

TENSORS = {
    "visual.transformer.resblocks.": "OpenCLIP's",
    "lora_A.": "a PEFT adapter's: merge it into its model and save that",
    "base_model.model.": "PEFT's: merge the adapter into its model and save that",
    "attn.qkv.": "timm's or the authors' own",
    "module.": "those of torch's DataParallel, but not all of them",
    "student.": "a training checkpoint's of a student and a teacher",
    "teacher.": "a training checkpoint's of a student and a teacher",
    "state_dict.": "a training checkpoint's",
}
"""Part of a tensor's name that tells whose it is."""


def of_folder(folder: Path) -> str:
    """Whose folder this is; empty where nothing tells."""
    return next((f"{what}; {_READ}" for name, what in FILES.items() if (folder / name).is_file()), "")


def of_tensors(names: Iterable[str]) -> str:
    """Whose names these are; empty where nothing tells.

    Example:
        >>> of_tensors(["blocks.0.attn.qkv.weight", "cls_token"])
        "some of these names are timm's or the authors' own"
    """
    found = list(names)
    whose = next((what for part, what in TENSORS.items() if any(part in name for name in found)), "")
    return f"some of these names are {whose}" if whose else ""
