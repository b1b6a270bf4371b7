"use strict";
// Puts the page together, and turns it light or dark.

const data = JSON.parse(document.getElementById("data").textContent);
const browser = new Browser(data.stories, data.objectives);
const margins = new Margins(data, (id) => browser.open(id));
const theme = document.getElementById("theme");
let histograms = [];

function paint(dark) {
  document.documentElement.classList.toggle("dark", dark);
  theme.setAttribute("aria-pressed", String(dark));
  margins.draw();
  for (const chart of histograms) chart.destroy();
  histograms = drawHistograms(data.distributions);
}

const system = window.matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", (event) => paint(event.matches));
theme.addEventListener("click", () => paint(!document.documentElement.classList.contains("dark")));
paint(system.matches);
