// Numbers as texts. Fractions of 1 that measure quality are shown in per cent, as the command lines do.

const UNKNOWN = "–";
const COUNTED = new Set(["switches", "missed", "false", "wrong class"]); // the others are fractions

function percent(fraction) {
  return isKnown(fraction) ? (100 * fraction).toFixed(1) : UNKNOWN;
}

function signed(text) {
  return text.startsWith("-") ? `−${text.slice(1)}` : `+${text}`;
}

function isKnown(value) {
  return value !== null && value !== undefined;
}

/** The number of a headline figure: counts stay whole, other numbers get as many decimals as are of use. */
function figureText(value, unit) {
  if (!isKnown(value)) return UNKNOWN;
  if (unit === "%") return value.toFixed(1);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return value.toFixed(Math.abs(value) < 10 ? 3 : 1);
}

/** By how much the second number is larger than the first, in the digits in which both are shown. */
function differenceText(first, second, unit) {
  if (!isKnown(first) || !isKnown(second)) return UNKNOWN;
  const digits = Math.max(...[first, second].map((value) => (figureText(value, unit).split(".")[1] ?? "").length));
  return signed((second - first).toFixed(digits));
}

/** A number on an axis or in a table of a chart. */
function shortNumber(value) {
  if (!isKnown(value)) return UNKNOWN;
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(1);
  return String(Number(value.toPrecision(4)));
}

function thresholdText(threshold) {
  return isKnown(threshold) ? String(Number(threshold.toFixed(3))) : UNKNOWN;
}

function videoFigure(name, value) {
  if (!isKnown(value)) return UNKNOWN;
  return COUNTED.has(name) ? String(value) : percent(value);
}

function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function frameSpan(first, last) {
  return first === last ? `frame ${first}` : `frames ${first}–${last}`;
}

/** The letter of a model where two are compared. */
function letterOf(model) {
  return "AB"[model] ?? String(model + 1);
}
