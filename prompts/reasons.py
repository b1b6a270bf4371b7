"""Every reason with which a row can leave, once: what it means, whose fault it is, and what a user can do about it.

A row's own fault is kept: it is data, counted and never asked for again. A machine's fault (memory, a server, the
engine) says nothing about the row, which is owed again: the next run computes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Fault = Literal["row", "machine"]

KEPT = "kept"  # the verdict of a rewrite that passed: no reason


@dataclass(frozen=True, slots=True)
class Reason:
    """What a reason means, and a way out where there is one."""

    meaning: str
    advice: str = ""
    fault: Fault = "row"


REASONS: dict[str, Reason] = {
    # Of a row of the source of prompts.
    "bad_row": Reason("no prompt can be read from the row", "mend the row, or name another prompts.column"),
    "empty": Reason("nothing to answer"),
    "duplicate": Reason("says the same as a prompt that is there already"),
    "not_drawn": Reason("not in this draw of prompts.limit"),
    # Of a rewrite (prompts.filters, in their order; then what the contexts of both models say).
    "cut_off": Reason("stopped by the length limit", "raise sampling.max_tokens"),
    "refusal": Reason("the rewriter declined"),
    "introduction": Reason("opens by talking to whoever asked for the rewrite"),
    "leaked_label": Reason("carries a label of the rewriting task"),
    "leaked_template": Reason("repeats the template's instructions"),
    "commentary": Reason("adds remarks on itself"),
    "refers_back": Reason("speaks of a prompt that its reader never sees"),
    "unchanged": Reason("its parent again"),
    "length_ratio": Reason("more than 5 times longer or shorter than its parent"),
    "not_a_request": Reason("asks for nothing: an answer, a fragment or talk in place of a prompt"),
    "lost_content": Reason("keeps too little of its parent's content", "lower evolve.min_content"),
    "parent_too_long": Reason(
        "with the template around it the prompt leaves no room for a rewrite", "raise policy.max_model_len"
    ),
    "too_long": Reason("leaves no room for a response, or is over the model's context", "raise policy.max_model_len"),
    "too_long_for_reward": Reason("leaves no room for a response under the reward model"),
    # Of who is asked: the template, the engine, the reward model.
    "template_refused": Reason("the chat template takes no such conversation, a system message perhaps"),
    "special_strings": Reason("holds strings of control tokens that this tokenizer can't keep as text"),
    "bad_unicode": Reason("holds half of a surrogate pair, which no tokenizer takes"),
    "engine_refused": Reason("the engine takes no such request"),
    "engine_failed": Reason(
        "the engine ended the request without an answer", "run the same command again", fault="machine"
    ),
    "request_refused": Reason("the judge's server takes no such request"),
    "all_refused": Reason(
        "the judge's server took no request at all, so that the fault may be its own",
        "check the judge's name and what its server takes, and run again",
        fault="machine",
    ),
    "header_not_found": Reason("the header that ArmoRM's gate is read at is not where it should be"),
    "no_comparison": Reason("no other response of the prompt to compare with"),
    "no_score": Reason("no grade in the judge's answer, or one out of range"),
    "no_verdict": Reason("no verdict in the judge's answer: neither A nor B nor tie"),
    "no_answer": Reason("the judge stopped before it answered", "give the judge more max_tokens"),
    "server_failed": Reason("the server failed before it answered", "run again when it answers", fault="machine"),
    "engine_error": Reason("the engine failed on it or gave it up", "run again", fault="machine"),
    "repetition": Reason("the engine stopped it because it repeats itself"),
    "not_finite": Reason("a score or log-probability that is no finite number"),
    "out_of_memory": Reason(
        "did not fit the memory even alone", "lower reward.batch_tokens, or free the device", fault="machine"
    ),
    # Of existing preference data, and of responses that a model is asked about afterwards.
    "template_differs": Reason("the chat template does not write the response after its own generation prompt"),
    "no_reward": Reason("the data has no reward for it", "give --reward MODEL"),
    "bad_pair": Reason("chosen or rejected is no response to the prompt that can be read"),
    "different_prompts": Reason("chosen and rejected answer different prompts"),
    # Of a line of a file to score.
    "not_an_object": Reason("no JSON object"),
    "not_utf8": Reason("bytes that are not UTF-8", "save the file as UTF-8"),
    "no_prompt": Reason("no prompt in the line"),
    "no_response": Reason("no response in the line"),
    "bad_prompt": Reason("the prompt is neither text nor messages"),
    "bad_response": Reason("the response is neither text nor one assistant message"),
    # Of a prompt without a pair (selection.pairs, selection.guard).
    "too_few_responses": Reason("fewer than two responses with content and a score"),
    "identical": Reason("all other responses have the text of the chosen one"),
    "tie": Reason("all other responses have the score of the chosen one"),
    "below_margin": Reason("no other response is selection.margin or more below the chosen one"),
    "near_identical": Reason("chosen and rejected say the same in all but a few words"),
    "refused": Reason("the chosen response declines"),
    "same_after_truncation": Reason("both responses have the same first selection.trainer_tokens tokens"),
    "length_difference": Reason("lengths differ by more than selection.max_token_difference tokens"),
    "length_ratio_of_pair": Reason("one response is more than selection.max_token_ratio times as long"),
    "contaminated": Reason(
        "its prompt, or the parent of its prompt, repeats a prompt of a benchmark in selection.decontaminate",
        "`evolve contamination` shows which",
    ),
    # Of a pair that is to be ranked, or was.
    "below_mean_reward": Reason("the responses of its prompt score less than selection.min_mean_reward on average"),
    "below_threshold": Reason("not among the k best, or below selection.threshold"),
    "not_in_mix": Reason("of D, left out of the training set by selection.base_share"),
    "not_sampled": Reason("not drawn by mode = 'sample'"),
    "parent_cap": Reason("selection.per_parent better pairs have the same parent"),
    "strategy_cap": Reason("selection.per_strategy better pairs have the same strategy"),
    # Of a pair that is exported.
    "identical_when_cut": Reason(
        "chosen and rejected are the same within the trainer's limits", "raise export's --max-length"
    ),
    "side_lost_when_cut": Reason(
        "the prompt fills the trainer's limits and leaves no token of a response", "lower export's --max-prompt-length"
    ),
}


OWED = sorted(name for name, reason in REASONS.items() if reason.fault == "machine")


def is_owed(reason: str) -> bool:
    """Whether a row that left with `reason` is computed again by the next run."""
    return reason in OWED
