"""The table's losses; the oracles go through the pixels one by one, and leave out the ignored ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import minitorch_seg as ms
from tests.ops.table.draw import Case, Draw, operator
from tests.ops.test_lovasz_softmax import extension

special = pytest.importorskip("scipy.special")
F = ms.functional


def reduced(losses: np.ndarray, reduction: str, total: float | None = None) -> np.ndarray:
    if reduction == "none":
        return losses
    return np.asarray(losses.sum() / (total or losses.size) if reduction == "mean" else losses.sum())


def segmentation(r: Draw) -> tuple[np.ndarray, np.ndarray, int]:
    """Logits (N, K, H, W), a target with ignored pixels, and the value that says so; one pixel counts."""
    k, ignore = r.int(2, 4), r.one(-100, 255)
    x = 2 * r.normal(r.int(1, 2), k, *r.pair(1, 3))
    target = r.classes(k, len(x), *x.shape[2:], ignore=ignore)
    target.flat[0] = 0
    return x, target, ignore


@operator("cross_entropy", "nll_loss", "focal_loss")
def of_the_true_class(r: Draw, name: str) -> Case:
    x, target, ignore = segmentation(r)
    k, reduction, weighted = x.shape[1], r.one("mean", "sum", "none"), r.flag()
    smoothing = r.one(0.0, 0.25) if name == "cross_entropy" else 0.0
    gamma = r.one(0.0, 1.0, 2.5)
    weight = r.between(0.5, 2, k) if weighted else np.ones(k)

    def call(x: Any, t: Any, w: Any) -> Any:
        options: dict[str, Any] = {"weight": w if weighted else None, "reduction": reduction}
        options |= {"label_smoothing": smoothing} if name == "cross_entropy" else {}
        options |= {"gamma": gamma} if name == "focal_loss" else {}
        return getattr(F, name)(x, t, ignore_index=ignore, **options)

    def oracle(x: np.ndarray, t: np.ndarray, w: np.ndarray) -> np.ndarray:
        losses, total = np.zeros(t.shape), 0.0
        for place in np.ndindex(t.shape):
            if t[place] == ignore:
                continue
            scores = x[(place[0], slice(None), *place[1:])]
            log_p = scores if name == "nll_loss" else scores - math.log(np.exp(scores).sum())
            true = t[place]
            plain, uniform = -w[true] * log_p[true], -np.mean(w * log_p)
            losses[place] = (1 - smoothing) * plain + smoothing * uniform
            if name == "focal_loss":
                losses[place] *= (1 - math.exp(log_p[true])) ** gamma
            total += 1.0 if name == "focal_loss" else w[true]
        return reduced(losses, reduction, total)

    return Case([x, target, weight], call, oracle, constants=(2,))


@operator("dice_loss", "jaccard_loss", "tversky_loss")
def overlap(r: Draw, name: str) -> Case:
    x, target, ignore = segmentation(r)
    reduction, smooth = r.one("mean", "sum", "none"), r.one(1.0, 0.5)
    alpha, beta = {"dice_loss": (0.5, 0.5), "jaccard_loss": (1.0, 1.0)}.get(name, (0.25, 0.75))
    options = {"ignore_index": ignore, "smooth": smooth, "reduction": reduction}
    weights = (alpha, beta) if name == "tversky_loss" else ()

    def oracle(x: np.ndarray, t: np.ndarray) -> np.ndarray:
        p, kept, losses = special.softmax(x, axis=1), t != ignore, []
        for c in range(x.shape[1]):
            hit, alarm, missed = 0.0, 0.0, 0.0
            for probability, member in zip(p[:, c][kept], (t == c)[kept], strict=True):
                hit, missed = hit + probability * member, missed + (1 - probability) * member
                alarm += probability * (not member)
            if name == "dice_loss":
                score = (2 * hit + smooth) / (2 * hit + alarm + missed + smooth)
            else:
                score = (hit + smooth) / (hit + alpha * alarm + beta * missed + smooth)
            losses.append(1 - score)
        return reduced(np.array(losses), reduction)

    return Case([x, target], lambda x, t: getattr(F, name)(x, t, *weights, **options), oracle)


@operator("lovasz_softmax")
def lovasz_softmax(r: Draw) -> Case:
    x, target, ignore = segmentation(r)
    classes, per_image = r.one("present", "all"), r.flag()

    def of_images(p: np.ndarray, t: np.ndarray) -> float:
        kept, losses = t != ignore, []
        for c in range(p.shape[1]):
            member = np.equal(t, c)[kept]
            if member.any() or classes == "all":
                losses.append(extension(np.abs(member - p[:, c][kept]), member))
        return float(np.mean(losses)) if losses else 0.0

    def oracle(x: np.ndarray, t: np.ndarray) -> np.ndarray:
        p = special.softmax(x, axis=1)
        if per_image:
            return np.asarray(np.mean([of_images(p[i : i + 1], t[i : i + 1]) for i in range(len(x))]))
        return np.asarray(of_images(p, t))

    return Case(
        [x, target], lambda x, t: F.lovasz_softmax(x, t, classes, per_image, ignore_index=ignore), oracle
    )


@operator("binary_cross_entropy", "binary_cross_entropy_with_logits")
def binary(r: Draw, name: str) -> Case:
    shape, reduction = r.shape(1, 4, empty=False), r.one("mean", "sum", "none")
    logits = name.endswith("logits")
    x = 3 * r.normal(*shape) if logits else r.between(0.05, 0.95, *shape)
    t, weight, positive = r.between(0, 1, *shape), r.between(0.5, 2, *shape), r.between(0.5, 3, shape[-1])
    if not logits:
        positive = np.ones(shape[-1])

    def call(x: Any, t: Any, w: Any, a: Any) -> Any:
        options = {"pos_weight": a} if logits else {}
        return getattr(F, name)(x, t, w, reduction=reduction, **options)

    def oracle(x: np.ndarray, t: np.ndarray, w: np.ndarray, a: np.ndarray) -> np.ndarray:
        p = special.expit(x) if logits else x
        return reduced(-w * (a * t * np.log(p) + (1 - t) * np.log1p(-p)), reduction)

    return Case([x, t, weight, positive], call, oracle, constants=(1, 2, 3))


@operator("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "reconstruction_loss")
def distance(r: Draw, name: str) -> Case:
    shape, reduction, size = r.shape(0, 4, empty=False), r.one("mean", "sum", "none"), r.one(0.25, 1.0, 1.75)
    options: dict[str, Any] = {"reduction": reduction}
    options |= {"beta": size} if name == "smooth_l1_loss" else {"delta": size} if name == "huber_loss" else {}

    def oracle(x: np.ndarray, t: np.ndarray) -> np.ndarray:
        d = x - t
        losses = {
            "mse_loss": d**2,
            "l1_loss": np.abs(d),
            "smooth_l1_loss": special.huber(size, d) / size,
            "huber_loss": special.huber(size, d),
            "reconstruction_loss": d**2,
        }[name]
        return reduced(losses, "sum" if name == "reconstruction_loss" else reduction)

    options = {} if name == "reconstruction_loss" else options
    return Case([r.normal(*shape), r.normal(*shape)], lambda x, t: getattr(F, name)(x, t, **options), oracle)


@operator("soft_ncut_loss")
def soft_cut(r: Draw) -> Case:
    images = r.normal(r.int(1, 2), r.int(1, 2), *r.pair(1, 3))
    n, _, height, width = images.shape
    p = r.between(0.1, 1, n, r.int(1, 3), height, width)
    radius, reduction = r.int(0, 2), r.one("image", "batch")

    def oracle(p: np.ndarray, images: np.ndarray) -> np.ndarray:
        within, whole = np.zeros(p.shape[:2]), np.zeros(p.shape[:2])
        for i, y, x, v, u in np.ndindex(n, height, width, height, width):
            near = (y - v) ** 2 + (x - u) ** 2
            if near > radius**2:
                continue
            color = ((images[i, :, y, x] - images[i, :, v, u]) ** 2).sum()
            affinity = math.exp(-color / 0.5**2 - near / 4.0**2)
            within[i] += p[i, :, y, x] * affinity * p[i, :, v, u]
            whole[i] += p[i, :, y, x] * affinity
        if reduction == "batch":
            within, whole = within.sum(0, keepdims=True), whole.sum(0, keepdims=True)
        return np.asarray(p.shape[1] - (within / whole).sum(1).mean())

    def call(p: Any, images: Any) -> Any:
        return F.soft_ncut_loss(p, images, radius=radius, reduction=reduction)

    return Case([p, images], call, oracle, constants=(1,))
