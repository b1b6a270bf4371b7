"""`evolve push` where tokens, rights or the network are wrong: one sentence, and one commit or none on the Hub."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from evolve.datasets.folder import FILES
from evolve.exports.hub import remote
from evolve.exports.hub.push import Target, push
from fake_hub import FakeHub, be_the_hub, environment, fake_hub
from fake_hub_answers import OWNER, READ_ONLY, TOKEN
from fake_runs import Made
from prompts.errors import UserError

REPO = f"{OWNER}/pairs"
PATIENCE = 120  # seconds
Push = Callable[..., str]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """The Hub of this process, with a token in the environment that may write."""
    with fake_hub() as server:
        be_the_hub(server, monkeypatch, tmp_path / "login")
        yield server


@pytest.fixture
def go(hub: FakeHub, made: Made) -> Push:
    """Push `made`; what is told, of success or of failure, which never has the token in it."""

    def go(repo: str = REPO, **wishes: bool) -> str:
        try:
            said = push(made.folder, Target(repo, **wishes))
        except UserError as error:
            said = f"error: {error}"
        assert TOKEN not in said
        assert READ_ONLY not in said
        assert "\n" not in said or not said.startswith("error")
        return said

    return go


def commits(hub: FakeHub, repo: str = REPO) -> int:
    return len(hub.repositories[repo].commits) - 1 if repo in hub.repositories else 0


def test_without_a_token_nothing_is_asked(hub: FakeHub, go: Push, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert "set HF_TOKEN to it, or log in with `hf auth login`" in go()
    monkeypatch.setenv("HF_TOKEN", "hf_tökenwithoutanyend")
    assert "characters that no token has" in go()
    assert hub.requests == []


def test_the_login_of_the_hub_is_as_good(
    hub: FakeHub, go: Push, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "login").mkdir()
    (tmp_path / "login" / "token").write_text(TOKEN)
    assert go().startswith("Pushed")


def test_tokens_that_may_not_are_told_from_tokens_that_are_none(
    hub: FakeHub, go: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "The token may not write to another/pairs" in go("another/pairs")
    monkeypatch.setenv("HF_TOKEN", READ_ONLY)
    assert "The token may not write to someone/pairs" in go()
    hub.make(REPO)
    assert "The token may not write to someone/pairs" in go()
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 34)
    assert "The Hub does not take the token" in go()
    monkeypatch.setenv("HF_TOKEN", "not_of_a_known_kind")
    hub.fail("/api/datasets", 400)  # with words that quote the token
    said = go()
    assert "The Hub refused (status 400" in said
    assert "not_of_a_known_kind" not in said
    assert commits(hub) == 0
    assert hub.large == {}


def test_a_name_that_is_taken_by_what_can_not_be_seen_is_told(hub: FakeHub, go: Push) -> None:
    hub.make(REPO)
    hub.fail("GET /api/datasets", 404, times=9)
    assert "someone/pairs is there, and this token may not see it" in go()


@pytest.mark.parametrize("what", [503, 429, "drop"])
def test_what_passes_is_waited_for(hub: FakeHub, go: Push, what: int | str) -> None:
    for where in (f"GET /api/datasets/{REPO}", "POST /api/repos/create", f"POST /api/datasets/{REPO}/commit"):
        hub.fail(where, what)
    assert go().startswith("Pushed")
    assert commits(hub) == 1


@pytest.mark.parametrize(
    "where", ["GET /api/datasets", "POST /api/repos/create", "POST /api/datasets/someone/pairs/commit"]
)
@pytest.mark.parametrize("what", [500, "drop"])
def test_a_hub_that_stays_away_is_one_sentence_and_no_commit(
    hub: FakeHub, go: Push, where: str, what: int | str
) -> None:
    fault = hub.fail(where, what, times=1_000)
    said = go()
    assert said.startswith("error: ")
    assert "Run the same command again" in said
    assert commits(hub) == 0
    assert len(hub.sent(where)) == remote.ATTEMPTS
    fault.times = 0
    assert go().startswith("Pushed")
    assert commits(hub) == 1


def test_a_hub_that_is_not_there_is_one_sentence(hub: FakeHub, go: Push) -> None:
    hub.shutdown()
    hub.server_close()
    assert f"{hub.endpoint} can't be reached" in go()


def test_a_hub_that_never_answers_is_not_waited_for_for_ever(
    hub: FakeHub, go: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "TIMEOUT", 0.2)
    monkeypatch.setattr(remote, "ATTEMPTS", 2)
    hub.fail("GET /api/datasets", "stall", times=1_000)
    assert "can't be reached, or does not answer" in go()


def test_offline_is_said(hub: FakeHub, go: Push, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in go()


def test_an_answer_that_is_lost_makes_no_second_commit(hub: FakeHub, go: Push) -> None:
    hub.fail(f"POST /api/datasets/{REPO}/commit", "lost")
    said = go()
    assert said.startswith("Pushed")
    assert commits(hub) == 1
    assert hub.repositories[REPO].head().id in said


def test_what_another_has_pushed_meanwhile_is_not_pushed_over(hub: FakeHub, go: Push) -> None:
    repository = hub.make(REPO)
    before = repository.head()

    held = hub.fail(f"POST /api/datasets/{REPO}/commit", "stall")

    def another() -> None:
        held.reached.wait(PATIENCE)
        repository.add("main", before.files | {"theirs.csv": b"a"}, (), "theirs")
        held.go.set()

    Thread(target=another, daemon=True).start()
    said = go()
    assert "has changed while it was pushed to; nothing was added" in said
    assert set(repository.head().files) == {".gitattributes", "theirs.csv"}


@pytest.mark.parametrize(
    ("where", "what", "made_so_far"),
    [
        ("PUT /lfs/", "stall", 0),
        (f"POST /api/datasets/{REPO}/commit", "stall", 0),
        (f"POST /api/datasets/{REPO}/commit", "hold", 1),
    ],
)
def test_killed_half_way_it_is_one_commit_or_none(
    hub: FakeHub, go: Push, made: Made, tmp_path: Path, where: str, what: str, made_so_far: int
) -> None:
    held = hub.fail(where, what)
    command = [sys.executable, "-m", "evolve", "push", str(made.run), REPO]
    killed = subprocess.Popen(
        command, env=environment(hub, tmp_path), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert held.reached.wait(PATIENCE), killed.communicate()
    finally:
        killed.kill()
        killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert commits(hub) == made_so_far
    said = go()
    assert said.startswith("Nothing has changed" if made_so_far else "Pushed")
    held.go.set()  # what the killed one has sent is not added a second time
    assert held.over.wait(PATIENCE)
    assert commits(hub) == 1
    assert set(hub.repositories[REPO].head().files) == {*FILES, ".gitattributes"}
