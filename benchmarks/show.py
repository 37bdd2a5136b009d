"""What throughput.py prints: one table an encoder, its ratios, starts."""

from typing import Any

from benchmarks.machine import SGEMM, sgemm_rate
from benchmarks.turns import Timing, ratio

NOTES = {
    "metrics": "memjax, all metrics of all layers",
    "forward": "memjax, no tap",
    "sdpa": "torch, SDPA, no metric",
    "eager": "torch, eager, vectorised metrics",
    "authors": "torch, the authors' protocol",
    "files to store": "memjax, JPEG files to the store",
    "decode": "one thread, 640 x 480 JPEG",
    "resize": "one thread",
    "transfer": "place grey levels on the devices",
    "write": "one chunk of the store",
}
STAGES = ("decode", "resize", "transfer", "write")


def machine(about: dict[str, Any]) -> None:
    print("; ".join(f"{key} {value}" for key, value in about.items()))


def encoder(result: dict[str, Any]) -> None:
    """Images a second of each side, with floating-point rates for those that run the whole encoder, and ratios."""
    timings: dict[str, Timing] = result["timings"]
    flops = result["work"]["flops"]
    library, sgemm = sgemm_rate(timings)
    print(f"\n{result['encoder']}: {result['work']['tokens']} tokens, {flops / 1e9:.2f} GFLOP an image; ", end="")
    print(f"{result['images']} images a turn, memjax's batch {result['batch']}; ", end="")
    print(f"sgemm {sgemm.rate / 1e9:.1f} GFLOP/s ({library})")
    print(f"{'side':<24}{'images/s':>10}{'slowest':>10}{'fastest':>10}{'/cpu-s':>9}{'GFLOP/s':>9}{'of sgemm':>10}")
    for name, timing in timings.items():
        if name.startswith(SGEMM):
            continue
        low, high = timing.spread
        row = f"{name:<24}{timing.rate:>10.2f}{low:>10.2f}{high:>10.2f}{timing.cpu_rate:>9.2f}"
        if name not in STAGES:
            share = ratio(timing, sgemm) * flops
            row += f"{timing.rate * flops / 1e9:>9.1f}{share:>9.0%} "
        setting = result.get("torch", {}).get(name)
        print(f"{row:<83}{NOTES.get(name, '')}{f' ({setting})' if setting else ''}")
    for line in ratios(timings):
        print(f"  {line}")
    if "agreement" in result:
        print(f"  largest relative difference of a metric between memjax and torch: {result['agreement']:.1e}")
    for name, laps in result.get("start", {}).items():
        print(f"  {name}: " + ", ".join(f"{k.removesuffix('_s')} {v:.2f}" for k, v in laps.items()))


def ratios(timings: dict[str, Timing]) -> list[str]:
    """The sentences that the targets are about."""
    metrics, forward = timings["metrics"], timings["forward"]
    lines = [f"metrics cost {ratio(forward, metrics) - 1:.1%} over the forward pass"]
    for name in ("sdpa", "eager", "authors"):
        if name in timings:
            lines.append(f"metrics: {ratio(metrics, timings[name]):.2f} x torch {name}")
    if "files to store" in timings:
        share = ratio(timings["files to store"], forward)
        lines.append(f"JPEG files to the store: {share:.0%} of the forward pass's throughput")
    lines.append(f"by processor time: metrics cost {forward.cpu_rate / metrics.cpu_rate - 1:.1%}")
    if "sdpa" in timings:
        lines[-1] += f", {metrics.cpu_rate / timings['sdpa'].cpu_rate:.2f} x torch sdpa"
    return lines


def starts(found: dict[str, Any]) -> None:
    """Seconds of the package's import, of a sweep's start, and of whole commands."""
    print(f"\nimport memjax: {found['import memjax']:.2f} s")
    for name, seconds in found["sweep"].items():
        print(f"sweep of the demo, {name}, to its first measured images: {seconds:.2f} s")
    for name, row in found["commands"].items():
        page = f", its page after {row['page_s']:.1f} s" if "page_s" in row else ""
        print(f"{name}: {row['processor_s']:.2f} s of processor time{page}")
