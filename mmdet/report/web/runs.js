// Builds the page of several training runs: figures, settings that differ, curves, and how each was made.

const compared_runs = JSON.parse(document.getElementById("overview").textContent);

function buildRuns() {
  const { title, runs, notes, made } = compared_runs;
  const listed = notes.map((note) => element("li", {}, note));
  const parts = [
    element(
      "section",
      { id: "overview-part", "aria-labelledby": "page-title" },
      element("h1", { id: "page-title" }, title),
      listed.length ? element("ul", { class: "notes", "aria-label": "Notes" }, listed) : null,
      figureTable(),
    ),
    part("curves", "Curves", element("div", { class: "charts" }, runCharts())),
    part("settings", "Settings that differ", runs.length > 1 ? settingsTable() : null),
    part("made", "How they were made", element("div", { class: "cards" }, runs.map(runCard))),
  ].filter(Boolean);
  document.getElementById("main").replaceChildren(...parts);
  document.getElementById("foot").append(made);
  document.getElementById("parts").append(...parts.map(runsPartLink));
  startTheme(document.getElementById("theme"));
}

function figureTable() {
  const { runs, figures, few, differences } = compared_runs;
  const settings = differences.filter(({ key }) => few.includes(key));
  const columns = [
    { name: "run", text: true, value: (run) => run.name, show: (run) => (run.best ? `${run.name} ★` : run.name) },
    ...settings.map(({ key, values }) => ({ name: key, value: (run) => asNumber(values[runs.indexOf(run)]) })),
    ...figures.map((name) => ({ name, value: (run) => run.figures[name], show: (run) => run.texts[name] })),
  ];
  return sortableTable({
    id: "figures",
    caption: "Best validation (per cent), the end of training, speed and memory",
    columns,
    rows: runs,
    sortBy: null,
  });
}

function asNumber(text) {
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function settingsTable() {
  const { runs, differences } = compared_runs;
  if (!differences.length) return element("p", {}, "Their configs do not differ.");
  const columns = [
    { name: "key", text: true, value: (row) => row.key },
    ...runs.map((run, index) => ({ name: run.name, text: true, value: (row) => row.values[index] })),
  ];
  return sortableTable({ id: "differences", caption: "Values of the config", columns, rows: differences });
}

/**
 * A chart per figure, with a line per run: validations first, then losses, then what else was logged. What has been
 * measured once stands in the table alone.
 */
function runCharts() {
  const charts = new Map();
  compared_runs.runs.forEach((run, index) =>
    run.curves.forEach((curve) => {
      if (!charts.has(curve.group)) charts.set(curve.group, { first: curve, series: [] });
      charts.get(curve.group).series.push({ name: run.name, x: curve.x, y: curve.y, color: index });
    }),
  );
  const rank = (name) => (/^(AP|AR|F1)/.test(name) ? 0 : name.startsWith("loss") ? 1 : 2);
  return [...charts]
    .filter(([, { series }]) => series.some(({ y }) => y.filter(isKnown).length > 1))
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([title, { first, series }]) =>
      lineChart({ title: title.replaceAll("_", " "), xLabel: first.x_label, yLabel: first.y_label, series }),
    );
}

function runCard(run) {
  const facts = run.about.map(([label, text]) =>
    element("div", {}, element("dt", {}, label), element("dd", {}, element("span", {}, text), copyButton(text, label))),
  );
  return element("div", { class: "card" }, element("h3", {}, run.name), element("dl", { class: "facts" }, facts));
}

function runsPartLink(section) {
  const heading = section.querySelector("h2");
  return element("li", {}, element("a", { href: `#${section.id}` }, heading ? heading.textContent : "Figures"));
}

buildRuns();
