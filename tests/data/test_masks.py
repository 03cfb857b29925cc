import numpy as np
import pytest
from PIL import Image

from minitorch_seg.data.masks import (
    MaskRule,
    convert_instances,
    is_binary_255,
    looks_like_instances,
    survey_mask,
)
from minitorch_seg.errors import DataError


def save(path, mask):
    Image.fromarray(np.asarray(mask, np.uint16)).save(path)
    return path


def blobs(k, side=24):
    """k separate squares, numbered 1 ... k."""
    mask = np.zeros((side, side), np.int64)
    for i in range(k):
        y, x = divmod(i, side // 4)
        mask[4 * y : 4 * y + 3, 4 * x : 4 * x + 3] = i + 1
    return mask


def test_survey_counts_and_recognises_numbering(tmp_path):
    survey = survey_mask(save(tmp_path / "a.png", blobs(7)))
    assert survey.size == (24, 24)
    assert survey.counts == {0: 24 * 24 - 63, **dict.fromkeys(range(1, 8), 9)}
    assert survey.numbered and survey.objects == 7
    assert not survey_mask(save(tmp_path / "gap.png", np.where(blobs(7) == 3, 0, blobs(7)))).numbered
    assert not survey_mask(save(tmp_path / "spread.png", blobs(20) % 4)).numbered


def test_survey_sees_a_changed_file(tmp_path):
    survey_mask(save(tmp_path / "a.png", blobs(3)))
    assert survey_mask(save(tmp_path / "a.png", blobs(12))).objects == 12


def test_instances_are_told_from_classes(tmp_path):
    def surveys(*masks):
        return [survey_mask(save(tmp_path / f"{i}-{m.sum()}.png", m)) for i, m in enumerate(masks)]

    assert looks_like_instances(surveys(blobs(3), blobs(9), blobs(5), blobs(0)))
    assert looks_like_instances(surveys(blobs(30)))
    assert not looks_like_instances(surveys(blobs(6), blobs(6), blobs(6)))  # six organs in each image
    assert not looks_like_instances(surveys(blobs(2), blobs(3)))
    assert not looks_like_instances(surveys(blobs(20) % 6, blobs(14) % 4))


def test_binary_255():
    assert is_binary_255([0, 255]) and is_binary_255([255])
    assert not is_binary_255([0]) and not is_binary_255([0, 1, 255])


def test_convert_instances():
    touching = np.zeros((6, 8), np.int64)
    touching[1:5, 1:4], touching[1:5, 4:7] = 1, 2
    foreground = convert_instances(touching, "foreground")
    np.testing.assert_array_equal(foreground, touching > 0)
    boundary = convert_instances(touching, "boundary")
    np.testing.assert_array_equal(boundary > 0, touching > 0)
    assert boundary[2].tolist() == [0, 2, 1, 2, 2, 1, 2, 0]
    with pytest.raises(DataError, match="foreground, boundary"):
        convert_instances(touching, "edges")


def test_rule_checks_values_and_keeps_the_ignored_one():
    rule = MaskRule(("a", "b"), ignore_index=9)
    np.testing.assert_array_equal(rule(np.array([[0, 1, 9]]), "m.png"), [[0, 1, 9]])
    with pytest.raises(DataError, match=r"m.png: the mask holds 2, 7, but the 2 classes are 0 to 1"):
        rule(np.array([[0, 7, 2]]), "m.png")
    assert rule.wrong_values([0, 1, 2, 9]) == {2}


def test_rule_binary_and_convert():
    assert MaskRule(("a", "b"), binary=True)(np.array([[0, 255]]), "m").tolist() == [[0, 1]]
    rule = MaskRule(("a", "b"), ignore_index=200, convert="foreground")
    assert rule(np.array([[0, 17, 200]]), "m").tolist() == [[0, 1, 200]]
    assert rule.wrong_values([0, 17, 200]) == set()
