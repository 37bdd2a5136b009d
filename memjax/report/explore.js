// The charts that answer. Both read the rows once; the controls are the page's own, so that they work by keyboard.
const shown = JSON.parse(document.getElementById("explorer-data").textContent);
const [encoder, metric, relative] = ["encoder", "metric", "relative"].map((id) => document.getElementById(id));
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const look = () => ({
  background: null,
  font: "system-ui, sans-serif",
  view: { stroke: null },
  axis: {
    labelColor: colour("--ink"), titleColor: colour("--ink"), titleFontWeight: "normal", labelFontSize: 12, titleFontSize: 12,
    gridColor: colour("--line"), domainColor: colour("--muted"), tickColor: colour("--muted"),
  },
  axisY: { labelLimit: Math.min(340, 0.42 * document.getElementById("map").clientWidth) },
  // Beside long names a phone leaves the map little room.
  legend: { gradientLength: Math.min(220, 0.36 * document.getElementById("map").clientWidth), labelColor: colour("--ink"),
    titleColor: colour("--ink"), labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
});
const options = () => ({
  actions: false, ast: true, defaultStyle: false, renderer: "svg", config: look(),
  tooltip: { disableDefaultStyle: true, theme: "page" },
});
const chosen = () => ({ encoder: encoder.value, metric: metric.value, relative: relative.checked });
const spec = (name) => ({
  ...shown[name],
  data: { values: shown.rows },
  params: shown[name].params.map((one) => ({ ...one, value: chosen()[one.name] })),
});
const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
encoder.append(...shown.encoders.map((name) => option(name, name)));
metric.append(...shown.metrics.map(({ name, title }) => option(name, title)));
encoder.value = shown.chosen.encoder;
metric.value = shown.chosen.metric;

let views = [];
const tell = () => {
  if (!views.length) return; // they are being drawn, and told then
  const [map, lines] = views;
  map.signal("encoder", encoder.value).signal("metric", metric.value).runAsync();
  lines.signal("metric", metric.value).signal("relative", relative.checked).runAsync();
  const { title, whole } = shown.metrics[metric.selectedIndex];
  const depth = relative.checked ? "relative depth (0: embeddings; 1: last block)" : "layer (0: embeddings; i: after block i)";
  document.getElementById("chosen").textContent = whole ? `${title}: one value an image` : `${title}, by ${depth}`;
};
const draw = async () => {
  views.forEach((view) => view.finalize());
  views = [];
  const made = await Promise.all(["map", "lines"].map((name) => vegaEmbed(`#${name}`, spec(name), options())));
  views = made.map((result) => result.view);
  views[0].addEventListener("click", (event, item) => {
    if (!item?.datum?.metric) return;
    metric.value = item.datum.metric;
    tell();
  });
  tell();
};
for (const control of [encoder, metric, relative]) control.addEventListener("change", tell);
document.querySelector("form.choices").addEventListener("submit", (event) => event.preventDefault());
addEventListener("themed", draw);
document.getElementById("explorer").hidden = false;
document.documentElement.classList.add("answers");
await draw();
