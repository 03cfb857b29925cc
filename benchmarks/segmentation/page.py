"""docs/segmentation.md and its plots, from the rows that are done.  `python -m benchmarks.segmentation.page`

Pictures of numbers only: no image of a registered set, and nothing drawn from one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.segmentation import rows as table
from benchmarks.segmentation.answers import answers
from benchmarks.segmentation.run import RESULTS, done
from benchmarks.segmentation.tables import (
    augmentation_table,
    by_method,
    class_table,
    cost_table,
    cue_table,
    fluorescence_table,
    label_curves,
    label_table,
    main_table,
    size_table,
)
from minitorch_seg import plot
from minitorch_seg.io import read_json

DOCS = Path(__file__).parents[2] / "docs"
INTRODUCTION = """# Which method, on which images

Four public sets of images, and what each method of this project makes of them: how well, at what cost, and
with what knowledge. (Of pictures there are none here: those of the sets stay where the sets are.)

| set | images | to be found |
| --- | --- | --- |
| nuclei | cells under a microscope | each nucleus, and its boundary |
| hippocampus | slices of brain scans | two parts of the hippocampus |
| road | the view of a car | the road, its cracks and its potholes |
| aerial | satellite images of a city | buildings, land, roads, vegetation, water |

| method | what it knows | what it does |
| --- | --- | --- |
| majority | the training masks | the commonest class, everywhere |
| location_prior | the training masks | at each place the commonest class there; it never looks at the image |
| otsu | nothing | one threshold of grey for each image |
| filter_bank | masks | hand-made filters, and a small classifier of single pixels |
| kmeans, kmeans_blurred | names | clusters of colour, as many as classes; of blurred colour |
| kmeans20 | names | twenty clusters of blurred colour; several may get one name |
| code_clusters | names | twenty clusters of what an autoencoder says about each place |
| self_taught | names | networks that learn from such clusters |
| wnet | names | an autoencoder whose code is a segmentation |
| unet, and other networks | masks | learn from the masks |

*Names*: training masks say which segment is to be called what, and nothing else. On the road set the camera
always looks the same way, so location_prior is what has to be beaten there.

Test images take no part in anything but the scores: weights are chosen on validation images. Each row is
one command, `python -m benchmarks.segmentation.run ROW`; `python -m benchmarks.segmentation.page` makes
this page of what they found."""

CLAIMS = """The text that this project began with makes claims about segmentation by deep learning.  What
came of each (mIoU and Dice are explained below; 1 is perfect):"""

SCORES = """*IoU* of a class: the pixels that are rightly called so, divided by those that are called so or
should be. 1 is perfect. *mIoU* is the mean over the classes, each counted over all test pixels together.
*Dice* is a relative of it, and here the mean over the classes but the first. ± is the standard deviation
over trainings with other random numbers."""

COST = """Of an image of 128×128 pixels: parameters in millions; products (multiplications of one
prediction) in thousand millions; processor time of a training step with eight images (of patch_cnn: 128
patches), and of a prediction; memory at the peak of training. (Claim 5 of the source text.)"""

LABELS = """A U-Net that sees the masks of a part of the training images only: from random weights
(scratch), and with an encoder that has first learned to fill holes in all of them, without masks
(inpainting). (Claim 2 of the source text.)"""

AUGMENTATION = """A U-Net on a tenth of the training images and on all of them, as they are, and changed at
random anew whenever they are seen. (Claim 4 of the source text.)"""

BY_SIZE = """Does a recurrent network, which carries things across the image, find large objects better, and
a convolutional one small ones? An object is a connected region of one class other than the first. The
columns part them by their number of pixels; a score is the share of an object's pixels that were named
rightly. (Claim 3 of the source text.)"""

CUES = """Drawn images whose classes differ in one cue alone, colour, texture or shape. Where two cues tell
the same while learning, the last column asks what happens when they contradict each other: a high score
there says that the first of the two was taken, a low one that the other was. (Claim 7 of the source text.)"""

SIGNS = """These signs are drawn by us onto the road set's images (`minitorch_seg/data/signs.py`), so that
every mask is exact. What a model trained on drawings finds in photographs of signs is not known from this: no
photographed signs with masks were there to ask."""


def results(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """The results of rows that are done, in the order of the table."""
    return [read_json(folder / f"{row.name}.json") for row in table.rows() if done(row, folder)]


def section(title: str, words: str, numbers: str, *pictures: str) -> list[str]:
    """A part of the page; nothing where its table has no row yet."""
    return [f"## {title}", words, numbers, *pictures] if numbers.count("\n") > 1 else []


def page(found: list[dict[str, Any]]) -> str:
    """The whole page; what has no results yet is counted at its end."""
    parts = [INTRODUCTION, "## Eight claims", CLAIMS, answers(found), "## Scores", SCORES, main_table(found)]
    parts += [text for text in (class_table(found, data) for data in table.SETS) if text]
    parts.append(fluorescence_table(found))
    cost, labels = (
        "![mIoU of each model over its products an image, a panel a set](segmentation-cost.png)",
        "![Foreground Dice over the share of labels, with and without pre-training](segmentation-labels.png)",
    )
    parts += section("What it costs", COST, cost_table(found), cost)
    parts += section("How many labels it takes", LABELS, label_table(found), labels)
    parts += section("With and without augmentation", AUGMENTATION, augmentation_table(found))
    parts += section("Small objects and large ones", BY_SIZE, size_table(found))
    parts += section("Colour, texture, shape", CUES, cue_table(found))
    parts += section("Traffic signs, drawn", SIGNS, class_table(found, "signs"))
    missing = [row.name for row in table.rows() if row.name not in {r["row"]["name"] for r in found}]
    parts.append(f"{len(missing)} of {len(table.rows())} rows are not run yet.")
    return "\n\n".join(parts) + "\n"


def draw(found: list[dict[str, Any]], folder: Path) -> None:
    """Two plots, quality over cost and quality over labels, of what there is."""
    from matplotlib.figure import Figure

    costly = [r for r in found if "costs" in r and r["row"]["data"] in table.SETS]
    if costly:
        figure = Figure(figsize=(8, 6.4), layout="constrained")
        for axis, data in zip(figure.subplots(2, 2, sharex=True).flat, table.SETS, strict=True):
            for i, (method, sets) in enumerate(by_method(costly).items()):
                for result in sets.get(data, [])[:1]:
                    place = result["costs"]["macs"] / 1e9, result["miou"]
                    axis.plot(*place, "o", color=f"C{i}")
                    axis.annotate(method, place, xytext=(4, 4), textcoords="offset points", fontsize=9)
            axis.margins(x=0.3)
            axis.set(title=data, xscale="log", xlabel="G products an image", ylabel="mIoU", ylim=(0, 1))
            axis.label_outer()
            axis.xaxis.set_major_formatter("{x:g}")
            axis.xaxis.set_minor_formatter("{x:g}")
        plot.save(figure, folder / "segmentation-cost.png")
    curves = label_curves(found)
    if curves:
        figure = Figure(figsize=(9, 4), layout="constrained")
        for axis, (data, tasks) in zip(
            figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True
        ):
            for task, shares in tasks.items():
                x = sorted(shares)
                mean, sd = ([f(shares[s]) for s in x] for f in (np.mean, np.std))
                axis.errorbar([100 * s for s in x], mean, sd, label=task, capsize=2)
            axis.set(title=data, xscale="log", xlabel="% of the labels")
            axis.legend()
        figure.axes[0].set_ylabel("Dice")
        plot.save(figure, folder / "segmentation-labels.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, default=DOCS)
    options = parser.parse_args()
    found = results(options.results)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "segmentation.md").write_text(page(found), encoding="utf-8")
    draw(found, options.out)
    print(f"{options.out / 'segmentation.md'}: {len(found)} rows")


if __name__ == "__main__":
    main()
