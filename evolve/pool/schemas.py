"""The columns of the pool's tables."""

from __future__ import annotations

import pyarrow as pa

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMAS = {
    # X (parent_id empty) and every rewrite ever made, with its verdict: "kept" or the reason it was rejected.
    "prompts": pa.schema(
        [
            ("key", pa.string()),  # what was asked for: content_id of parent, strategy, template, sampler and index
            ("id", pa.string()),  # the prompt itself: content_id of its messages
            ("messages", MESSAGES),
            ("conversation_key", pa.string()),  # prompts.conversation_key: equal for duplicates. None in older pools
            ("parent_id", pa.string()),
            ("strategy", pa.string()),
            ("verdict", pa.string()),
            ("content_kept", pa.float64()),  # of an in-depth rewrite: the share of its parent's content, in [0, 1]
            ("reward_limit", pa.int64()),  # the reward model's context, when that is what it was too long for
            ("sampler_id", pa.string()),
            ("finish_reason", pa.string()),
            ("n_tokens", pa.int32()),
            ("logp", pa.float64()),
        ]
    ),
    "responses": pa.schema(
        [
            ("id", pa.string()),
            ("prompt_id", pa.string()),
            ("sampler_id", pa.string()),
            ("sample_index", pa.int32()),  # -1: the prompt was not sampled, and `error` says why
            ("text", pa.string()),  # of a reasoning policy the answer alone
            ("thoughts", pa.string()),  # what it sampled before, tags included; null for a policy that does not think
            ("text_key", pa.int64()),  # equal for equal texts, and as good as never for others
            ("blank", pa.bool_()),  # no content but white space
            ("n_tokens", pa.int32()),  # with the end-of-turn token when it was sampled
            ("logp", pa.float64()),  # sum of log pi(y|x), nats, temperature 1, full vocabulary
            ("thought_tokens", pa.int32()),  # of n_tokens those of the thoughts
            ("thought_logp", pa.float64()),  # and of logp
            ("finish_reason", pa.string()),
            ("seed", pa.int64()),
            ("token_ids", pa.list_(pa.int32())),
            ("note", pa.string()),  # of given responses: how text and tokens disagree (generation.response_tokens)
            ("error", pa.string()),
        ]
    ),
    # What a reference model says of responses, whoever wrote them, by teacher forcing.
    "logprobs": pa.schema(
        [
            ("response_id", pa.string()),
            ("logp", pa.float64()),  # sum of log p(y|x), nats, temperature 1, full vocabulary
            ("n_tokens", pa.int32()),  # of its own tokenizer, with the end-of-turn token where the turn was closed
            ("thought_logp", pa.float64()),  # of logp the share of the thoughts
            ("note", pa.string()),  # how text and tokens disagree; generation.response_tokens
            ("error", pa.string()),
        ]
    ),
    "rewards": pa.schema(
        [
            ("response_id", pa.string()),
            ("score", pa.float64()),
            ("objectives", pa.list_(pa.float32())),
            ("weights", pa.list_(pa.float32())),
            ("quantiles", pa.list_(pa.float32())),  # of the score, ascending; of models that give a distribution
            ("spread", pa.float64()),  # their standard deviation
            ("error", pa.string()),
        ]
    ),
    # What a judge says of two responses to a prompt, in the order in which it read them.
    "judgements": pa.schema(
        [
            ("first_id", pa.string()),
            ("second_id", pa.string()),
            ("verdict", pa.string()),  # first, second or tie; null where there is an error instead
            ("error", pa.string()),
        ]
    ),
}
