// Charts of bars. They are tables with a drawn column, so that their numbers need no second form.

/** Make a chart of `rows` of {label, from, to (fractions), text, kind}; `note` stands below it. */
function barChart({ title, rows, note = "" }) {
  const lines = rows.map(({ label, from, to, text, kind }) => {
    const low = Math.max(0, Math.min(from, to));
    const style = { left: `${100 * low}%`, width: `${100 * Math.max(0, Math.min(1, Math.max(from, to)) - low)}%` };
    const bar = element("div", { class: `piece ${kind}`, style });
    return element("tr", {}, element("th", { scope: "row" }, label), element("td", { class: "track", "aria-hidden": "true" }, bar), element("td", { class: "value" }, text));
  });
  return element("figure", { class: "chart" }, element("table", { class: "bars" }, element("caption", {}, title), element("tbody", {}, lines)),
    note ? element("p", { class: "note" }, note) : null);
}

const GAIN_NAMES = { classes: "classes", tracking: "tracking", masks: "masks", all: "all three" };
const GAINS_NOTE = "Gains are found one by one, each with all other errors left in: they need not add up.";

/** Where AP is lost: what is reached, what each repair would gain from there, and what no repair gains. */
function waterfallChart(waterfall, title) {
  const gains = Object.entries(waterfall.gains).map(([name, gain]) => ({
    label: `+ true ${GAIN_NAMES[name] ?? name}`,
    from: waterfall.ap,
    to: waterfall.ap + gain,
    text: signed(percent(gain)),
    kind: gain < 0 ? "loss" : "gain",
  }));
  const reached = { label: "AP reached", from: 0, to: waterfall.ap, text: percent(waterfall.ap), kind: "reached" };
  const rest = { label: "missed and false", from: 1 - waterfall.remaining, to: 1, text: percent(waterfall.remaining), kind: "rest" };
  return barChart({ title, rows: [reached, ...gains, rest], note: GAINS_NOTE });
}

/** AP by occlusion, or any figures that share the unit per cent. */
function figureBars(title, figures) {
  const fraction = ({ value, unit }) => (isKnown(value) ? (unit === "%" ? value / 100 : value) : 0);
  const rows = figures.map((figure) => ({ label: figure.name, from: 0, to: fraction(figure), text: figureText(figure.value, figure.unit), kind: "reached" }));
  const notes = figures.map((figure) => figure.note).filter(Boolean);
  return barChart({ title, rows, note: [...new Set(notes)].join(" ") });
}

/** The confusion matrix: true classes down, predicted ones across; the shade is the share of the row. */
function confusionMatrix(confusion, title) {
  const across = [...confusion.names, "missed"];
  const down = [...confusion.names, "false"];
  const heads = across.map((name) => element("th", { scope: "col" }, element("span", {}, name)));
  const lines = down.map((name, row) => {
    const sum = confusion.counts[row].reduce((a, b) => a + b, 0);
    const cells = confusion.counts[row].map((count, column) => confusionCell(count, sum, row === column));
    return element("tr", {}, element("th", { scope: "row" }, name), cells);
  });
  const table = element("table", { class: "confusion" }, element("caption", {}, title),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "true \\ predicted"), heads)), element("tbody", {}, lines));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, table);
}

function confusionCell(count, sum, isRight) {
  const share = sum ? count / sum : 0;
  const kind = count === 0 ? "none" : isRight ? "right" : "wrong";
  return element("td", { class: kind, style: { "--share": `${Math.round(15 + 70 * share)}%` } }, count || "·");
}
