"use strict";
const places = [...document.querySelectorAll(".plot")];
const unpacked = async (id) => {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
};
const draw = async () => {
  const [script, figures] = await Promise.all([unpacked("plotly"), unpacked("figures")]);
  const element = document.createElement("script");
  element.textContent = script;
  document.head.append(element);
  // plotly knows the dates of English by itself.
  const months = [...Array(12).keys()].map((n) => `${n + 1}月`), days = [..."日一二三四五六"].map((day) => `周${day}`);
  const zh = {dictionary: {}, format: {
    days, shortDays: days, months, shortMonths: months, periods: ["上午", "下午"], dateTime: "%Y-%m-%d %X",
    date: "%Y-%m-%d", time: "%H:%M:%S", decimal: ".", thousands: ",", grouping: [3], currency: ["", ""],
    year: "%Y年", month: "%Y年%b", dayMonth: "%b%-d日", dayMonthYear: "%Y年%b%-d日",
  }};
  const config = {locales: {zh}, locale: {{ lang | tojson }}, responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"]};
  await Promise.all(JSON.parse(figures).map((figure, n) => Plotly.newPlot(places[n], {...figure, config})));
};
// A figure in what is folded has no width until it is opened.
const fit = (owner) => owner.querySelectorAll(".plot").forEach((place) => window.Plotly && Plotly.Plots.resize(place));
document.querySelectorAll("details").forEach((one) => one.addEventListener("toggle", () => one.open && fit(one)));
// On paper all is open, but for long tables, and figures are as wide as the paper, at once: the browser does not wait.
let closed = [];
const size = (width) => places.forEach((place) => window.Plotly && Plotly.relayout(place, width(place)));
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details.part:not([open])")];
  closed.forEach((one) => { one.open = true; });
  document.body.classList.add("paper");
  size((place) => ({width: place.clientWidth}));
});
addEventListener("afterprint", () => {
  closed.forEach((one) => { one.open = false; });
  document.body.classList.remove("paper");
  size(() => ({width: null, autosize: true}));
});
// A link to what is folded opens it.
const unfold = () => { const at = document.getElementById(location.hash.slice(1)); if (at && "open" in at) at.open = true; };
addEventListener("hashchange", unfold);
unfold();
draw().catch(() => places.forEach((place) => {
  place.classList.add("failed");
  place.textContent = {{ "The figure cannot be drawn: this browser is too old." | translated | tojson }};
}));
