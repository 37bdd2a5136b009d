"""VGG-16 against the same architecture in plain torch (torchvision's layout and names)."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="parity needs torch (CPU build)")

import jax
from safetensors.numpy import load_file, save_file

import memjax
from memjax.baselines import vgg
from tests.parity import hf


class Vgg(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers, channels = [], 3
        for block in vgg.BLOCKS:
            for width in block:
                layers += [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.ReLU()]
                channels = width
            layers.append(torch.nn.MaxPool2d(2, 2))
        self.features = torch.nn.Sequential(*layers)
        self.classifier = torch.nn.Sequential(
            torch.nn.Linear(512 * 49, 4096), torch.nn.ReLU(), torch.nn.Dropout(),
            torch.nn.Linear(4096, 4096), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(4096, 10),
        )  # fmt: skip

    def forward(self, x):
        out = []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, torch.nn.MaxPool2d):
                out.append(x.permute(0, 2, 3, 1))
        x = torch.nn.functional.adaptive_avg_pool2d(x, 7).flatten(1)
        out.append(self.classifier[:2](x))
        return [*out, self.classifier[3:5](out[-1])]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    torch.manual_seed(0)
    model = Vgg().eval()
    with torch.no_grad():  # He's scale keeps the signal through the depth; biases away from zero
        for parameter in model.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            parameter.normal_(0, (2 / fan_in) ** 0.5 if parameter.ndim > 1 else 0.1)
    file = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    save_file({k: v.numpy() for k, v in model.state_dict().items()}, file)
    return model, file


@pytest.mark.slow
@pytest.mark.parametrize("size", [(224, 224), (96, 133), (250, 261)])
def test_seven_layers(saved, size):
    model, file = saved
    image = np.random.default_rng(1).normal(size=(*size, 3)).astype(np.float32)
    ours = jax.jit(vgg.vgg_features)(vgg.load_vgg(file), image)
    with torch.no_grad():
        theirs = model(torch.from_numpy(image).permute(2, 0, 1)[None])
    assert tuple(ours) == vgg.LAYERS
    for (name, mine), other in zip(ours.items(), theirs):
        assert hf.relative(mine, other[0].numpy()) < 1e-4, name


@pytest.mark.slow
def test_weights_that_do_not_fit(saved, tmp_path):
    state = load_file(saved[1])
    del state["features.0.bias"]
    state |= {"features.2.weight": np.ones((64, 3, 3, 3), np.float32), "extra": np.ones(1, np.float32)}
    save_file(state, tmp_path / "bad.safetensors")
    with pytest.raises(memjax.InputError, match=r"3 tensors.*missing features.0.bias.*features.2.weight.*extra"):
        vgg.load_vgg(tmp_path / "bad.safetensors")
    with pytest.raises(memjax.InputError, match="VGG-16 weights"):
        vgg.load_vgg(tmp_path / "none.safetensors")
