// Line charts. Every chart says in words what it shows and has its numbers as a table.

const CHART = { width: 480, height: 250, left: 46, right: 12, top: 22, bottom: 38 };
const DASHES = ["", "7 4", "2 3", "9 3 2 3", "12 4", "4 2"];
const DRAWN_POINTS = 600; // of a line: more cannot be told apart
const DOTTED_POINTS = 12; // a line of so few points shows each of them
const LISTED_POINTS = 60; // of a line in the table

/**
 * Make a chart of `series` of {name, x, y, color (a number; else its place)}. `xRange`, `yRange` are [from, to] or
 * found; `marks` are vertical lines {x, label, dash, lift}.
 */
function lineChart({ title, xLabel, yLabel = "", series, xRange, yRange, marks = [] }) {
  const frame = {
    x: xRange ?? rangeOf(series.flatMap((line) => line.x)),
    y: yRange ?? roomy(rangeOf(series.flatMap((line) => line.y))),
  };
  const readout = element("p", { class: "readout", "aria-hidden": "true" }, " ");
  const pointer = drawn("line", {
    class: "pointer",
    y1: CHART.top,
    y2: CHART.height - CHART.bottom,
    visibility: "hidden",
  });
  const plot = drawn(
    "svg",
    {
      class: "plot",
      viewBox: `0 0 ${CHART.width} ${CHART.height}`,
      role: "img",
      "aria-label": inWords(title, series, xLabel, marks),
    },
    axes(frame, xLabel, yLabel),
    marks.map((mark) => markLine(frame, mark)),
    series
      .map((line, index) => [
        drawn("path", { ...lineStyle(line, index), d: pathOf(frame, line) }),
        dots(frame, line, index),
      ])
      .flat(),
    pointer,
  );
  plot.addEventListener("pointermove", (event) => readOff(event, plot, frame, series, pointer, readout, xLabel));
  plot.addEventListener("pointerleave", () => {
    pointer.setAttribute("visibility", "hidden");
    readout.textContent = " ";
  });
  return element(
    "figure",
    { class: "chart" },
    element("figcaption", {}, title),
    plot,
    legendOf(series),
    readout,
    numbersOf(title, series, xLabel),
  );
}

function rangeOf(values) {
  const known = values.filter(isKnown);
  if (!known.length) return [0, 1];
  const low = known.reduce((a, b) => Math.min(a, b));
  const high = known.reduce((a, b) => Math.max(a, b));
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

/** A range with some room above, and from zero if that is near. */
function roomy([low, high]) {
  const from = low > 0 && low < high / 2 ? 0 : low;
  return [from, high + 0.05 * (high - from)];
}

/** Colour and dashes of a line: no two of a chart have the same dashes, up to six lines. */
function lineStyle(line, index) {
  return {
    class: `line series-${(line.color ?? index) % 6}`,
    "stroke-dasharray": DASHES[(index + Math.floor(index / DASHES.length)) % DASHES.length],
  };
}

function dots(frame, line, index) {
  if (line.x.length > DOTTED_POINTS) return null;
  const known = line.x.flatMap((x, at) =>
    isKnown(line.y[at]) ? [place(frame, x, line.y[at]).map((value) => value.toFixed(1))] : [],
  );
  return drawn("path", {
    class: `dots series-${(line.color ?? index) % 6}`,
    d: known.map(([x, y]) => `M${x} ${y}h.01`).join(""),
  });
}

function place(frame, x, y) {
  const across = (x - frame.x[0]) / (frame.x[1] - frame.x[0]);
  const up = (y - frame.y[0]) / (frame.y[1] - frame.y[0]);
  return [
    CHART.left + across * (CHART.width - CHART.left - CHART.right),
    CHART.height - CHART.bottom - up * (CHART.height - CHART.top - CHART.bottom),
  ];
}

/** Return round numbers within a range, about `count` of them. */
function ticks([low, high], count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const found = [];
  for (let index = first; index * step <= high + step * 1e-9; index++)
    found.push(Number((index * step).toPrecision(12)));
  return found;
}

function axes(frame, xLabel, yLabel) {
  const [left, bottom] = place(frame, frame.x[0], frame.y[0]);
  const [right, top] = place(frame, frame.x[1], frame.y[1]);
  const across = ticks(frame.y, 4).map((y) => {
    const height = place(frame, frame.x[0], y)[1];
    return [
      drawn("line", { class: "grid", x1: left, x2: right, y1: height, y2: height }),
      drawn("text", { class: "tick", x: left - 6, y: height + 4, "text-anchor": "end" }, shortNumber(y)),
    ];
  });
  const along = ticks(frame.x, 5).map((x) =>
    drawn(
      "text",
      { class: "tick", x: place(frame, x, frame.y[0])[0], y: bottom + 16, "text-anchor": "middle" },
      shortNumber(x),
    ),
  );
  return drawn(
    "g",
    { "aria-hidden": "true" },
    across.flat(),
    along,
    drawn("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
    drawn("text", { class: "axis-label", x: right, y: CHART.height - 4, "text-anchor": "end" }, xLabel),
    yLabel ? drawn("text", { class: "axis-label", x: 4, y: top - 10 }, yLabel) : null,
  );
}

function markLine(frame, mark) {
  const [x, top] = place(frame, mark.x, frame.y[1]);
  const end = x > CHART.width * 0.6;
  return drawn(
    "g",
    { "aria-hidden": "true" },
    drawn("line", {
      class: "mark",
      x1: x,
      x2: x,
      y1: top,
      y2: CHART.height - CHART.bottom,
      "stroke-dasharray": mark.dash ?? "",
    }),
    drawn(
      "text",
      {
        class: "mark-label",
        x: x + (end ? -5 : 5),
        y: CHART.height - CHART.bottom - (mark.lift ?? 8),
        "text-anchor": end ? "end" : "start",
      },
      mark.label,
    ),
  );
}

function thinned(length, most) {
  const step = Math.max(1, Math.ceil(length / most));
  const kept = [];
  for (let index = 0; index < length; index += step) kept.push(index);
  if (length && kept.at(-1) !== length - 1) kept.push(length - 1);
  return kept;
}

/** The line as a path; it breaks where a value is not known. */
function pathOf(frame, line) {
  let path = "";
  let broken = true;
  for (const index of thinned(line.x.length, DRAWN_POINTS)) {
    if (!isKnown(line.y[index])) {
      broken = true;
      continue;
    }
    const [x, y] = place(frame, line.x[index], line.y[index]).map((value) => value.toFixed(1));
    path += `${broken ? "M" : "L"}${x} ${y}`;
    broken = false;
  }
  return path;
}

function legendOf(series) {
  if (series.length < 2) return null;
  const items = series.map((line, index) =>
    element(
      "li",
      {},
      drawn(
        "svg",
        { viewBox: "0 0 28 10", "aria-hidden": "true" },
        drawn("path", { ...lineStyle(line, index), d: "M1 5H27" }),
      ),
      line.name,
    ),
  );
  return element("ul", { class: "legend" }, items);
}

function inWords(title, series, xLabel, marks) {
  const ends = series.map((line) => {
    const known = line.y.filter(isKnown);
    return known.length
      ? `${line.name} from ${shortNumber(known[0])} to ${shortNumber(known.at(-1))}`
      : `${line.name} unknown`;
  });
  const marked = marks.map((mark) => `; ${mark.label}`).join("");
  return `Chart of ${title} over ${xLabel}: ${ends.join(", ")}${marked}`;
}

/** Say the values under the pointer. */
function readOff(event, plot, frame, series, pointer, readout, xLabel) {
  const box = plot.getBoundingClientRect();
  const inside = ((event.clientX - box.left) / box.width) * CHART.width - CHART.left;
  const x = frame.x[0] + (inside / (CHART.width - CHART.left - CHART.right)) * (frame.x[1] - frame.x[0]);
  if (x < frame.x[0] || x > frame.x[1]) return;
  const at = place(frame, x, 0)[0];
  pointer.setAttribute("x1", at);
  pointer.setAttribute("x2", at);
  pointer.setAttribute("visibility", "visible");
  const values = series.map((line) => `${line.name} ${shortNumber(line.y[nearest(line.x, x)])}`);
  readout.textContent = `${xLabel} ${shortNumber(x)}: ${values.join(" · ")}`;
}

function nearest(values, wanted) {
  let best = 0;
  values.forEach((value, index) => {
    if (Math.abs(value - wanted) < Math.abs(values[best] - wanted)) best = index;
  });
  return best;
}

/** The numbers as a table, made when it is opened. */
function numbersOf(title, series, xLabel) {
  const details = element("details", { class: "numbers" }, element("summary", {}, "Numbers", hidden(` of ${title}`)));
  details.addEventListener(
    "toggle",
    () => details.open && details.children.length === 1 && details.append(tableOf(title, series, xLabel)),
  );
  return details;
}

function tableOf(title, series, xLabel) {
  const lines = series.flatMap((line) =>
    thinned(line.x.length, LISTED_POINTS).map((index) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, line.name),
        element("td", {}, shortNumber(line.x[index])),
        element("td", {}, shortNumber(line.y[index])),
      ),
    ),
  );
  const heads = ["line", xLabel, "value"].map((name) => element("th", { scope: "col" }, name));
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `Numbers of ${title}` },
    element("table", {}, element("thead", {}, element("tr", {}, heads)), element("tbody", {}, lines)),
  );
}
