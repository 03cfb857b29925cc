"""The tables of docs/segmentation.md, each from the results of rows: rows in, Markdown out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from benchmarks.segmentation import rows as table


def spread(values: Iterable[float]) -> str:
    """
    >>> spread([0.5, 0.6]), spread([0.5]), spread([])
    ('.550 ± .071', '.500', '–')
    """
    found = list(values)
    if not found:
        return "–"
    mean = f"{np.mean(found):.3f}".lstrip("0")
    return mean if len(found) == 1 else f"{mean} ± {np.std(found, ddof=1):.3f}".replace("± 0", "± ")


def markdown(header: list[str], lines: list[list[str]]) -> str:
    """A table; the first column is text, the others are numbers."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *lines])


def compared(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the rows of few labels and of augmentation, whose networks have the names of others."""
    return [r for r in found if r["row"]["claim"] not in (2, 4)]


def by_method(found: list[dict[str, Any]]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """{method: {set: results of its seeds}}; the method is the row's name without set and seed."""
    grouped: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for result in found:
        name, data = result["row"]["name"], result["row"]["data"]
        if data in (*table.SETS, "signs"):
            grouped.setdefault(name.split(f"-{data}")[0], {}).setdefault(data, []).append(result)
    return grouped


def main_table(found: list[dict[str, Any]]) -> str:
    lines = []
    for method, sets in by_method(compared(found)).items():
        cells = []
        for data in table.SETS:
            scores = sets.get(data, [])
            dice = spread(r["foreground_dice"] for r in scores)
            cells.append(f"{spread(r['miou'] for r in scores)} / {dice}" if scores else "–")
        lines.append([method, *cells])
    return markdown(["mIoU / Dice", *table.SETS], lines)


def class_table(found: list[dict[str, Any]], data: str) -> str:
    chosen = [r for r in compared(found) if r["row"]["data"] == data]
    if not chosen:
        return ""
    classes = list(chosen[0]["scores"]["classes"])
    lines = []
    for method, sets in by_method(chosen).items():
        each = [[r["scores"]["classes"][name]["iou"] for r in sets[data]] for name in classes]
        lines.append([method, *(spread(v for v in values if v is not None) for values in each)])
    return markdown([f"IoU, {data}", *classes], lines)


def fluorescence_table(found: list[dict[str, Any]]) -> str:
    chosen = [r for r in compared(found) if r["row"]["data"] == "nuclei"]
    lines = [
        [method, spread(r["scores"]["fluorescence"]["dice"] for r in sets["nuclei"])]
        for method, sets in by_method(chosen).items()
    ]
    return markdown(["nuclei, fluorescence images alone", "Dice of nucleus and boundary together"], lines)


def cost_table(found: list[dict[str, Any]]) -> str:
    lines, seen = [], set()
    for result in found:
        name = result["row"]["name"].split("-")[0]
        if "costs" in result and name not in seen and result["row"]["claim"] in (0, 1, 3):
            seen.add(name)
            c = result["costs"]
            lines.append(
                [name, f"{c['parameters'] / 1e6:.2f}", f"{c['macs'] / 1e9:.2f}", f"{c['ms_step']:.0f}",
                 f"{c['ms_image']:.1f}", f"{c['peak_mib']:.0f}"]
            )  # fmt: skip
    return markdown(["model", "M parameters", "G products", "ms a step", "ms an image", "MiB"], lines)


def label_curves(found: list[dict[str, Any]]) -> dict[str, dict[str, dict[float, list[float]]]]:
    """{set: {task: {share: Dice of the seeds}}} of claim 2."""
    curves: dict[str, dict[str, dict[float, list[float]]]] = {}
    for result in (r for r in found if r["row"]["claim"] == 2):
        options, data = result["row"]["options"], result["row"]["data"]
        each = curves.setdefault(data, {}).setdefault(options["task"], {})
        each.setdefault(options["share"], []).append(result["foreground_dice"])
    return curves


def label_table(found: list[dict[str, Any]]) -> str:
    lines = []
    for data, tasks in label_curves(found).items():
        for task, shares in tasks.items():
            lines.append([f"{data}, {task}", *(spread(shares.get(s, [])) for s in table.SHARES)])
    shares = ["10 images" if share == table.TEN else f"{100 * share:.0f} %" for share in table.SHARES]
    return markdown(["Dice", *shares], lines)


def augmentation_scores(found: list[dict[str, Any]]) -> dict[tuple[str, float, bool], list[float]]:
    """{(set, share, augmented): mIoU of the seeds} of claim 4."""
    grouped: dict[tuple[str, float, bool], list[float]] = {}
    for result in (r for r in found if r["row"]["claim"] == 4):
        o = result["row"]["options"]
        grouped.setdefault((result["row"]["data"], o["share"], o["augment"]), []).append(result["miou"])
    return grouped


def augmentation_table(found: list[dict[str, Any]]) -> str:
    grouped = augmentation_scores(found)
    places = sorted({(data, share) for data, share, _ in grouped})
    lines = [
        [
            f"{data}, {100 * share:.0f} % of the images",
            *(spread(grouped.get((data, share, a), [])) for a in (False, True)),
        ]
        for data, share in places
    ]
    return markdown(["mIoU", "without", "with augmentation"], lines)


def size_table(found: list[dict[str, Any]]) -> str:
    """Claim 3: ReSeg and U-Net by the size of objects."""
    lines = []
    for data in table.SETS:
        for model in ("unet", "reseg"):
            chosen = [r for r in found if r["row"]["name"].startswith(f"{model}-{data}-")]
            if chosen:
                sizes = chosen[0]["scores"]["by_size"]
                cells = [[r["scores"]["by_size"][size]["found"] for r in chosen] for size in sizes]
                lines.append([f"{data}, {model}", *(spread(v for v in c if v is not None) for c in cells)])
    return markdown(["share of an object's pixels found", "to 16 px", "to 64", "to 256", "above"], lines)


def cue_scores(found: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """{(cue, model): results of the seeds} of claim 7."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in (r for r in found if r["row"]["claim"] == 7):
        grouped.setdefault((result["row"]["data"], result["row"]["options"]["model"]), []).append(result)
    return grouped


def cue_table(found: list[dict[str, Any]]) -> str:
    lines = []
    for (cue, model), seeds in cue_scores(found).items():
        swapped = [r["scores"]["swapped"]["miou"] for r in seeds if "swapped" in r["scores"]]
        lines.append([f"{cue.replace('_', ' ')}, {model}", spread(r["miou"] for r in seeds), spread(swapped)])
    return markdown(["mIoU", "test", "cues swapped, by the first"], lines)
