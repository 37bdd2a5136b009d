"""Torch's files of Prisma, saev and the paper's authors made into folders of safetensors, beside the same pass in PyTorch."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memjax import sae
from memjax.checks import InputError
from tests.test_sae_published import CFG4, PRISMA, D, F


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return {"W_enc": torch.randn(D, F), "b_enc": torch.randn(F), "W_dec": torch.randn(F, D), "b_dec": torch.randn(D)}


@pytest.fixture
def x() -> torch.Tensor:
    torch.manual_seed(4)
    return torch.randn(50, D) * 3 + 1


def saev_file(file: Path, header: object, state: dict[str, torch.Tensor]) -> Path:
    content = io.BytesIO()
    torch.save(state, content)
    file.write_bytes(json.dumps(header).encode() + b"\n" + content.getvalue())
    return file


def test_prismas_weights(state, x, tmp_path):
    torch.save(state, tmp_path / "weights.pt")
    (tmp_path / "config.json").write_text(json.dumps(PRISMA))
    found = sae.load(sae.convert_torch(tmp_path / "weights.pt", tmp_path / "new"))
    mean, std = x.mean(-1, keepdim=True), x.std(-1, keepdim=True)
    latents = torch.relu(((x - mean) / (std + 1e-5) - state["b_dec"]) @ state["W_enc"] + state["b_enc"])
    recons = (latents @ state["W_dec"] + state["b_dec"]) * std + mean
    np.testing.assert_allclose(found.encode(x.numpy()), latents, atol=1e-5)
    np.testing.assert_allclose(found.reconstruct(x.numpy()), recons, atol=1e-4)
    torch.save({"cfg": PRISMA, "state_dict": state}, tmp_path / "weights.pt")  # a checkpoint with its config inside
    again = sae.load(sae.convert_torch(tmp_path / "weights.pt", tmp_path / "new"))
    np.testing.assert_array_equal(again.params.w_enc, found.params.w_enc)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_saevs_file(dtype, state, x, tmp_path):
    state = {name: value.to(dtype) for name, value in state.items()}
    file = saev_file(tmp_path / "sae.pt", {"schema": 4, "cfg": CFG4}, state)
    with pytest.raises(InputError, match=r"got sae\.pt; convert it"):
        sae.load(tmp_path)
    found = sae.load(sae.convert_torch(file, tmp_path / "new"))
    wide = {name: value.float() for name, value in state.items()}
    latents = torch.relu(x @ wide["W_enc"] + wide["b_enc"])
    np.testing.assert_allclose(found.encode(x.numpy()), latents, atol=1e-5)
    np.testing.assert_allclose(found.reconstruct(x.numpy()), latents @ wide["W_dec"] + wide["b_dec"], atol=1e-4)
    assert found.origin.format == "saev schema 4"


def test_the_authors_file(x, tmp_path):
    model = torch.nn.ModuleDict({"fc1": torch.nn.Linear(D, F), "fc2": torch.nn.Linear(F, D)})
    torch.save(model.state_dict(), tmp_path / "SPARSE_autoencoder_model_1.pt")
    found = sae.load(sae.convert_torch(tmp_path / "SPARSE_autoencoder_model_1.pt", tmp_path / "new"))
    latents = torch.relu(model["fc1"](x))
    np.testing.assert_allclose(found.encode(x.numpy()), latents.detach(), atol=1e-5)
    np.testing.assert_allclose(found.reconstruct(x.numpy()), model["fc2"](latents).detach(), atol=1e-5)
    assert found.config.variant == "paper"


class Harmful:
    def __reduce__(self):
        return print, ("run",)


def packed(state: object) -> bytes:
    """A torch file whose archive is compressed."""
    plain, small = io.BytesIO(), io.BytesIO()
    torch.save(state, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    return small.getvalue()


def saved(state: object) -> bytes:
    content = io.BytesIO()
    torch.save(state, content)
    return content.getvalue()


HEADER = json.dumps({"schema": 4, "cfg": CFG4}).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (lambda s: b"not a checkpoint", "could not read it"),
        (lambda s: saved([1, 2]), "expected a torch state dict, got list"),
        (lambda s: saved({"state_dict": [1]}), "expected a torch state dict, got list"),
        (lambda s: saved(s | {"a": Harmful()}), "could not read it: Weights only load failed"),
        (lambda s: HEADER + saved(Harmful()), "could not read it: Weights only load failed"),
        (lambda s: HEADER + saved(s)[:-300], "could not read it"),
        (lambda s: HEADER, "could not read it"),
        (
            lambda s: HEADER + packed({"W_enc": torch.zeros(300, 300)}),
            "its parts are compressed, which torch's are not",
        ),
        (
            lambda s: HEADER + saved(s | {"W_enc": torch.zeros(1).expand(2**20, 2**20)}),
            "as many values as the file holds",
        ),
        (lambda s: HEADER + saved(s | {"scale": torch.ones(1)}), "not known: scale"),
        (lambda s: HEADER + saved(s | {"b_enc": torch.full((F,), torch.nan)}), "tensor b_enc: expected finite numbers"),
        (lambda s: b"{broken\n" + saved(s), "its first line is not readable as JSON"),
        (lambda s: b"{" * 90_000 + b"\n" + saved(s), "its first line is not readable as JSON"),
        (lambda s: saved(s), r"missing \['fc1.bias'"),
    ],
)
def test_files_that_are_something_else_are_refused_in_a_line(content, match, state, tmp_path, capfd):
    (tmp_path / "sae.pt").write_bytes(content(state))
    with pytest.raises(InputError, match=match) as caught:
        sae.convert_torch(tmp_path / "sae.pt", tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()
    assert "run" not in capfd.readouterr().out
