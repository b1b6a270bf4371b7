"""Which layout a checkpoint has, by the names and shapes of its weights: class names lie.

QRM calls itself `LlamaForRewardModelWithGating` as ArmoRM does and has other heads; GRM's sftreg models say
`LlamaForCausalLM`; URM and INF-ORM end in ...ForSequenceClassification and are none that transformers has. So a layout
is told by the tensors that are no backbone's. What config.json claims is asked only where they fit none: then the
claimed layout's own loader says which weights are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation.checkpoint import Tensors, read_json, shown
from prompts.errors import UserError
from rewards.protocol import Kind

Shapes = Mapping[str, tuple[int, ...]]
# Weights that a checkpoint may hold and a reward does not need.
HARMLESS = ("rotary_emb.inv_freq", "lm_head.weight")
BACKBONES = ("model.", "pretrained_model.")
PICKLES = (".bin", ".ckpt", ".pkl", ".pickle", ".pt", ".pth")


@dataclass(frozen=True)
class Layout:
    """A layout of checkpoint: its file in rewards/models and the class there, what it offers, and its own tensors."""

    name: str
    builds: str
    kind: Kind
    head: str
    fits: Callable[[Shapes], bool]
    claimed_by: tuple[str, ...] = ()


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(
            "qrm",
            "QRM",
            "multi",
            "regression_layer with several rows an objective, gating.layers with batch norms",
            lambda head: "regression_layer.weight" in head and any(name.endswith("running_mean") for name in head),
        ),
        Layout(
            "armorm",
            "ArmoRM",
            "multi",
            "regression_layer with a row an objective, gating.layers of linear ones with biases",
            lambda head: "regression_layer.weight" in head and "gating.layers.0.bias" in head,
            ("LlamaForRewardModelWithGating",),
        ),
        Layout(
            "urm",
            "URM",
            "multi",
            "score with two rows an attribute, weights.fc",
            lambda head: "score.weight" in head and "weights.fc.0.weight" in head,
            ("LlamaForSequenceClassificationWithNormal_Weights",),
        ),
        Layout(
            "inform",
            "InfOrm",
            "scalar",
            "score.0 and score.2, a network of two layers",
            lambda head: "score.0.weight" in head,
            ("INFORMForSequenceClassification",),
        ),
        Layout(
            "grm",
            "GRM",
            "scalar",
            "v_head.summary, a linear layer or a network",
            lambda head: any(name.startswith("v_head.summary.") for name in head),
        ),
        Layout(
            "pairrm",
            "PairRM",
            "pairwise",
            "head_layer.1 and head_layer.4",
            lambda head: "head_layer.1.weight" in head,
            ("DebertaV2PairRM",),
        ),
        Layout(
            "principle",
            "PrincipleJudge",
            "scalar",
            "a causal language model without a head of its own, asked about reward.principle",
            lambda head: False,  # what has no head may also lack one: see `layout_of`
        ),
        Layout(
            "scalar",
            "ScalarClassifier",
            "scalar",
            "score, a linear layer of one row",
            lambda head: "score.weight" in head,
        ),
    )
}


def layout_of(folder: Path) -> Layout:
    """The layout of the checkpoint in `folder`. Raises UserError for one that is not known, with the way out."""
    config = read_json(folder, "config.json", required=True)
    claimed = claimed_layout(folder, config)
    if not any(folder.glob("*.safetensors")) and claimed is None:
        raise UserError(_unknown(folder, config, None))
    head = heads_of(Tensors(folder).shapes)
    for layout in LAYOUTS.values():
        if layout.fits(head):
            return layout
    if claimed is not None:
        return claimed
    if not head and any(name.endswith("ForCausalLM") for name in _architectures(folder, config)):
        return LAYOUTS["principle"]
    raise UserError(_unknown(folder, config, head))


def heads_of(shapes: Shapes) -> Shapes:
    """The tensors that are no backbone's and of some use to a reward."""
    return {
        name: shape for name, shape in shapes.items() if not name.startswith(BACKBONES) and not name.endswith(HARMLESS)
    }


def claimed_layout(folder: Path, config: Mapping[str, Any]) -> Layout | None:
    """The layout that the class names of config.json speak of, None for none that is known."""
    for architecture in _architectures(folder, config):
        for layout in LAYOUTS.values():
            if architecture in layout.claimed_by:
                return layout
        if architecture.endswith("ForSequenceClassification"):
            return LAYOUTS["scalar"]
    return None


def may_spread(model: str) -> bool:
    """Whether a reward model may give a distribution, by its config.json where that is at hand. Nothing is fetched: a
    Hub name that the cache does not have may.
    """
    folder, name = Path(model).expanduser(), model.partition("@")[0]
    if not folder.is_dir():
        if name.count("/") != 1 or ":" in name or model.startswith((".", "~", "/")):
            return False
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(name, "config.json")
        if not isinstance(cached, str):
            return True
        folder = Path(cached).parent
    return "num_quantiles" in read_json(folder, "config.json")


def _architectures(folder: Path, config: Mapping[str, Any]) -> list[str]:
    architectures = config.get("architectures") or []
    if not isinstance(architectures, list) or not all(isinstance(one, str) for one in architectures):
        raise UserError(f"{folder}/config.json: architectures is {shown(architectures)}, expected a list of names.")
    return architectures


def _unknown(folder: Path, config: Mapping[str, Any], head: Shapes | None) -> str:
    found = ", ".join(f"{name} {list(shape)}" for name, shape in sorted((head or {}).items())[:8]) or "none"
    known = "; ".join(f"{layout.name}: {layout.head}" for layout in LAYOUTS.values())
    ways = []
    if "ranker_type" in config:
        ways.append("For PairRM give the Hugging Face layout, llm-blender/PairRM-hf.")
    if pickles := sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES):
        ways.append(
            f"{', '.join(pickles[:4])}: pickles can run code and are not read. Load them where you trust them, and "
            "save the tensors with safetensors."
        )
    if config.get("auto_map"):
        ways.append(
            "The checkpoint brings code of its own (auto_map), which is never run. Give a model of a known layout, or "
            "serve it elsewhere and give its scores as a reward column of existing data (docs/scoring.md)."
        )
    return (
        f"{folder}/config.json: architectures {shown(config.get('architectures') or [])}, no known reward model. "
        f"Tensors beside the backbone: {found}. Known are {known}.{''.join(' ' + way for way in ways)}"
    )
