// Curves: precision over recall, the score threshold, and the training.

const inPercent = (values) => values.map((value) => (isKnown(value) ? 100 * value : null));

/** Precision over recall of all models in one chart. */
function precisionRecall(report) {
  const series = report.models.flatMap((model, index) => model.precision_recall.map((curve) => ({
    name: report.models.length > 1 ? `${letterOf(index)}: ${curve.name}` : curve.name,
    x: inPercent(curve.x),
    y: inPercent(curve.y),
  })));
  if (!series.length) return null;
  return lineChart({ title: "Precision and recall", xLabel: "recall (%)", yLabel: "precision (%)", series, xRange: [0, 100], yRange: [0, 100] });
}

/** Precision, recall and F1 over the score threshold, with the best one and the one in use marked. */
function thresholdCharts(report) {
  return perModel(report, "Score threshold", (model, title) => {
    const curve = model.thresholds;
    if (!curve) return null;
    const lines = ["f1", "precision", "recall"];
    const series = lines.map((name) => ({ name: name === "f1" ? "F1" : name, x: curve.thresholds, y: inPercent(curve[name]) }));
    const chart = lineChart({ title, xLabel: "score threshold", yLabel: "%", series, yRange: [0, 100], marks: thresholdMarks(model) });
    chart.append(element("p", { class: "note" }, thresholdWords(model)));
    return chart;
  });
}

function thresholdMarks(model) {
  const { suggested } = model.thresholds;
  if (Math.abs(suggested - model.threshold) < 5e-4) return [{ x: suggested, label: `suggested and used ${shortNumber(suggested)}` }];
  return [
    { x: suggested, label: `suggested ${shortNumber(suggested)}` },
    { x: model.threshold, label: `used ${shortNumber(model.threshold)}`, dash: "3 3", lift: 24 },
  ];
}

function thresholdWords(model) {
  const curve = model.thresholds;
  const say = (threshold) => {
    const at = nearest(curve.thresholds, threshold);
    return `F1 ${percent(curve.f1[at])} %, precision ${percent(curve.precision[at])} %, recall ${percent(curve.recall[at])} % (${plural(curve.tracks[at], "track")})`;
  };
  return `Suggested ${shortNumber(curve.suggested)}: ${say(curve.suggested)}. Used ${shortNumber(model.threshold)}: ${say(model.threshold)}. Over tracks at IoU 0.5.`;
}

/** A chart per group of training curves. */
function trainingCharts(report) {
  const groups = new Map();
  report.models.forEach((model, index) => model.training.forEach((curve) => {
    if (!groups.has(curve.group)) groups.set(curve.group, []);
    groups.get(curve.group).push({ ...curve, name: report.models.length > 1 ? `${letterOf(index)}: ${curve.name}` : curve.name });
  }));
  return [...groups].map(([group, series]) => lineChart({ title: group, xLabel: series[0].x_label, yLabel: series[0].y_label, series }));
}
