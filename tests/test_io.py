"""Files are whole or absent, and weights come back bit for bit, whatever their layout was."""

import json
from pathlib import Path

import numpy as np
import pytest

from minitorch_seg import io
from minitorch_seg.errors import DataError, UserError


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_atomic_file_leaves_the_old_file_when_the_block_fails(tmp_path):
    io.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyboardInterrupt), io.atomic_file(tmp_path / "a.txt") as file:
        file.write(b"half of the n")
        raise KeyboardInterrupt
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_atomic_file_replaces_only_at_the_end(tmp_path):
    io.write_text(tmp_path / "a.txt", "old")
    with io.atomic_file(tmp_path / "a.txt") as file:
        file.write(b"new")
        file.flush()
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("parent", ["missing", "file.txt"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, parent):
    (tmp_path / "file.txt").write_text("in the way")
    with pytest.raises(UserError, match=f"cannot write .*{parent}"):
        io.write_json(tmp_path / parent / "x.json", {})


def test_json_has_no_nan_and_no_numpy_types(tmp_path):
    value = {
        "iou": np.float32(0.5),
        "absent": float("nan"),
        "n": np.int64(3),
        "rows": np.eye(2),
        "path": tmp_path,
        "t": (1, 2),
    }
    io.write_json(tmp_path / "m.json", value)
    text = (tmp_path / "m.json").read_text()
    assert "NaN" not in text
    assert json.loads(text) == {
        "iou": 0.5,
        "absent": None,
        "n": 3,
        "rows": [[1, 0], [0, 1]],
        "path": str(tmp_path),
        "t": [1, 2],
    }
    assert io.read_json(tmp_path / "m.json") == json.loads(text)


def test_broken_and_missing_json_are_named(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(DataError, match=r"broken\.json is not valid JSON"):
        io.read_json(tmp_path / "broken.json")
    with pytest.raises(DataError, match=r"cannot read .*missing\.json"):
        io.read_json(tmp_path / "missing.json")


def test_csv_keeps_every_digit_and_writes_nan_as_an_empty_cell(tmp_path):
    io.write_csv(tmp_path / "t.csv", ["a", "b"], [[0.1 + 0.2, float("nan")], ["x, y", None]])
    assert (tmp_path / "t.csv").read_text() == 'a,b\n0.30000000000000004,\n"x, y",\n'


def test_png_with_a_palette_keeps_the_indices(tmp_path):
    from PIL import Image

    classes = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    palette = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)
    io.write_png(tmp_path / "m.png", classes, palette)
    with Image.open(tmp_path / "m.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), classes)
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), palette[classes])


def layouts(rng) -> dict[str, np.ndarray]:
    base = rng.standard_normal((4, 6, 3, 5)).astype(np.float32)
    return {
        "contiguous": base,
        "transposed": base.transpose(0, 3, 1, 2),
        "strided": base[::2, 1::2],
        "reversed": base[::-1],
        "broadcast": np.broadcast_to(base[0], (2, *base.shape[1:])),
        "fortran": np.asfortranarray(base),
        "zero size": base[:0],
        "0-d": np.array(7, np.int64),
        "scalar": np.float32(2.5),
        "float64": rng.standard_normal(3),
        "bool": rng.random(4) > 0.5,
        "uint64": np.array([2**63 + 5], np.uint64),
    }


def test_state_dict_comes_back_bit_for_bit_from_every_layout(tmp_path):
    state = layouts(np.random.default_rng(0))
    io.save_state_dict(tmp_path / "w.safetensors", state)
    loaded = io.load_state_dict(tmp_path / "w.safetensors")
    assert sorted(loaded) == sorted(state)
    for name, value in state.items():
        assert loaded[name].dtype == value.dtype, name
        assert loaded[name].shape == np.shape(value), name
        np.testing.assert_array_equal(loaded[name], value, err_msg=name)


def test_pytorch_reads_what_we_write(tmp_path):
    pytest.importorskip("torch")
    from safetensors.torch import load_file

    state = {name: value for name, value in layouts(np.random.default_rng(1)).items() if name != "uint64"}
    io.save_state_dict(tmp_path / "w.safetensors", state)
    for name, value in load_file(tmp_path / "w.safetensors").items():
        np.testing.assert_array_equal(value.numpy(), state[name], err_msg=name)


def test_metadata_travels_with_the_weights(tmp_path):
    io.save_state_dict(tmp_path / "w.safetensors", {"a": np.zeros(2)}, {"state": '{"epoch": 3}'})
    arrays, metadata = io.load_with_metadata(tmp_path / "w.safetensors")
    assert list(arrays) == ["a"] and metadata == {"state": '{"epoch": 3}'}


def test_a_truncated_weight_file_is_named(tmp_path):
    io.save_state_dict(tmp_path / "w.safetensors", {"a": np.zeros(100)})
    content = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "w.safetensors").write_bytes(content[:200])
    with pytest.raises(DataError, match=r"w\.safetensors is not a whole safetensors file"):
        io.load_state_dict(tmp_path / "w.safetensors")
    with pytest.raises(DataError, match=r"cannot read .*none\.safetensors"):
        io.load_state_dict(tmp_path / "none.safetensors")


def test_a_name_that_is_not_utf8_comes_back_from_json(tmp_path):
    name = b"\xff.png".decode("utf-8", "surrogateescape")
    io.write_json(tmp_path / "a.json", {"data": name, "unit": "µm"})
    assert io.read_json(tmp_path / "a.json") == {"data": name, "unit": "µm"}
