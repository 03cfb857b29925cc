import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from minitorch_seg.data import registry
from minitorch_seg.data.dataset import NORMALISATIONS, SYMMETRIES
from minitorch_seg.data.registry import REGISTERED, entry, find, load_registered, pair_hash, verify
from minitorch_seg.errors import DataError


@pytest.fixture(params=REGISTERED)
def present(request):
    if find(request.param) is None:
        pytest.skip(f"the set {request.param} is not on this machine (MINITORCH_SEG_DATA)")
    return request.param


@pytest.mark.parametrize("name", REGISTERED)
def test_entries_are_whole(name):
    facts = entry(name)
    stems = [pair.stem for pair in facts.pairs]
    assert len(set(stems)) == len(stems) == sum(len(part) for part in facts.split.values())
    assert all(facts.split.values())
    assert len({pair.sha256 for pair in facts.pairs}) == len(stems)
    assert all(len(pair.sha256) == 64 for pair in facts.pairs)
    assert facts.licence and facts.attribution and facts.original
    assert facts.symmetry in SYMMETRIES and facts.normalize in NORMALISATIONS
    commit = facts.archive.rsplit("/", 1)[1]
    assert commit in facts.original and len(commit) == 40
    assert all(len(c) <= 12 for c in facts.classes)


def test_entries_in_numbers():
    sizes = {name: [len(part) for part in entry(name).split.values()] for name in REGISTERED}
    assert sizes == {
        "nuclei": [254, 59, 79],
        "hippocampus": [260, 60, 80],
        "road": [227, 60, 73],
        "aerial": [174, 29, 58],
    }
    assert entry("aerial").classes == ["building", "land", "road", "vegetation", "water"]
    assert [entry(name).ignore_index for name in REGISTERED] == [None, None, None, 5]
    assert all(len(pair.source) == 64 for pair in entry("nuclei").pairs)


def test_splits_keep_patients_and_places_apart():
    patients = [{stem.rsplit("_z", 1)[0] for stem in part} for part in entry("hippocampus").split.values()]
    parts = [{stem.rsplit("_", 1)[0] for stem in part} for part in entry("aerial").split.values()]
    for groups in (patients, parts):
        assert sum(map(len, groups)) == len(set.union(*groups))


def test_pair_hash_sees_shapes_pixels_and_masks():
    image, mask = np.arange(24, dtype=np.uint8).reshape(4, 2, 3), np.arange(8).reshape(4, 2)
    text = b"image (4, 2, 3)\n" + bytes(range(24)) + b"mask (4, 2)\n"
    text += b"".join(bytes([i, 0]) for i in range(8))
    assert pair_hash(image, mask) == hashlib.sha256(text).hexdigest()
    assert pair_hash(image, mask) == pair_hash(np.asfortranarray(image), mask.astype(np.int32))
    others = [(image + 1, mask), (image, mask + 1), (image.reshape(2, 4, 3), mask.reshape(2, 4))]
    assert len({pair_hash(*pair) for pair in others} | {pair_hash(image, mask)}) == 4


def test_unknown_set():
    with pytest.raises(DataError, match="nuclei, hippocampus, road, aerial"):
        entry("coins")


def test_a_missing_set_says_where_it_was_looked_for_and_how_to_get_it(no_sets, monkeypatch, tmp_path):
    with pytest.raises(DataError, match=r"MINITORCH_SEG_DATA is not set.*minitorch-seg datasets get road"):
        load_registered("road")
    monkeypatch.setenv("MINITORCH_SEG_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError) as caught:
        load_registered("road")
    assert str(tmp_path / "elsewhere" / "road") in str(caught.value)
    assert str(registry.cache_folder() / "road") in str(caught.value)


def test_the_named_folder_wins_over_the_cache(no_sets, monkeypatch, tmp_path):
    in_cache = registry.cache_folder() / "road"
    (in_cache / "images").mkdir(parents=True)
    assert find("road") == in_cache and str(in_cache).startswith(str(no_sets))
    named = tmp_path / "named" / "road"
    (named / "images").mkdir(parents=True)
    monkeypatch.setenv("MINITORCH_SEG_DATA", str(named.parent))
    assert find("road") == named
    with pytest.raises(DataError, match=r"\.png: this file of road is missing \(720 in all\)"):
        load_registered("road")


def test_every_pair_is_the_registered_one(present):
    result = verify(present)
    assert result.ok, result.text()
    assert result.equal == len(entry(present).pairs)


def test_loaded_sets_are_as_registered(present):
    facts, splits = entry(present), load_registered(present)
    assert splits.classes == facts.classes and splits.ignore_index == facts.ignore_index
    seen = set()
    for name, part in splits.items():
        assert [part[i].name for i in range(len(part))] == facts.split[name]
        for i in range(len(part)):
            assert part[i].image.shape == (*facts.size, facts.channels)
            seen.update(np.unique(part[i].mask).tolist())
    assert seen == set(range(len(facts.classes))) | ({facts.ignore_index} - {None})


def test_a_difference_is_found(tiny_set):
    folder = tiny_set
    result = verify("tiny", folder)
    assert (result.equal, result.missing, result.different) == (2, ["c"], [])
    Image.new("RGB", (4, 4), 1).save(folder / "images" / "a.png")
    (folder / "images" / "b.png").write_bytes(b"broken")
    result = verify("tiny", folder)
    assert (result.equal, result.missing, result.different) == (0, ["c"], ["a", "b"])
    assert "cannot be compared with published ones" in result.text()


@pytest.fixture
def tiny_set(tmp_path, monkeypatch):
    """A registered set of three pairs, of which two lie in a folder."""
    folder, pairs = tmp_path / "tiny", []
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number, stem in enumerate("abc"):
        image, mask = np.full((4, 4, 3), number, np.uint8), np.full((4, 4), number % 2)
        pairs.append(registry.Pair("train", stem, pair_hash(image, mask)))
        if stem != "c":
            Image.fromarray(image).save(folder / "images" / f"{stem}.png")
            Image.fromarray(mask.astype(np.uint8)).save(folder / "masks" / f"{stem}.png")
    facts = registry.Entry(
        "tiny", "", "", ["x", "y"], 3, (4, 4), "", "", "", "", "", None, pairs=tuple(pairs)
    )
    monkeypatch.setattr(registry, "entry", lambda name: facts)
    return folder


def test_loading_a_set_that_differs_says_so(tiny_set, monkeypatch, caplog):
    folder = tiny_set
    monkeypatch.setattr(registry, "find", lambda name: folder)
    facts = registry.entry("tiny")
    monkeypatch.setattr(
        registry,
        "entry",
        lambda name: registry.Entry(**{**vars(facts), "pairs": facts.pairs[:2]}),
    )
    load_registered("tiny")
    assert not caplog.records
    (folder / "verification.json").write_text(json.dumps({"equal": 1, "missing": [], "different": ["b"]}))
    (folder / "masks" / "b.png").write_bytes((folder / "masks" / "a.png").read_bytes())
    load_registered("tiny")
    assert "of 2 registered pairs, 1 in" in caplog.text
