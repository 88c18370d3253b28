// Charts of bars. They are tables with a drawn column, so that their numbers need no second form.

/**
 * Make a chart of `rows` of {label, bars}: a bar of {from, to (fractions of 1), text, kind} per model, null if unknown.
 * `note` stands below it.
 */
function barChart({ title, rows, note = "" }) {
  const count = Math.max(...rows.map(({ bars }) => bars.length));
  const letters = Array.from({ length: count }, (_, model) =>
    element("th", { scope: "col", class: "value" }, letterOf(model)),
  );
  const head = count > 1 ? element("thead", {}, element("tr", {}, element("td"), element("td"), letters)) : null;
  const lines = rows.map(({ label, bars }) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, label),
      element("td", { class: "track", "aria-hidden": "true" }, bars.map(pieceOf)),
      bars.map((bar) => element("td", { class: "value" }, bar?.text ?? UNKNOWN)),
    ),
  );
  return element(
    "figure",
    { class: "chart" },
    element("table", { class: "bars" }, element("caption", {}, title), head, element("tbody", {}, lines)),
    note ? element("p", { class: "note" }, note) : null,
  );
}

function pieceOf(bar) {
  if (!bar) return element("div", { class: "piece" });
  const [low, high] = [bar.from, bar.to].sort((a, b) => a - b).map((share) => Math.max(0, Math.min(1, share)));
  const style = { "margin-left": `${100 * low}%`, width: `${100 * (high - low)}%` };
  return element("div", { class: `piece ${bar.kind}`, style });
}

const GAIN_NAMES = { classes: "classes", tracking: "tracking", masks: "masks", all: "all three" };
const GAINS_NOTE = "Gains are found one by one, each with all other errors left in: they need not add up.";

/** Where AP is lost: what is reached, what each repair would gain from there, and what no repair gains. */
function waterfallChart(report) {
  const known = report.models.map(({ waterfall }) => waterfall);
  if (!known.some(Boolean)) return null;
  const row = (label, barOf) => ({ label, bars: known.map((waterfall) => waterfall && barOf(waterfall)) });
  const names = Object.keys(known.find(Boolean).gains);
  const rows = [
    row("AP reached", ({ ap }) => ({ from: 0, to: ap, text: percent(ap), kind: "reached" })),
    ...names.map((name) => row(`+ ${GAIN_NAMES[name] ?? name}`, ({ ap, gains }) => gainBar(ap, gains[name]))),
    row("missed and false", ({ remaining }) => ({
      from: 1 - remaining,
      to: 1,
      text: percent(remaining),
      kind: "rest",
    })),
  ];
  return barChart({ title: "Where AP is lost: the gain if these were true", rows, note: GAINS_NOTE });
}

function gainBar(ap, gain) {
  if (!isKnown(gain)) return null;
  return { from: ap, to: ap + gain, text: signed(percent(gain)), kind: gain < 0 ? "loss" : "gain" };
}

/** AP by occlusion. */
function occlusionChart(report) {
  const figures = report.models.map(({ occlusion }) => occlusion);
  const names = [...new Set(figures.flat().map(({ name }) => name))];
  if (!names.length) return null;
  const rows = names.map((name) => ({
    label: name,
    bars: figures.map((list) => figureBar(list.find((figure) => figure.name === name))),
  }));
  const notes = new Set(
    figures
      .flat()
      .map(({ note }) => note)
      .filter(Boolean),
  );
  return barChart({ title: "By occlusion, in per cent", rows, note: [...notes].join(" ") });
}

function figureBar(figure) {
  if (!isKnown(figure?.value)) return null;
  const share = figure.unit === "%" ? figure.value / 100 : figure.value;
  return { from: 0, to: share, text: percent(share), kind: "reached" };
}

const UPRIGHT_CLASSES = 10; // names of more columns are turned

/** The confusion matrix: true classes down, predicted ones across; the shade is the share of the row. */
function confusionMatrix(confusion, title) {
  const across = [...confusion.names, "missed"];
  const down = [...confusion.names, "false"];
  const heads = across.map((name) => element("th", { scope: "col", title: name }, element("span", {}, name)));
  const lines = down.map((name, row) => {
    const sum = confusion.counts[row].reduce((a, b) => a + b, 0);
    const cells = confusion.counts[row].map((count, column) => confusionCell(count, sum, row === column));
    return element("tr", {}, element("th", { scope: "row", title: name }, name), cells);
  });
  const table = element(
    "table",
    { class: across.length > UPRIGHT_CLASSES ? "confusion turned" : "confusion" },
    element("caption", {}, `${title}: true down, predicted across`),
    element("thead", {}, element("tr", {}, element("td"), heads)),
    element("tbody", {}, lines),
  );
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, table);
}

function confusionCell(count, sum, isRight) {
  const share = sum ? count / sum : 0;
  const kind = count === 0 ? "none" : isRight ? "right" : "wrong";
  return element("td", { class: kind, style: { "--share": `${Math.round(12 + 58 * share)}%` } }, count || "·");
}
