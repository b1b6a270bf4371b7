"""The dataset card: a short README.md that tells a stranger what the parquet holds and how it came to be."""

from __future__ import annotations

import re
from typing import Any

from evolve.datasets.diversity import diversity_told
from evolve.datasets.trainers import CHECKED_ON, trainers_table
from prompts.display import in_code, in_markdown


def card(manifest: dict[str, Any], repo: str = "", revision: str = "", *, has_selected: bool = True) -> str:
    """Markdown with the YAML header that the Hub reads, from the content of manifest.json; for `repo` on the Hub, or
    for the folder that the files lie in. A configuration without rows is none: `datasets` fails on it.
    """
    splits = _splits(manifest, has_selected)
    recipe, ranking, rows = manifest["recipe"], manifest["ranking"], manifest["rows"]
    alpha = f" (alpha {ranking['alpha']:g})" if ranking["metric"] in ("map", "map-signed") else ""
    books = "\n".join(
        f"| {stage.replace('_', ' ')} | {book['in']:,} | {book['kept']:,} | {_reasons(book['dropped'])} |"
        for stage, book in rows.items()
        if stage != "train"
    )
    means = "\n".join(
        f"| {metric} | {_number(mean['before'])} | {_number(mean['after'])} |"
        for metric, mean in ranking["metric_means"].items()
    )
    rewards = ", ".join(f"{in_code(one['reward'])} ({in_code(one['fingerprint'])})" for one in manifest["rewards"])
    return f"""---
configs:
- config_name: default
  data_files: {_data_files(splits["default"])}{_selected(splits)}
tags: [preference, dpo, self-play, evolve-select]
---

# {in_markdown(recipe["name"])}, iteration {manifest["iteration"]}: {recipe["algorithm"]} by {ranking["metric"]}{alpha}

{_how(manifest)}, selected by
{ranking["metric"]}{alpha}, k = {ranking["k"]}.

- policy: {in_code(recipe["policy"]["model"])} ({in_code(manifest["sampler"]["fingerprint"])})
- reward model: {rewards}{_reference(manifest)}
- prompts: {in_code(recipe["prompts"]["source"])}
- threshold tau_k {_number(ranking["threshold"])}
- sigma_r {_number(ranking["sigma_r"])}, sigma_pi {_number(ranking["sigma_pi"])}

`train.parquet` is the training set, `selected.parquet` what the metric selected or led to, `manifest.json` has all of
the above in full.
{_held_out(manifest)}
```python
from datasets import load_dataset

{_loading(repo, revision, splits)}
```

| stage | in | kept | dropped |
|---|---|---|---|
{books}

| mean of the metric | ranked set | selected |
|---|---|---|
{means}

{_diversity(manifest)}{_covered(recipe)} They are in nats, at temperature 1 over the full
vocabulary, the end-of-turn token included when it was sampled; `n_tokens_*` count the same tokens. `reward_margin` is
M_r, `implicit_margin` M_pi = |logp_chosen/n_tokens_chosen - logp_rejected/n_tokens_rejected|.

{_ranked(recipe)}

## Trainers

`evolve export RUN --to NAME --out PATH` writes these pairs as a trainer reads them, with a configuration that trains
with them beside. Versions were checked on {CHECKED_ON}.

{trainers_table()}
"""


Splits = dict[str, dict[str, str]]  # for each configuration and split its file


def _splits(manifest: dict[str, Any], has_selected: bool) -> Splits:
    """As the manifest of a dataset on the Hub has them, or of the folder that a run writes."""
    if found := manifest.get("held_out"):
        return {
            config: {split: one["path"] for split, one in sides.items()} for config, sides in found["splits"].items()
        }
    selected = {"selected": {"train": "selected.parquet"}} if has_selected else {}
    return {"default": {"train": "train.parquet"}} | selected


def _data_files(files: dict[str, str]) -> str:
    return "[" + ", ".join(f"{{split: {split}, path: {path}}}" for split, path in files.items()) + "]"


def _selected(splits: Splits) -> str:
    if "selected" not in splits:
        return ""
    return f"\n- config_name: selected\n  data_files: {_data_files(splits['selected'])}"


def _held_out(manifest: dict[str, Any]) -> str:
    """What of the pairs is in the split test; nothing where none is."""
    if not (found := manifest.get("held_out")):
        return ""
    counts = "\n".join(
        f"| `{config}` | `{split}` | `{one['path']}` | {one['pairs']:,} |"
        for config, of in found["splits"].items()
        for split, one in of.items()
    )
    return f"""
About {found["test"]} are held out, by families of prompts: a prompt, its rewrites and whatever shares a rewrite with it
are in the same split, in both configurations.

| configuration | split | file | pairs |
|---|---|---|---|
{counts}
"""


def _loading(repo: str, revision: str, splits: Splits) -> str:
    """The lines that load the training set, and what was selected."""
    taken = "as TRL's DPOTrainer takes it"
    if not repo:
        return f'train = load_dataset("parquet", data_files="train.parquet", split="train")  # {taken}'
    at = f', revision="{revision}"' if revision else ""
    lines = [f'train = load_dataset("{repo}", split="train"{at})  # {taken}']
    if "test" in splits["default"]:
        lines.append(f'test = load_dataset("{repo}", split="test"{at})')
    if "selected" in splits:
        split = next(iter(splits["selected"]))
        lines.append(f'selected = load_dataset("{repo}", "selected", split="{split}"{at})')
    return "\n".join(lines)


def _diversity(manifest: dict[str, Any]) -> str:
    """How varied the sets are, and what they were held against; nothing for a manifest from before these were there."""
    if not (found := manifest.get("diversity")):
        return ""
    told = "\n".join(f"- {name}: {diversity_told(one)}" for name, one in found.items())
    told += f"""

A parent is the initial prompt that a rewrite was made from; an initial prompt is its own. distinct-n is the number of
different word n-grams over that of all (Li et al., 1510.03055), in {found["train"]["read"]:,} pairs of the training
set and {found["selected"]["read"]:,} of the selected ones."""
    if against := manifest.get("contamination"):
        names = ", ".join(f"{in_code(one['source'])} ({one['prompts']:,} prompts)" for one in against["against"])
        told += f"""

Pairs whose prompt, or its parent, repeats a prompt of {names} have left
(`contaminated` above): {against["threshold"]:.0%} or more of its words lie in {against["ngram"]}-grams of both."""
    return told + "\n\n"


def _how(manifest: dict[str, Any]) -> str:
    """How the pairs came to be."""
    recipe, n = manifest["recipe"], manifest["rows"]["train"]["kept"]
    sampling, rule = recipe["sampling"], recipe["selection"]["pair_rule"]
    if rule == "given":
        return f"""{n:,} preference pairs of existing data, chosen and rejected as the data has them,
log-probabilities by teacher forcing of the policy"""
    rewritten = "" if recipe["algorithm"] == "select-only" else "prompts rewritten by the policy\n(EvolInstruct), "
    return f"""{n:,} preference pairs grown by self-play with evolve-select: {rewritten}{sampling["n"]} responses each \
(temperature {sampling["temperature"]:g}, top-p {sampling["top_p"]:g}),
scored by a reward model, paired by the rule {rule}"""


def _reference(manifest: dict[str, Any]) -> str:
    found = manifest["reference"]
    if not found:
        return ""
    return f"\n- reference model: {in_code(found['reference'])} ({in_code(found['fingerprint'])}), `ref_logp_*`"


def _covered(recipe: dict[str, Any]) -> str:
    """Which tokens the log-probabilities are of."""
    if recipe["selection"]["pair_rule"] == "given":
        return (
            "`logp_*` are sums of log pi(y|x) over the tokens of the response as the policy's chat template writes it, "
            "up\nto and with the token that closes the turn."
        )
    if not recipe["policy"]["thought_tags"]:
        return "`logp_*` are sums of log pi(y|x) over the tokens of the response as sampled."
    if recipe["selection"]["with_thoughts"]:
        return (
            "The policy thinks before it answers. `chosen` and `rejected` carry thoughts and answer as sampled, and "
            "`logp_*` are\nsums of log pi(y|x) over the tokens of both; scores are of the answer alone."
        )
    return (
        "The policy thinks before it answers. `chosen` and `rejected` are the answers alone, and `logp_*` are sums of "
        "log pi\nover the tokens of the answer, given the prompt and the thoughts that were sampled before it."
    )


def _ranked(recipe: dict[str, Any]) -> str:
    """Which rows have a standing by the metric, and what null means there."""
    if recipe["algorithm"] == "select-only":
        return "`metric_score`, `rank` and `selected` are of the pairs of D, of which these are the selected."
    if recipe["algorithm"] == "select-then-evolve":
        return (
            "`metric_score`, `rank` and `selected` are of the pairs of the initial prompts (D), which were ranked. In "
            "the rows of D'_k, the\npairs of the rewrites (`source` is evolved; all of `selected.parquet`), they are "
            "null: these pairs were not ranked, the\npairs of their parents (`parent_id`) were."
        )
    if recipe["selection"]["pool"] == "combined":
        return "`metric_score`, `rank` and `selected` are of all pairs: D and D' were ranked as one set."
    return (
        "`metric_score`, `rank` and `selected` are of the pairs of the rewrites (D'), which were ranked; in the pairs "
        "of the initial\nprompts (D) they are null: these were not ranked."
    )


def _reasons(dropped: dict[str, int]) -> str:
    return ", ".join(f"{_word(reason)} {n:,}" for reason, n in dropped.items()) or "none"


def _word(reason: str) -> str:
    """A reason as the program has it, or whatever else a pool holds in its place."""
    return reason if re.fullmatch("[a-z_]+", reason) else in_markdown(reason)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
