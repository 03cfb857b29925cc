"""Run folders: never overwritten, always readable, refused with a reason."""

import pytest

import minitorch_seg as ms
from minitorch_seg.errors import DataError, UserError
from minitorch_seg.train.run import FILES, RunFolder, build_model, load_model, next_folder

CONFIG = {
    "model": "unet",
    "model_options": {"base_channels": 2, "depth": 1},
    "in_channels": 1,
    "classes": ["a", "b"],
}


@pytest.fixture
def run(tmp_path):
    ms.manual_seed(0)
    run = RunFolder.create(tmp_path / "run")
    run.begin(CONFIG)
    run.save_weights(build_model(CONFIG).state_dict())
    return run


def test_next_folder_counts_on(tmp_path):
    assert next_folder("coins", "unet", tmp_path / "runs") == tmp_path / "runs" / "coins-unet-1"
    for name in ("coins-unet-1", "coins-unet-9", "coins-unet-x", "nuclei-unet-20"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    assert next_folder("coins", "unet", tmp_path / "runs").name == "coins-unet-10"
    assert next_folder("/some/where/my photos", "unet", tmp_path).name == "my-photos-unet-1"


def test_an_earlier_run_is_kept(run):
    before = {name: (run.path / name).read_bytes() for name in ("config.json", "model.safetensors")}
    with pytest.raises(UserError, match=r"--out .*run holds an earlier run already; .* --force"):
        RunFolder.create(run.path)
    for name, content in before.items():
        assert (run.path / name).read_bytes() == content


def test_force_removes_the_files_of_a_run_and_nothing_else(run):
    (run.path / "notes.txt").write_text("mine")
    RunFolder.create(run.path, force=True).begin({"new": True})
    assert sorted(entry.name for entry in run.path.iterdir()) == ["config.json", "notes.txt"]


def test_force_keeps_the_earlier_run_until_the_new_one_begins(run):
    before = {entry.name: entry.read_bytes() for entry in run.path.iterdir()}
    again = RunFolder.create(run.path, force=True)
    assert load_model(run.path)[1] == CONFIG
    again.withdraw()
    assert {entry.name: entry.read_bytes() for entry in run.path.iterdir()} == before


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_is_claimed_by_one_training_only(tmp_path, force):
    first = RunFolder.create(tmp_path / "run")
    with pytest.raises(UserError, match=r"another training is just beginning there; .*\.claimed"):
        RunFolder.create(tmp_path / "run", force)
    first.withdraw()
    assert not (tmp_path / "run").exists()
    RunFolder.create(tmp_path / "run", force)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="holds files already"):
        RunFolder.create(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write there"):
        RunFolder.create(tmp_path / "file" / "run")


def test_a_model_comes_back_with_its_weights_and_ready_to_predict(run):
    model, config = load_model(run.path)
    assert config["classes"] == ["a", "b"] and not model.training
    ms.manual_seed(0)
    expected = build_model(CONFIG).state_dict()
    for name, value in model.state_dict().items():
        assert (value.numpy() == expected[name].numpy()).all(), name


def test_what_cannot_be_loaded_is_named(run, tmp_path):
    with pytest.raises(UserError, match="nowhere is neither a run folder nor a packaged model"):
        load_model("nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty is no run folder: it has no config\.json"):
        load_model(tmp_path / "empty")
    (run.path / "model.safetensors").unlink()
    with pytest.raises(UserError, match="holds no weights yet"):
        load_model(run.path)
    (run.path / "config.json").write_text('{"model": "unet"}')
    with pytest.raises(DataError, match="lacks model_options, in_channels, classes"):
        load_model(run.path)


@pytest.mark.parametrize(
    "edit, sentence",
    [
        ({"model_options": {"base_channels": 4, "depth": 1}}, "does not fit the model"),
        ({"model_options": {"base_channels": 2, "depth": 2}}, "does not fit the model"),
        ({"model_options": {"base_channels": 2, "depth": 30}}, "depth of a unet must be at most 8, not 30"),
        ({"model_options": {"width": 2}}, "width=2 cannot be built"),
        ({"model_options": {"base_channels": "two"}}, "base_channels='two' cannot be built"),
        ({"model_options": [2]}, r"model_options is \[2\]"),
        ({"model": "unett"}, "no model named 'unett'"),
        ({"classes": None}, "classes is None"),
    ],
)
def test_an_edited_config_is_one_sentence(edit, sentence, run):
    run.save_config(CONFIG | edit)
    with pytest.raises(UserError, match=sentence):
        load_model(run.path)


@pytest.mark.parametrize("text", ["7", '["model", "model_options", "in_channels", "classes"]'])
def test_a_config_that_is_no_object_is_refused(text, run):
    (run.path / "config.json").write_text(text)
    with pytest.raises(DataError, match="holds no JSON object"):
        load_model(run.path)


def test_only_a_stopped_run_can_be_resumed(run):
    with pytest.raises(UserError, match="before its first checkpoint"):
        run.checkpoint()
    run.save_checkpoint({"epoch": 3})
    assert run.checkpoint() == {"epoch": 3}
    run.save_metrics({"miou": 1.0})
    with pytest.raises(UserError, match="this run is finished"):
        run.checkpoint()


def test_the_files_are_those_that_the_design_names():
    assert set(FILES) == {
        "history.csv",
        "metrics.json",
        "curves.png",
        "predictions.png",
        "model.safetensors",
        "config.json",
    }
