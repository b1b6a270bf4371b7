"use strict";
// The prompts with all their responses. Texts of models go into text nodes only.

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

class Browser {
  constructor(stories, objectives) {
    this.stories = stories;
    this.objectives = objectives;
    this.place = new Map(stories.map((story, i) => [story.id, i]));
    this.list = document.getElementById("list");
    this.panel = document.getElementById("story");
    this.search = document.getElementById("search");
    this.strategy = document.getElementById("of-strategy");
    this.state = document.getElementById("of-state");
    for (const name of new Set(stories.map((story) => story.strategy || "initial"))) {
      this.strategy.append(new Option(name.replaceAll("_", " "), name));
    }
    this.search.addEventListener("input", () => this.filter());
    for (const choice of [this.strategy, this.state]) choice.addEventListener("change", () => this.filter());
    this.list.addEventListener("keydown", (event) => this.move(event));
    this.filter();
  }

  filter() {
    const wanted = this.search.value.trim().toLowerCase();
    this.shown = this.stories.filter(
      (story) => this.isOf(story) && (!wanted || this.haystack(story).includes(wanted)),
    );
    document.getElementById("found").textContent = `${this.shown.length} prompts`;
    this.list.replaceChildren(...this.shown.slice(0, 500).map((story) => this.item(story)));
    this.show(this.shown[0]);
  }

  isOf(story) {
    const states = { selected: story.pair && story.pair.selected, paired: story.pair, none: !story.pair, "": true };
    const strategy = this.strategy.value;
    return states[this.state.value] && (!strategy || (story.strategy || "initial") === strategy);
  }

  haystack(story) {
    const texts = [...story.messages.map((one) => one.content), ...story.responses.map((one) => one.text), story.id];
    return texts.join("\n").toLowerCase();
  }

  item(story) {
    const item = make("li", "", story.messages[story.messages.length - 1].content.slice(0, 120));
    item.setAttribute("role", "option");
    item.id = `prompt-${story.id}`;
    item.append(make("small", "", `${(story.strategy || "initial").replaceAll("_", " ")}, ${this.standing(story)}`));
    item.addEventListener("click", () => this.show(story));
    return item;
  }

  standing(story) {
    if (!story.pair) return `no pair: ${story.reason.replaceAll("_", " ") || "not sampled"}`;
    if (story.pair.rank === null) return "a pair, not ranked";
    return `rank ${story.pair.rank + 1}${story.pair.selected ? ", selected" : ""}`;
  }

  move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !this.shown.length) return;
    event.preventDefault();
    const at = Math.min(Math.max(this.shown.indexOf(this.now) + step, 0), Math.min(this.shown.length, 500) - 1);
    this.show(this.shown[at]);
  }

  /** Show the prompt of an id, from elsewhere on the page. */
  open(id) {
    const at = this.place.get(id);
    if (at === undefined) {
      this.panel.replaceChildren(make("p", "", `This prompt is not among those of this page. evolve explain RUN ${id} shows it.`));
    } else {
      if (!this.shown.includes(this.stories[at])) {
        this.search.value = this.strategy.value = this.state.value = "";
        this.filter();
      }
      this.show(this.stories[at]);
    }
    document.getElementById("browser").scrollIntoView();
  }

  show(story) {
    this.now = story;
    for (const item of this.list.children) item.setAttribute("aria-selected", String(story && item.id === `prompt-${story.id}`));
    if (!story) {
      this.panel.replaceChildren(make("p", "", "No prompt fits."));
      return;
    }
    this.list.setAttribute("aria-activedescendant", `prompt-${story.id}`);
    const item = document.getElementById(`prompt-${story.id}`);
    if (item) this.reveal(item);
    this.panel.replaceChildren(...this.lineage(story), ...this.prompt(story), this.verdict(story), this.responses(story));
  }

  /** Scroll the list, and never the page. */
  reveal(item) {
    const above = item.offsetTop - this.list.scrollTop;
    if (above < 0) this.list.scrollTop = item.offsetTop;
    else if (above + item.offsetHeight > this.list.clientHeight) {
      this.list.scrollTop = item.offsetTop + item.offsetHeight - this.list.clientHeight;
    }
  }

  lineage(story) {
    const parts = [];
    if (story.parent) {
      const line = make("p", "", `Rewrite by ${story.strategy.replaceAll("_", " ")} of: `);
      line.append(this.link(story.parent, this.place.has(story.parent) ? this.said(story.parent) : story.parent));
      parts.push(line);
    }
    if (story.rewrites.length) {
      const box = make("details");
      box.append(make("summary", "", `${story.rewrites.length} rewrites of it`));
      for (const one of story.rewrites) {
        const line = make("p", "message", `${one.strategy.replaceAll("_", " ")}, ${one.verdict.replaceAll("_", " ")}: `);
        line.append(one.verdict === "kept" ? this.link(one.id, one.text) : one.text);
        box.append(line);
      }
      parts.push(box);
    }
    return parts;
  }

  said(id) {
    const { messages } = this.stories[this.place.get(id)];
    return messages[messages.length - 1].content;
  }

  link(id, text) {
    const button = make("button", "link", text);
    button.addEventListener("click", () => this.open(id));
    return button;
  }

  prompt(story) {
    return [
      make("h3", "", "Prompt"),
      ...story.messages.map((one) => {
        const box = make("div", "message");
        box.append(make("small", "", one.role), make("p", "text", one.content));
        return box;
      }),
    ];
  }

  verdict(story) {
    if (!story.pair) return make("p", "", `No pair: ${story.reason.replaceAll("_", " ") || "it was not sampled"}.`);
    const { explicit, implicit, rank, metric_score: score, selected } = story.pair;
    const standing = rank === null ? "It was not ranked." : `By the metric ${figure(score)}, rank ${rank + 1}: ${selected ? "selected" : "not selected"}.`;
    return make("p", "", `The pair: M_r ${figure(explicit)}, M_pi ${figure(implicit)}. ${standing}`);
  }

  responses(story) {
    const box = make("div", "responses");
    box.append(...story.responses.map((one, i) => this.response(story, one, i)));
    return box;
  }

  response(story, one, i) {
    const role = story.pair && { [story.pair.chosen]: "chosen", [story.pair.rejected]: "rejected" }[i];
    const box = make("div", `response ${role || ""}`);
    box.append(make("h4", "", `${role || `response ${i + 1}`}${one.score === null ? "" : `, reward ${figure(one.score)}`}`));
    const each = one.n_tokens ? one.logp / one.n_tokens : null;
    const facts = [`${one.n_tokens} tokens`, `log pi ${figure(one.logp)}`, `${figure(each)} a token`, one.finish_reason, one.error];
    for (const [model, score] of Object.entries(one.scores || {})) facts.push(`${model}: ${figure(score)}`);
    box.append(make("p", "facts", facts.filter(Boolean).join(", ")));
    if (one.thoughts) box.append(this.folded("Thoughts", make("p", "text", one.thoughts)));
    box.append(make("p", "text", one.text));
    if (one.objectives.length) {
      const lines = one.objectives.map((value, j) => `${this.objectives[j] || j}: ${figure(value)}`);
      box.append(this.folded("Objectives", make("p", "text facts", lines.join("\n"))));
    }
    return box;
  }

  folded(title, content) {
    const box = make("details");
    box.append(make("summary", "", title), content);
    return box;
  }
}
