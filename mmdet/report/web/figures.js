// Figures of the whole data set: headline, classes, and how the results were made.

/** The headline: a tile per figure, with both numbers and their difference where two models are compared. */
function headline(report) {
  const [first, second] = report.models;
  const tiles = first.headline.map((figure) => {
    const other = second?.headline.find(({ name }) => name === figure.name);
    return element(
      "div",
      { class: "tile" },
      element("dt", {}, figure.name),
      second ? comparedNumbers(figure, other) : numberOf(figure),
      figure.note ? element("dd", { class: "note" }, figure.note) : null,
    );
  });
  return tiles.length
    ? element(
        "dl",
        { class: "tiles", "aria-label": "Headline figures", style: { "--columns": String(tilesInRow(tiles.length)) } },
        tiles,
      )
    : null;
}

/** Tiles stand in one row or in rows of about the same length. */
function tilesInRow(count) {
  return Math.ceil(count / Math.ceil(count / 5));
}

function numberOf(figure, prefix = null) {
  const unit = figure.unit ? element("span", { class: "unit" }, ` ${figure.unit}`) : null;
  return element(
    "dd",
    { class: "number" },
    prefix,
    figureText(figure.value, figure.unit),
    isKnown(figure.value) ? unit : null,
  );
}

function comparedNumbers(figure, other) {
  const letter = (model) => element("span", { class: `letter model-${model}` }, letterOf(model), " ");
  const change = differenceText(figure.value, other?.value, figure.unit);
  return [
    numberOf(figure, letter(0)),
    numberOf(other ?? { value: null }, letter(1)),
    element("dd", { class: "note" }, `B − A: ${change}`),
  ];
}

/** AP by class with its neighbours and counts, for all models in one table. */
function classTable(report) {
  const [first, second] = report.models;
  if (!first.classes.length) return null;
  const inSecond = (row) => second?.classes.find(({ name }) => name === row.name);
  const name = { name: "class", text: true, value: (row) => row.name, show: (row) => [swatch(row.color), row.name] };
  const columns = second ? comparedColumns(inSecond) : singleColumns();
  const rows = first.classes;
  return sortableTable({
    id: "class-table",
    caption: "AP in %, counts of tracks at IoU 0.5",
    columns: [name, ...columns],
    rows,
    sortBy: 1,
    descending: true,
  });
}

function fractionColumn(name, read, title) {
  return {
    name,
    title,
    value: read,
    show: (row) => percent(read(row)),
    bar: name.startsWith("AP") && !/\d/.test(name) ? read : null,
  };
}

function singleColumns() {
  const counts = { objects: "objects", found: "found", "as other": "as_other", missed: "missed", false: "false" };
  return [
    fractionColumn("AP", (row) => row.ap),
    fractionColumn("AP50", (row) => row.ap50),
    fractionColumn("AP75", (row) => row.ap75),
    fractionColumn("AR", (row) => row.ar, "recall of up to 100 tracks per video"),
    ...Object.entries(counts).map(([title, key]) => ({ name: title, value: (row) => row[key] })),
  ];
}

function comparedColumns(inSecond) {
  const change = (row) => (isKnown(row.ap) && isKnown(inSecond(row)?.ap) ? inSecond(row).ap - row.ap : null);
  return [
    fractionColumn("AP A", (row) => row.ap),
    fractionColumn("AP B", (row) => inSecond(row)?.ap),
    { name: "B − A", value: change, show: (row) => (change(row) === null ? UNKNOWN : signed(percent(change(row)))) },
    { name: "objects", value: (row) => row.objects },
    { name: "found A", value: (row) => row.found },
    { name: "found B", value: (row) => inSecond(row)?.found },
    { name: "false A", value: (row) => row.false },
    { name: "false B", value: (row) => inSecond(row)?.false },
  ];
}

function swatch(color) {
  return element("span", { class: "swatch", style: { background: color }, "aria-hidden": "true" });
}

/** Per model what `make` returns for it, side by side; the title names the model where there are two. */
function perModel(report, title, make) {
  return report.models
    .map((model, index) => make(model, report.models.length > 1 ? `${title} · ${letterOf(index)}` : title))
    .filter(Boolean);
}

function confusions(report) {
  return perModel(
    report,
    "Confusion between classes",
    (model, title) => model.confusion && confusionMatrix(model.confusion, title),
  );
}

/** Config, weights, versions and commands, each with a button that copies it. */
function howMade(report) {
  return report.models.map((model, index) => {
    const facts = model.about.map(([label, text]) =>
      element(
        "div",
        {},
        element("dt", {}, label),
        element("dd", {}, element("span", {}, text), copyButton(text, label)),
      ),
    );
    const commands = model.commands.map((command) =>
      element(
        "div",
        { class: "command" },
        element("pre", { tabindex: "0" }, element("code", {}, command)),
        copyButton(command, "the command"),
      ),
    );
    const note = model.threshold_note ? ` (${model.threshold_note})` : "";
    const threshold = `Tracks with a score of at least ${thresholdText(model.threshold)} are shown${note}.`;
    return element(
      "div",
      { class: "card" },
      element("h3", {}, report.models.length > 1 ? `${letterOf(index)} · ` : "", model.name),
      element("p", {}, threshold),
      element("dl", { class: "facts" }, facts),
      commands,
    );
  });
}
