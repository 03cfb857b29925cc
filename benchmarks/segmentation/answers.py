"""The claims of the source text, and what came of them: words of ours, figures from the rows.

What the words conclude was read off these figures: who runs rows anew reads them again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.segmentation import rows as table
from benchmarks.segmentation.rows import Row
from benchmarks.segmentation.tables import (
    augmentation_scores,
    by_method,
    compared,
    cue_scores,
    label_curves,
    spread,
)

Results = list[dict[str, Any]]
WITHOUT_MASKS = ("kmeans_blurred", "kmeans20", "code_clusters", "self_taught", "wnet")


def answers(found: Results) -> str:
    """A numbered list, claim after claim; one whose rows are missing is said to wait for them."""
    done = {r["row"]["name"] for r in found}
    lines = []
    for i, (claim, needs, answer) in enumerate(CLAIMS, 1):
        missing = sum(needs(row) and row.name not in done for row in table.rows())
        words = f"{missing} rows of its answer are not run yet." if missing else answer(found)
        lines.append(f"{i}. *{claim}* {' '.join(words.split())}")
    return "\n".join(lines)


def scores(found: Results, method: str, data: str) -> list[float]:
    """mIoU of each seed of a row."""
    return [r["miou"] for r in by_method(compared(found))[method][data]]


def mean(found: Results, method: str, data: str) -> float:
    return float(np.mean(scores(found, method, data)))


def number(value: float) -> str:
    """Three places, as in the tables.

    >>> number(0.5)
    '.500'
    """
    return spread([value])


def difference(first: list[float], second: list[float]) -> str:
    """first − second, seed by seed: mean ± standard deviation, with its sign.

    >>> difference([0.5, 0.6], [0.4, 0.4]), difference([0.4], [0.5])
    ('+.150 ± .071', '−.100')
    """
    apart = np.subtract(first, second)
    sign = -1 if apart.mean() < 0 else 1
    return ("−" if sign < 0 else "+") + spread(sign * apart)


def each_set(text: Callable[[str], str], names: tuple[str, ...] = table.SETS) -> str:
    """A text a set, as part of a sentence."""
    return "; ".join(f"{data} {text(data)}" for data in names)


def unlabelled(found: Results) -> str:
    def line(data: str) -> str:
        score, method = max((mean(found, method, data), method) for method in WITHOUT_MASKS)
        colour, masks = (number(mean(found, name, data)) for name in ("kmeans", "unet"))
        return f"{number(score)} by {method} (k-means on colour {colour}, a U-Net with all masks {masks})"

    return f"""Not to find segments, but to say what they are, and to find the right ones.  Best mIoU without
    masks, where masks only give segments their names: {each_set(line)}."""


def few_labels(found: Results) -> str:
    def line(data: str) -> str:
        curves = label_curves(found)[data]
        ten, half = (difference(curves["inpainting"][s], curves["scratch"][s]) for s in (table.TEN, 0.5))
        return f"{ten} with ten images, {half} with half of them"

    return f"Pre-trained − from scratch, Dice: {each_set(line, ('hippocampus', 'nuclei'))}."


def recurrent(found: Results) -> str:
    def line(data: str) -> str:
        return difference(scores(found, "reseg", data), scores(found, "unet", data))

    return f"ReSeg − a U-Net of equal parameters, mIoU: {each_set(line)}."


def augmented(found: Results) -> str:
    grouped = augmentation_scores(found)

    def line(data: str) -> str:
        ten, all_ = (difference(grouped[data, s, True], grouped[data, s, False]) for s in (0.1, 1.0))
        return f"{ten} with a tenth of the images, {all_} with all"

    return f"With − without, mIoU: {each_set(line, ('nuclei', 'hippocampus', 'aerial'))}."


def hungry(found: Results) -> str:
    chosen = {method: sets for method, sets in by_method(compared(found)).items() if method in table.MODELS}
    products = {method: sets["road"][0]["costs"]["macs"] / 1e9 for method, sets in chosen.items()}
    few, many = min(products, key=products.__getitem__), max(products, key=products.__getitem__)

    def line(method: str) -> str:
        return f"{method} ({products[method]:.2f} G products) " + each_set(
            lambda data: number(mean(found, method, data))
        )

    return f"""Networks of half a million parameters each, and still their products differ by a factor of
    {products[many] / products[few]:.0f}: {line(few)}; {line(many)}."""


def features(found: Results) -> str:
    def line(data: str) -> str:
        return f"{number(mean(found, 'unet', data))} against {number(mean(found, 'filter_bank', data))}"

    return f"A U-Net against hand-made filters and a small classifier of pixels, mIoU: {each_set(line)}."


def flexible(found: Results) -> str:
    grouped = cue_scores(found)

    def line(model: str) -> str:
        each = (
            f"{cue} {spread(r['miou'] for r in grouped[cue, model])}"
            for cue in ("colour", "texture", "shape")
        )
        return f"{model}: {', '.join(each)}"

    return f"Where one cue alone tells the classes apart, mIoU of {line('unet')}; {line('patch_cnn')}."


def beside_keras(found: Results) -> str:
    (result,) = [r["scores"] for r in found if r["row"]["claim"] == 8]
    return f"""{len(result["ours"])} steps with the same weights and batches here and in Keras
    ({result["keras_version"]}): losses are at most {result["loss_difference"]:.1g} apart."""


def _of(*methods: str) -> Callable[[Row], bool]:
    return lambda row: row.data in table.SETS and row.claim not in (2, 4) and row.name.startswith(methods)


def _claim(number: int) -> Callable[[Row], bool]:
    return lambda row: row.claim == number


#: The claim, which rows its answer needs, and the answer.
CLAIMS: list[tuple[str, Callable[[Row], bool], Callable[[Results], str]]] = [
    ("It needs no labelled data.", _of("kmeans", "code_clusters", "self_taught", "wnet", "unet"), unlabelled),
    ("Much unlabelled data replaces labels.", _claim(2), few_labels),
    ("A recurrent network can segment.", _of("unet", "reseg"), recurrent),
    ("Augmentation helps where data are few.", _claim(4), augmented),
    ("It is hungry for computation.", _of(*table.MODELS), hungry),
    ("It learns features by itself.", _of("filter_bank", "unet"), features),
    ("It is flexible: colour, texture, shape.", _claim(7), flexible),
    ("The documented example, beside Keras.", _claim(8), beside_keras),
]
