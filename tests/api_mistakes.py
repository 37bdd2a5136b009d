"""What people write by mistake, over the whole public API; run by itself, since tests look at types first.

``python -m tests.api_mistakes`` prints what each gives as JSON: name -> class of the error, its message, the parameter.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

import memjax
from memjax import sae
from memjax.attribution import AttributionSettings
from memjax.baselines import PROXIES
from memjax.pipelines.baseline_settings import BaselineSettings


class _Tensor:
    """As much of a torch tensor as can be told from outside."""

    def __init__(self, *shape: int):
        self.shape, self.dtype = shape, "torch.float32"


_Tensor.__module__ = "torch"

ONES = "np.ones((9, 2), np.float32)"
TRANSCODER = f"sae.fit({ONES}, target={ONES}, progress=False).saes[0]"
HINT = "memjax.read_images(images, encoder.preprocessing)"
PIXELS: dict[str, tuple[str, str]] = {
    "one path": ("'0.png'", HINT),
    "paths": ("['0.png']", HINT),
    "a PIL image": ("image", HINT),
    "PIL images": ("[image]", HINT),
    "a data set": ("data", HINT),
    "None": ("None", HINT),
    "an empty list": ("[]", HINT),
    "objects": ("np.array([None])", HINT),
    "a processor's output": ("{'pixel_values': pixels}", "a dict of pixel_values"),
    "grey levels": ("levels", HINT),
    "grey levels as floats": ("levels.astype(np.float32)", "as grey levels are"),
    "0 to 1": ("(levels / 255).astype(np.float32)", "divide by its std"),
    "0 to 1 in double precision": ("levels / 255", "divide by its std"),
    "no image": ("pixels[:0]", "check the list"),
    "channels first": ("pixels.transpose(0, 3, 1, 2)", "write np.moveaxis(pixels, 1, -1)"),
    "one image": ("pixels[0]", "write pixels[None]"),
    "one image, channels first": ("pixels[0].transpose(2, 0, 1)", "write np.moveaxis(pixels, 0, -1)[None]"),
    "one grey image": ("pixels[0, :, :, 0]", "three channels"),
    "grey images": ("pixels[..., 0]", "three channels"),
    "grey images of one channel": ("pixels[..., :1]", "np.repeat(pixels, 3, axis=-1)"),
    "four channels": ("np.repeat(pixels[..., :1], 4, -1)", "pixels[..., :3]"),
    "a list of two sizes": ("[pixels[0], pixels[0, :32]]", "images of one size"),
    "another size": ("np.zeros((2, 100, 100, 3), np.float32)", "memjax.read_images makes them of this size"),
    "less than a patch": ("np.zeros((2, 4, 4, 3), np.float32)", "at least one patch"),
    "NaN": ("np.where(np.arange(2)[:, None, None, None], np.nan, pixels)", "image 1 has NaN"),
    "a torch tensor": ("Tensor(2, 64, 64, 3)", "write pixels.numpy()"),
    "torch's axes": ("Tensor(2, 3, 64, 64)", "write pixels.permute(0, 2, 3, 1).numpy()"),
}
"""What is given for pixels -> what the message says; for both functions that take them."""

MISTAKES: dict[str, tuple[str, str]] = {
    f"{function}: {name}": (f"memjax.{function}(encoder, {given})", fix)
    for function in ("trace", "features")
    for name, (given, fix) in PIXELS.items()
} | {
    # Encoders
    "load: nothing": ("memjax.load(None)", "a hub id or a folder"),
    "load: an encoder": ("memjax.load(encoder)", "loaded already"),
    "load: several": ("memjax.load(['memjax/tiny'])", "one encoder at a time"),
    "load: a path without a model": ("memjax.load(Path('photos'))", "config.json"),
    "load: a dtype": ("memjax.load('memjax/tiny', dtype=np.float32)", "float32 or bfloat16"),
    "trace: a name": ("memjax.trace('memjax/tiny', pixels)", "memjax.load('memjax/tiny') gives one"),
    "trace: the wrong way round": ("memjax.trace(pixels, encoder)", "memjax.load"),
    "features: a name": ("memjax.features('memjax/tiny', pixels)", "memjax.load('memjax/tiny') gives one"),
    "features: a metric misspelt": ("memjax.features(encoder, pixels, metrics='cls_men')", "cls_mean"),
    "features: a metric by itself": ("memjax.features(encoder, pixels, metrics=metric)", "write {'name': metric}"),
    "features: a number": ("memjax.features(encoder, pixels, metrics=3)", "names of memjax.METRICS"),
    "features: a protocol": ("memjax.features(encoder, pixels, protocol='papper')", "one of native, paper"),
    "features: masks": ("memjax.features(encoder, pixels, mae_seeds=-1)", "0 or more"),
    "encode: an encoder": ("memjax.encode(encoder, pixels[0], encoder.config)", "write encoder.params"),
    "encode: an encoder's config": ("memjax.encode(encoder.params, pixels[0], encoder)", "write encoder.config"),
    "encode: a batch": ("memjax.encode(encoder.params, pixels, encoder.config)", "jax.vmap outside"),
    "encode: grey levels": ("memjax.encode(encoder.params, levels[0], encoder.config)", HINT),
    "encode: a path": ("memjax.encode(encoder.params, '0.png', encoder.config)", HINT),
    "encode: channels first": (
        "memjax.encode(encoder.params, pixels[0].transpose(2, 0, 1), encoder.config)",
        "write np.moveaxis(image, 0, -1)",
    ),
    "encode: a tap": ("memjax.encode(encoder.params, pixels[0], encoder.config, 'attention')", "lambda block"),
    # Images
    "read_images: a path": ("memjax.read_images('0.png', pre)", "write ['0.png']"),
    "read_images: a folder": ("memjax.read_images('photos', pre)", "write sorted(Path('photos').iterdir())"),
    "read_images: none": ("memjax.read_images([], pre)", "check the folder"),
    "read_images: None": ("memjax.read_images(None, pre)", "a list of images"),
    "read_images: a generator": ("memjax.read_images(Path('photos').glob('*'), pre)", "write list(images)"),
    "read_images: a mapping": ("memjax.read_images({'a': '0.png'}, pre)", "write list(images.values())"),
    "read_images: a table": ("memjax.read_images(frame, pre)", "write list(frame['image'])"),
    "read_images: a data set": ("memjax.read_images(data, pre)", "dataset.records[i].data"),
    "read_images: an image": ("memjax.read_images(image, pre)", "write [image]"),
    "read_images: an array": ("memjax.read_images(levels[0], pre)", "write [image]"),
    "read_images: torch": ("memjax.read_images(Tensor(2, 3, 8, 8), pre)", "permute(0, 2, 3, 1)"),
    "read_images: a tensor": ("memjax.read_images([Tensor(3, 8, 8)], pre)", "permute(1, 2, 0)"),
    "read_images: an encoder": ("memjax.read_images(['0.png'], encoder)", "write encoder.preprocessing"),
    "read_images: the wrong way round": ("memjax.read_images(pre, ['0.png'])", "write encoder.preprocessing"),
    "read_images: 0 to 1": ("memjax.read_images([levels[0] / 255], pre)", "write (255 * image).round()"),
    "read_images: floats": ("memjax.read_images([levels[0] * 1.0], pre)", "write image.round().astype(np.uint8)"),
    "read_images: 16 bits": ("memjax.read_images([levels[0].astype(int)], pre)", "write image.astype(np.uint8)"),
    "read_images: pixels": ("memjax.read_images(pixels, pre)", "memjax.features or memjax.trace as they are"),
    "read_images: channels first": ("memjax.read_images([levels[0].transpose(2, 0, 1)], pre)", "np.moveaxis(image, 0, -1)"),
    "read_images: numbers": ("memjax.read_images([[[0, 1], [2, 3]]], pre)", "write np.array(image, np.uint8)"),
    "read_images: no file": ("memjax.read_images(['nope.jpg'], pre)", "No such file"),
    # Images with scores
    "open_dataset: a folder": ("memjax.open_dataset('photos')", "memjax.open_folder"),
    "open_dataset: several": ("memjax.open_dataset(['demo'])", "known are demo"),
    "open_dataset: a limit in words": ("memjax.open_dataset('demo', limit='3')", "a positive number, got '3'"),
    "open_dataset: a limit": ("memjax.open_dataset('demo', limit=2.5)", "leave it out"),
    "open_dataset: a folder's number": ("memjax.open_dataset('lnsim', 3)", "a path, got 3"),
    "open_folder: a table": ("memjax.open_folder('photos', frame)", "memjax.open_table(frame, folder)"),
    "open_folder: images": ("memjax.open_folder(['0.png'])", "a path, got a list"),
    "open_folder: the wrong way round": ("memjax.open_folder('scores.csv', 'photos')", "a folder, got a file"),
    "open_table: a file": ("memjax.open_table('scores.csv', 'photos')", "a pandas table"),
    "open_table: a column": ("memjax.open_table(frame['memorability'], 'photos')", "write series.to_frame('memorability')"),
    "open_table: a dict": ("memjax.open_table({'image': ['0.png']})", "a pandas table"),
    "open_table: no images": ("memjax.open_table(frame[['memorability']])", "say images="),
    "open_shards: nothing": ("memjax.open_shards(None)", "a folder, a pattern"),
    # Whole studies
    "sweep: a data set's name": ("memjax.sweep('demo', encoder)", "memjax.open_dataset"),
    "sweep: a table": ("memjax.sweep(frame, encoder)", "memjax.open_table(frame, images)"),
    "sweep: the wrong way round": ("memjax.sweep(encoder, data)", "memjax.open_dataset"),
    "sweep: no encoder": ("memjax.sweep(data, None)", "what memjax.load gives"),
    "sweep: none": ("memjax.sweep(data, [])", "encoders of different names"),
    "sweep: no encoders": ("memjax.sweep(data, [encoder, 3])", "hub ids or encoders"),
    "sweep: settings for out": ("memjax.sweep(data, encoder, memjax.SweepSettings())", "write settings="),
    "sweep: settings in a dict": ("memjax.sweep(data, encoder, settings={'seed': 1})", "SweepSettings(**settings)"),
    "sweep: other settings": ("memjax.sweep(data, encoder, settings=memjax.SAESettings())", "SweepSettings(...)"),
    "sweep: out": ("memjax.sweep(data, encoder, 3)", "a folder, got 3"),
    "read_sweep: a sweep": ("memjax.read_sweep(run)", "a folder, got a Sweep"),
    "train_saes: a data set": ("memjax.train_saes(data)", "memjax.sweep gives one"),
    "train_saes: other settings": ("memjax.train_saes(run, memjax.SweepSettings())", "SAESettings(...)"),
    "atlas: the wrong way round": ("memjax.atlas(run, saes)", "memjax.train_saes gives them"),
    "atlas: a data set's name": ("memjax.atlas(saes, run, dataset='demo')", "memjax.open_dataset"),
    "atlas: other settings": ("memjax.atlas(saes, run, memjax.SAESettings())", "AtlasSettings(...)"),
    "fit_predictor: nothing": ("memjax.fit_predictor(None)", "memjax.sweep gives one"),
    "fit_predictor: autoencoders": ("memjax.fit_predictor(saes)", "memjax.sweep gives one"),
    "fit_predictor: other settings": ("memjax.fit_predictor(run, memjax.SweepSettings())", "PredictorSettings(...)"),
    "predict: a path": ("predictor.predict('0.png')", "write ['0.png']"),
    "predict: pixels": ("predictor.predict(pixels)", "normalised"),
    "predict: a table": ("predictor.predict(frame)", "write list(frame['image'])"),
    "predict: a percentage": ("predictor.predict(['0.png'], level=95)", "between 0 and 1"),
    "explain: several": ("predictor.explain(['0.png'])", "a path"),
    "save: nothing": ("predictor.save(None)", "a path, got None"),
    "load_predictor: a predictor": ("memjax.load_predictor(predictor)", "the folder that it was saved to"),
    "load_predictor: a sweep": ("memjax.load_predictor(run)", "the folder that it was saved to"),
    "measure_causes: a sweep": ("memjax.measure_causes(run, data)", "memjax.load_predictor(folder) reads one"),
    "measure_causes: a folder": ("memjax.measure_causes('preds', data)", "memjax.load_predictor(folder) reads one"),
    "measure_causes: no images": ("memjax.measure_causes(predictor, [])", "one or more"),
    "measure_causes: settings for out": ("memjax.measure_causes(predictor, data, memjax.CausesSettings())", "settings="),
    "reproduce_paper: a folder": ("memjax.reproduce_paper('memvis')", "memjax.PaperSources(memvis="),
    "reproduce_paper: one source": ("memjax.reproduce_paper(memjax.PaperSources(memvis='a'))", "expected both"),
    "compare_datasets: one": ("memjax.compare_datasets(run)", "write [first, second]"),
    "compare_datasets: one folder": ("memjax.compare_datasets('nope')", "write [first, second]"),
    "transfer: one": ("memjax.transfer(run)", "write [first, second]"),
    "transfer: nothing": ("memjax.transfer(None)", "write [first, second]"),
    "official_splits: nothing": ("memjax.official_splits(None)", "memjax.sweep gives one"),
    # Settings
    "SweepSettings: one token": ("memjax.SweepSettings(tokens='cls')", "write ('cls',)"),
    "SweepSettings: a token": ("memjax.SweepSettings(tokens=('clss',))", "one of cls, mean, pooled"),
    "SweepSettings: one layer": ("memjax.SweepSettings(patch_layers=3)", "write (3,)"),
    "SweepSettings: orientation": ("memjax.SweepSettings(orientation='up')", "one of exif, stored"),
    "SweepSettings: decoder": ("memjax.SweepSettings(decoder='quick')", "one of exact, fast"),
    "SweepSettings: protocol": ("memjax.SweepSettings(protocol='papers')", "one of native, paper"),
    "SweepSettings: method": ("memjax.SweepSettings(method='spearmann')", "one of spearman"),
    "SweepSettings: dtype": ("memjax.SweepSettings(dtype='float16')", "one of float32, bfloat16"),
    "SweepSettings: a flag": ("memjax.SweepSettings(lowlevel='yes')", "true or false"),
    "SweepSettings: no number": ("memjax.SweepSettings(seed=None)", "a number, got None"),
    "SweepSettings: groups": ("memjax.SweepSettings(groups=3)", "a text, got 3"),
    "SweepSettings: a folder": ("memjax.SweepSettings(cache_images=3)", "a path, got 3"),
    "SAESettings: one seed": ("memjax.SAESettings(seeds=0)", "write (0,)"),
    "SAESettings: one layer": ("memjax.SAESettings(layers=4)", "write (4,)"),
    "SAESettings: protocol": ("memjax.SAESettings(protocol='papers')", "one of paper, paper-split, modern"),
    "SAESettings: variant": ("memjax.SAESettings(protocol='modern', variant='topkk')", "one of relu, topk"),
    "PredictorSettings: source": ("memjax.PredictorSettings(source='vector')", "one of vectors, measures"),
    "CausesSettings: ablation": ("memjax.CausesSettings(ablation='zeros')", "one of mean, zero, resample"),
    "CausesSettings: one folder": ("memjax.CausesSettings(saes='runs/saes')", "write ('runs/saes',)"),
    "AtlasSettings: pool": ("memjax.AtlasSettings(pool='sum')", "one of max, mean"),
    "PaperSettings: groups": ("memjax.PaperSettings(groups='categories')", "one of category, subcategory"),
    "BaselineSettings: token": ("BaselineSettings(token='all')", "one of cls, mean, both"),
    "BaselineSettings: one measure": (f"BaselineSettings(measures='{next(iter(PROXIES))}')", "write ("),
    "AttributionSettings: one method": ("AttributionSettings(methods='direct')", "write ('direct',)"),
    "AttributionSettings: baseline": ("AttributionSettings(baseline='black')", "one of mean, blur"),
    # Autoencoders
    "sae.load: nothing": ("sae.load(None)", "a path, got None"),
    "sae.load: an autoencoder": ("sae.load(saes.saes[0])", "a path, got a TrainedSAE"),
    "sae.load: a folder of others": ("sae.load('photos')", "cfg.json"),
    "sae.fit: a list": ("sae.fit([[1.0, 2.0]])", "write np.asarray(x, np.float32)"),
    "sae.fit: double precision": ("sae.fit(np.zeros((9, 2)))", "write x.astype(np.float32)"),
    "sae.fit: a trace": ("sae.fit(memjax.trace(encoder, pixels))", "an array [n, d]"),
    "sae.fit: one seed": ("sae.fit(np.ones((9, 2), np.float32), seeds=0)", "write (0,)"),
    "sae.fit: a preset": ("sae.fit(np.ones((9, 2), np.float32), 'papers')", "one of relu"),
    "sae.fit: too few targets": (f"sae.fit({ONES}, target={ONES}[:8])", "a target for each of the 9 rows of x"),
    "sae.fit: targets of another kind": (f"sae.fit({ONES}, target=[[1.0]] * 9)", "write np.asarray(target, np.float32)"),
    "sae.fit: a variant without targets": (f"sae.fit({ONES}, 'archetypal', target={ONES})", "relu, topk, batchtopk, jumprelu"),
    "sae.score: targets": ("saes.saes[0].score(*np.ones((2, 2, 128), np.float32))", "expected none, got targets"),
    "sae.score: no targets": (f"{TRANSCODER}.score({ONES})", "expected its targets, got none"),
    "sae.score: too few targets": (f"{TRANSCODER}.score({ONES}, {ONES}[:8])", "one for each of the 9 vectors, got 8"),
    "sae.score: targets of another kind": (f"{TRANSCODER}.score({ONES}, [[1.0]])", "write np.asarray(y, np.float32)"),
    "sae.encode: text": ("saes.saes[0].encode('x')", "an array of vectors"),
    "sae.encode: a width": ("saes.saes[0].encode(np.zeros((5, 7), np.float32))", "[b, 128], got [5, 7]"),
}  # fmt: skip
"""Name -> what is written, and what the message has to say."""


def given(folder: Path) -> dict[str, Any]:
    """The names that the mistakes are written with; files in ``folder``."""
    encoder, data = memjax.load("memjax/tiny"), memjax.open_dataset("demo", limit=60)
    levels = np.random.default_rng(0).integers(0, 256, (2, *encoder.config.image, 3), np.uint8)
    image = Image.fromarray(levels[0])
    (folder / "photos").mkdir()
    for file in (folder / "0.png", folder / "photos" / "0.png", folder / "photos" / "1.png"):
        image.save(file)
    frame = pd.DataFrame({"image": ["0.png", "1.png"], "memorability": [0.4, 0.8]})
    frame.to_csv(folder / "scores.csv", index=False)
    kept = memjax.SweepSettings(tokens=("cls",), bootstraps=20, metrics=("cls_norm",))
    run = memjax.sweep(data, encoder, settings=kept, progress=False)
    return {
        "encoder": encoder, "pre": encoder.preprocessing, "data": data, "levels": levels, "image": image, "frame": frame,
        "pixels": memjax.read_images(list(levels), encoder.preprocessing), "metric": memjax.METRICS["cls_norm"],
        "run": run, "predictor": memjax.fit_predictor(run, progress=False), "Tensor": _Tensor, "memjax": memjax,
        "saes": memjax.train_saes(run, memjax.SAESettings(epochs=1, seeds=(0,), bootstraps=20), progress=False),
        "sae": sae, "np": np, "Path": Path, "BaselineSettings": BaselineSettings,
        "AttributionSettings": AttributionSettings,
    }  # fmt: skip


def what_each_gives() -> dict[str, tuple[str, str, str]]:
    """Name -> class of the error, its message, the parameter that it names; "nothing" where none was raised."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        names = given(Path(folder))
        os.chdir(folder)
        for name, (written, _) in MISTAKES.items():
            try:
                eval(written, names)
                found[name] = ("nothing", "", "")
            except Exception as error:  # what it is, is the question
                found[name] = (type(error).__name__, str(error), getattr(error, "argument", ""))
        os.chdir("/")
    return found


if __name__ == "__main__":
    print(json.dumps(what_each_gives()))
