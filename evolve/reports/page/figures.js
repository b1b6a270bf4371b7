"use strict";
// The charts. Colours come from the page's style, so that light and dark are defined in one place.

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const figure = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(4)).toString());

const axis = (text) => ({
  title: { display: true, text, color: colour("soft") },
  ticks: { color: colour("soft") },
  grid: { color: colour("line") },
});

class Margins {
  /** Explicit against implicit margins of the ranked pairs; `open` is told the prompt of a point that is clicked. */
  constructor(data, open) {
    this.data = data;
    this.open = open;
    this.metrics = [...new Set(data.selections.map((one) => one.metric))];
    this.alphas = data.selections.filter((one) => one.metric === "map").map((one) => one.alpha);
    this.select = document.getElementById("metric");
    this.slider = document.getElementById("alpha");
    for (const metric of this.metrics) this.select.append(new Option(metric, metric, false, metric === data.metric));
    this.slider.max = Math.max(0, this.alphas.length - 1);
    this.slider.value = Math.max(0, this.alphas.indexOf(data.alpha));
    this.select.addEventListener("change", () => this.update());
    this.slider.addEventListener("input", () => this.update());
  }

  draw() {
    if (this.chart) this.chart.destroy();
    const dots = (label, name, radius) => ({ label, data: [], backgroundColor: colour(name), pointRadius: radius, pointHoverRadius: 6 });
    this.chart = new Chart(document.getElementById("scatter"), {
      type: "scatter",
      data: { datasets: [dots("selected", "accent", 3), dots("not selected", "other", 2)] },
      options: {
        animation: false,
        maintainAspectRatio: false,
        scales: { x: axis("implicit margin M_pi, nats a token"), y: axis("explicit margin M_r") },
        plugins: {
          legend: { labels: { color: colour("text") } },
          tooltip: { callbacks: { label: (item) => this.told(item.raw.at) } },
        },
        onClick: (event, found) => {
          if (found.length) this.open(this.data.points.columns.prompt[this.at(found[0])]);
        },
      },
    });
    this.update();
  }

  at(element) {
    return this.chart.data.datasets[element.datasetIndex].data[element.index].at;
  }

  told(at) {
    const of = this.data.points.columns;
    const [prompt, chosen, rejected] = of.texts[at];
    const line = (name, side, text) =>
      `${name} (${figure(of[`score_${side}`][at])}, ${of[`tokens_${side}`][at]} tokens): ${text.slice(0, 90)}`;
    return [
      `${this.data.points.strategies[of.strategy[at]]}: ${prompt.slice(0, 90)}`,
      line("chosen", "chosen", chosen),
      line("rejected", "rejected", rejected),
      `M_r ${figure(of.explicit[at])}, M_pi ${figure(of.implicit[at])}`,
    ];
  }

  current() {
    const metric = this.select.value;
    const alpha = metric === "map" ? this.alphas[this.slider.value] : null;
    return this.data.selections.find((one) => one.metric === metric && one.alpha === alpha);
  }

  update() {
    const of = this.data.points.columns;
    const now = this.current();
    document.getElementById("alpha-label").hidden = this.select.value !== "map";
    if (!now) return;
    document.getElementById("alpha-value").textContent = now.alpha === null ? "" : now.alpha;
    const is = (at) => now.chosen[at] === "1";
    const points = of.explicit.map((y, at) => ({ x: of.implicit[at], y, at }));
    this.chart.data.datasets[0].data = points.filter((point) => is(point.at));
    this.chart.data.datasets[1].data = points.filter((point) => !is(point.at));
    this.chart.update("none");
    document.getElementById("shared").textContent =
      `${now.selected} pairs; ${now.shared} of them are in the dataset's own selection`;
    const rows = this.chart.data.datasets[0].data.slice(0, 200).map(({ at }) => this.row(at));
    document.querySelector("#selected-table tbody").replaceChildren(...rows);
  }

  row(at) {
    const of = this.data.points.columns;
    const row = document.createElement("tr");
    const link = document.createElement("button");
    link.className = "link";
    link.textContent = of.texts[at][0];
    link.addEventListener("click", () => this.open(of.prompt[at]));
    row.insertCell().append(link);
    for (const value of [of.explicit[at], of.implicit[at]]) {
      const cell = row.insertCell();
      cell.className = "n";
      cell.textContent = figure(value);
    }
    return row;
  }
}

function drawHistograms(distributions) {
  const names = ["accent", "chosen", "rejected"];
  const paint = { "all responses": "other", ranked: "other", selected: "accent", chosen: "chosen", rejected: "rejected" };
  const charts = Object.entries(distributions).map(([title, { edges, counts }]) => {
    const box = document.createElement("div");
    const heading = document.createElement("h3");
    heading.textContent = title;
    const frame = document.createElement("div");
    frame.className = "chart";
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Histogram: ${title} of ${Object.keys(counts).join(", ")}`);
    frame.append(canvas);
    box.append(heading, frame);
    return { box, canvas, edges, counts };
  });
  document.getElementById("histograms").replaceChildren(...charts.map(({ box }) => box));
  return charts.map(({ canvas, edges, counts }) => {
    const middles = edges.slice(1).map((edge, i) => figure((edge + edges[i]) / 2));
    const datasets = Object.entries(counts).map(([label, data], i) => ({
      label,
      data,
      backgroundColor: `${colour(paint[label] || names[i])}99`,
      barPercentage: 1,
      categoryPercentage: 1,
      grouped: false,
    }));
    return new Chart(canvas, {
      type: "bar",
      data: { labels: middles, datasets },
      options: {
        animation: false,
        maintainAspectRatio: false,
        scales: { x: { ticks: { color: colour("soft"), maxTicksLimit: 7 }, grid: { display: false } }, y: axis("") },
        plugins: { legend: { labels: { color: colour("text") } } },
      },
    });
  });
}
