"""A server on this machine that speaks OpenAI's completions, faults included. Its model is a table: each of 24 tokens has
one probability, whatever came before, so that every log-probability is known.

`fault(body, number)` is asked before each answer: None for a good one, or what is to be sent in its stead.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

from generation.conversation import ChatTokenizer
from generation.turns import closing_token

NAME = "table"
CONTEXT = 512


@dataclass
class Fault:
    """What is sent: a status with a body and headers; `drop`: nothing; `half`: the head and half of the good answer;
    `seconds` to wait before all else; `change`: what becomes of the good answer.
    """

    status: int = 0
    body: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    half: bool = False
    seconds: float = 0.0
    change: Callable[[dict[str, Any]], Any] | None = None


Faults = Callable[[dict[str, Any], int], Fault | None]


@dataclass
class Table:
    """The model. `ways` are what the server does otherwise than vLLM: processed, no_logprobs, no_echo, no_ids,
    same_seed (all n choices are alike), text_only (takes no token ids), random (minds no seed).
    """

    tokenizer: ChatTokenizer
    ways: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        end = closing_token(self.tokenizer)
        assert end is not None
        words = [i for i in range(300, 2000) if self.tokenizer.tokenizer.decode([i]).strip().isalpha()][:23]
        weights = [1.0 + 0.25 * i for i in range(len(words))] + [4.0]
        self.end, self.tokens = end, [*words, end]
        self.raw = {t: math.log(w / sum(weights)) for t, w in zip(self.tokens, weights, strict=True)}
        self.asked = 0

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        prompt = body["prompt"]
        ids = self.tokenizer.text_ids(prompt, special=True) if isinstance(prompt, str) else prompt
        choices = [self._choice(body, ids, i) for i in range(body.get("n", 1))]
        return {"object": "text_completion", "model": NAME, "choices": choices, "usage": {"prompt_tokens": len(ids)}}

    def _choice(self, body: dict[str, Any], ids: list[int], i: int) -> dict[str, Any]:
        self.asked += 1
        seed = self.asked if "random" in self.ways else body["seed"] + (0 if "same_seed" in self.ways else i)
        rng = Random(f"{ids} {seed}") if "seed" in body else Random(0)
        sampled: list[int] = []
        while len(sampled) < body["max_tokens"] and (not sampled or sampled[-1] != self.end):
            sampled += rng.choices(self.tokens, [math.exp(self.raw[token]) for token in self.tokens])
        stopped = sampled[-1] == self.end
        logps = self._logps(body)
        echoed = ids if body.get("echo") else []
        told = [None if "no_echo" in self.ways else self.raw.get(t, -9.0) for t in echoed]
        text = self.tokenizer.tokenizer.decode(sampled[:-1] if stopped else sampled)
        choice: dict[str, Any] = {"index": i, "text": text, "finish_reason": "stop" if stopped else "length"}
        if "no_ids" not in self.ways and body.get("return_token_ids"):
            choice["token_ids"] = sampled
        if "no_logprobs" not in self.ways:
            top = {str(token): logps[token] for token in sorted(logps, key=logps.__getitem__)[-body["logprobs"] :]}
            choice["logprobs"] = {
                "token_logprobs": told + [logps[token] for token in sampled],
                "top_logprobs": [top for _ in told + sampled],
            }
        return choice

    def _logps(self, body: dict[str, Any]) -> dict[int, float]:
        if "processed" not in self.ways:
            return self.raw
        cold = {token: logp / max(body["temperature"], 1e-3) for token, logp in self.raw.items()}
        norm = math.log(sum(map(math.exp, cold.values())))
        return {token: logp - norm for token, logp in cold.items()}


class CompletionsServer:
    """Serves a table on the loopback; `bodies` are what was asked, `keys` with which keys."""

    def __init__(self, table: Table, fault: Faults = lambda body, number: None, name: str = NAME) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        lock, outer = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                models = {"data": [{"id": name, "max_model_len": CONTEXT}]}
                self._send(200, json.dumps(models if self.path.endswith("/models") else {"version": "1"}), {})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.bodies.append(body)
                    outer.keys.add(self.headers.get("Authorization", ""))
                    number = len(outer.bodies)
                self._answer(body, fault(body, number) or Fault())

            def _answer(self, body: dict[str, Any], wrong: Fault) -> None:
                time.sleep(wrong.seconds)
                if wrong.drop:
                    self.close_connection = True
                    self.connection.close()
                    return
                if "text_only" in table.ways and not isinstance(body["prompt"], str):
                    wrong = Fault(400, '{"error": {"message": "prompt must be a string"}}')
                good: Any = table.answer(body) if not wrong.status else {}
                text = wrong.body if wrong.status else json.dumps(wrong.change(good) if wrong.change else good)
                self._send(wrong.status or 200, text, wrong.headers, half=wrong.half)

            def _send(self, status: int, text: str, headers: dict[str, str], half: bool = False) -> None:
                data = text.encode()
                self.send_response(status)
                for name, value in (
                    {"Content-Type": "application/json", "Content-Length": str(len(data))} | headers
                ).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data[: len(data) // 2] if half else data)
                if half:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Silence."""

        class Server(ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 128

            def handle_error(self, *_: object) -> None:
                """Silence: clients that hang up are meant."""

        self.http = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
