"""Each export is read back by `datasets` and says what the train set says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evolve.exports.export import export
from evolve.exports.forms import FORMS
from evolve.recipe.loading import override_recipe
from evolve.recipe.sections import Recipe
from evolve.run import Run
from fake_runs import Made, fake_recipe, make, pool_rows, prompt, write_source
from prompts.errors import UserError

CONVERSATION = [
    {"role": "user", "content": 'Hello,\nyou \U0001f600 "quoted"\u2028'},
    {"role": "assistant", "content": "Yes?"},
    {"role": "user", "content": "Explain {prompt} and <|eot_id|> to a child."},
]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    path = tmp_path_factory.mktemp("source") / "prompts.jsonl"
    return fake_recipe(write_source(path, [*map(prompt, range(6)), CONVERSATION]), policy__system_prompt="Be brief.")


@pytest.fixture(scope="module")
def made(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(recipe, tmp_path_factory.mktemp("runs") / "run")


def view(folder: Path, recipe: Recipe) -> Run:
    return Run(recipe, folder, view_only=True)


def _loaded(path: Path, cache: Path) -> list[dict[str, Any]]:
    import datasets

    rows = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(cache))
    return [dict(row) for row in rows]


def _expected(form: str, pair: dict[str, Any]) -> list[dict[str, Any]]:
    """What each trainer is to read of a pair."""
    both = {side: pair["prompt"] + pair[side] for side in ("chosen", "rejected")}
    if form in ("trl", "axolotl"):
        return [{name: pair[name] for name in ("prompt", "chosen", "rejected")}]
    if form in ("conversation", "openrlhf"):
        return [both]
    if form == "llamafactory":
        return [{"messages": pair["prompt"], "chosen": pair["chosen"][0], "rejected": pair["rejected"][0]}]
    if form == "swift":
        return [{"messages": both["chosen"], "rejected_response": pair["rejected"][0]["content"]}]
    if form == "nemo-rl":
        ranked = [{"rank": 0, "completion": pair["chosen"]}, {"rank": 1, "completion": pair["rejected"]}]
        return [{"context": pair["prompt"], "completions": ranked}]
    assert form == "kto"
    labels = {"chosen": True, "rejected": False}
    return [
        {"prompt": pair["prompt"], "completion": pair[side], "messages": both[side], "label": label}
        for side, label in labels.items()
    ]


@pytest.mark.parametrize("form", [form for form in FORMS if form != "text"])
def test_every_format_loads_back_as_the_train_set(form: str, made: Made, recipe: Recipe, tmp_path: Path) -> None:
    said = export(view(made.folder.parents[2], recipe), form, tmp_path / "out")
    path = tmp_path / "out" / "fake.jsonl" if form == "llamafactory" else tmp_path / "out"
    train = made.train.to_pylist()
    expected = [row for pair in train for row in _expected(form, pair)]
    assert said.startswith(f"{path}: {len(train)} pairs for {form}")
    assert _loaded(path, tmp_path / "cache") == expected
    assert any(CONVERSATION[-1]["content"] == pair["prompt"][-1]["content"] for pair in train)
    assert all(pair["prompt"][0] == {"role": "system", "content": "Be brief."} for pair in train)


def test_llamafactory_finds_what_its_description_names(made: Made, recipe: Recipe, tmp_path: Path) -> None:
    export(view(made.folder.parents[2], recipe), "llamafactory", tmp_path / "data")
    ((name, about),) = json.loads((tmp_path / "data" / "dataset_info.json").read_text(encoding="utf-8")).items()
    assert name == recipe.name
    assert about["ranking"] is True
    first = json.loads((tmp_path / "data" / about["file_name"]).read_text(encoding="utf-8").split("\n")[0])
    assert set(about["columns"].values()) == set(first)
    tags = about["tags"]
    assert {turn[tags["role_tag"]] for turn in first["messages"]} <= {tags["user_tag"], tags["system_tag"]}
    assert first["chosen"][tags["role_tag"]] == tags["assistant_tag"]


def test_every_response_that_was_paid_for_is_exported_with_its_scores(
    made: Made, recipe: Recipe, tmp_path: Path
) -> None:
    said = export(view(made.folder.parents[2], recipe), "responses", tmp_path / "out.jsonl")
    stored = pool_rows(made.folder.parents[2])
    responses = {row["id"]: row for row in map(json.loads, stored["responses"])}
    rewards = {row["response_id"]: row["score"] for row in map(json.loads, stored["rewards"])}
    rows = _loaded(tmp_path / "out.jsonl", tmp_path / "cache")
    assert said.endswith(f"{len(rows)} responses with their scores")
    assert {row["id"] for row in rows} == set(responses)
    assert len(rows) == len(responses)
    for row in rows:
        kept = responses[row["id"]]
        assert row["response"] == kept["text"]
        assert (row["logp"], row["n_tokens"], row["sample_index"]) == (
            kept["logp"],
            kept["n_tokens"],
            kept["sample_index"],
        )
        assert row["scores"]["fake"]["score"] == rewards[row["id"]]
        assert row["prompt"][-1]["role"] == "user"


def test_wrong_wishes_are_told_the_right_ones(made: Made, recipe: Recipe, tmp_path: Path) -> None:
    run = made.folder.parents[2]
    with pytest.raises(UserError, match=r"No form 'csv': expected one of trl, conversation, openrlhf, .*, responses"):
        export(view(run, recipe), "csv", tmp_path / "out")
    eva = override_recipe(recipe.model_dump(), {"selection.metric": "eva"}, "the test")
    with pytest.raises(UserError, match=r"No dataset of this recipe at .*eva.*Make it first: `evolve select`"):
        export(view(run, eva), "trl", tmp_path / "out")
    (tmp_path / "file").write_text("earlier")
    with pytest.raises(UserError, match="it can't be written"):
        export(view(run, recipe), "trl", tmp_path / "file" / "out")
    with pytest.raises(UserError, match="it can't be written"):
        export(view(run, recipe), "trl", tmp_path)  # a folder
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_there_and_was_not_exported_by_this_run_is_refused(made: Made, recipe: Recipe, tmp_path: Path) -> None:
    run, out = made.folder.parents[2], tmp_path / "mine.jsonl"
    for form in ("trl", "openrlhf", "responses"):
        out.write_text("of someone else")
        with pytest.raises(UserError, match=r"is not what this run has exported.*--force"):
            export(view(run, recipe), form, out)
        assert out.read_text() == "of someone else"
        export(view(run, recipe), form, out, force=True)
        first = out.read_bytes()
        export(view(run, recipe), form, out)  # its own: no --force is needed
        assert out.read_bytes() == first
        out.write_bytes(first + b"edited\n")
        with pytest.raises(UserError, match="--force"):
            export(view(run, recipe), form, out)


def test_a_folder_of_llamafactory_keeps_what_else_it_has(made: Made, recipe: Recipe, tmp_path: Path) -> None:
    run, info = made.folder.parents[2], tmp_path / "dataset_info.json"
    others = {"other": {"file_name": "train.jsonl"}, "é": {"hf_hub_url": "a/b"}}
    info.write_text(json.dumps(others), encoding="utf-8-sig")
    (tmp_path / "train.jsonl").write_text("theirs")
    export(view(run, recipe), "llamafactory", tmp_path)
    export(view(run, recipe), "llamafactory", tmp_path)
    described = json.loads(info.read_text(encoding="utf-8"))
    assert {name: described[name] for name in others} == others
    assert described[recipe.name]["file_name"] == f"{recipe.name}.jsonl"
    assert (tmp_path / "train.jsonl").read_text() == "theirs"

    theirs = others | {recipe.name: {"file_name": "elsewhere.jsonl"}}
    info.write_text(json.dumps(theirs), encoding="utf-8")
    with pytest.raises(UserError, match=r"describes another dataset by the name fake.*--force"):
        export(view(run, recipe), "llamafactory", tmp_path)
    assert json.loads(info.read_text(encoding="utf-8")) == theirs
    export(view(run, recipe), "llamafactory", tmp_path, force=True)
    assert json.loads(info.read_text(encoding="utf-8"))["other"] == others["other"]

    for broken in ("{", "[1]", "[" * 5_000):
        info.write_text(broken)
        with pytest.raises(UserError, match="Mend it or move it away"):
            export(view(run, recipe), "llamafactory", tmp_path, force=True)
        assert info.read_text() == broken


def test_a_margin_is_there_when_it_is_asked_for_and_never_otherwise(made: Made, recipe: Recipe, tmp_path: Path) -> None:
    """By its name alone TRL and ms-swift switch a margin loss on."""
    run, train = made.folder.parents[2], made.train.to_pylist()
    assert "margin" not in made.train.column_names
    for form in FORMS:
        if form == "text":
            continue  # needs a template
        if not FORMS[form].has_margin:
            with pytest.raises(UserError, match=f"No trainer of the form {form} reads a margin.*trl, conversation"):
                export(view(run, recipe), form, tmp_path / form, margin=True)
            continue
        export(view(run, recipe), form, tmp_path / f"{form}.jsonl", margin=True)
        rows = _loaded(tmp_path / f"{form}.jsonl", tmp_path / "cache")
        assert [row["margin"] for row in rows] == [pair["score_chosen"] - pair["score_rejected"] for pair in train]
        assert [{name: row[name] for name in row if name != "margin"} for row in rows] == [
            one for pair in train for one in _expected(form, pair)
        ]


def test_responses_take_no_wishes_of_pairs(made: Made, recipe: Recipe, tmp_path: Path) -> None:
    for wish in ({"test": "5%"}, {"margin": True}, {"max_length": 9}, {"max_prompt_length": 9}):
        with pytest.raises(UserError, match="no pairs"):
            export(view(made.folder.parents[2], recipe), "responses", tmp_path / "out", **wish)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_one_file_of_kto_is_described_for_llamafactory(made: Made, recipe: Recipe, tmp_path: Path) -> None:
    export(view(made.folder.parents[2], recipe), "kto", tmp_path / "labels.jsonl")
    about = json.loads((tmp_path / "dataset_info.json").read_text())["labels"]
    first = json.loads((tmp_path / about["file_name"]).read_text(encoding="utf-8").split("\n")[0])
    assert about["columns"] == {"messages": "messages", "kto_tag": "label"}
    assert set(about["columns"].values()) <= set(first)
    assert "ranking" not in about
    with pytest.raises(UserError, match="description of a folder's files"):
        export(view(made.folder.parents[2], recipe), "kto", tmp_path / "dataset_info.json", force=True)
    assert "labels" in json.loads((tmp_path / "dataset_info.json").read_text())
