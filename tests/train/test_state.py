"""Training states survive the file: types, keys, layouts and bits."""

import numpy as np
import pytest

from minitorch_seg.errors import DataError
from minitorch_seg.io import save_state_dict
from minitorch_seg.train.state import load_tree, save_tree


def test_tree_comes_back_with_types_keys_and_bits(tmp_path):
    rng = np.random.default_rng(0)
    tree = {
        "state": {0: {"step": 3, "exp_avg": rng.standard_normal((2, 3)).astype(np.float32)}, 1: {}},
        "param_groups": [
            {"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1], "name": None, "nesterov": True}
        ],
        "channels last": rng.standard_normal((2, 4, 4, 3)).transpose(0, 3, 1, 2),
        "scalar": np.float64(1 / 3),
        "big": 2**70,
    }
    save_tree(tmp_path / "s.safetensors", tree)
    again = load_tree(tmp_path / "s.safetensors")
    assert again["state"].keys() == {0, 1} and again["state"][0]["step"] == 3
    assert again["param_groups"] == tree["param_groups"]
    assert isinstance(again["param_groups"][0]["betas"], tuple)
    assert again["big"] == 2**70 and again["scalar"] == 1 / 3
    for a, b in [
        (again["state"][0]["exp_avg"], tree["state"][0]["exp_avg"]),
        (again["channels last"], tree["channels last"]),
    ]:
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_weights_alone_are_no_training_state(tmp_path):
    save_state_dict(tmp_path / "w.safetensors", {"a": np.zeros(2)})
    with pytest.raises(DataError, match="holds weights only"):
        load_tree(tmp_path / "w.safetensors")


def test_other_objects_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(TypeError, match="cannot hold set objects"):
        save_tree(tmp_path / "s.safetensors", {"a": {1, 2}})
    assert list(tmp_path.iterdir()) == []
