// Curves: precision over recall, the score threshold, and the training.

const inPercent = (values) => values.map((value) => (isKnown(value) ? 100 * value : null));

/**
 * A chart per group of curves of all models; `curvesOf(model)` are those of one, `options` more for the charts. Lines
 * of one name have one colour, whatever the model.
 */
function chartsByGroup(report, curvesOf, options = {}) {
  const groups = new Map();
  report.models.forEach((model, index) =>
    curvesOf(model).forEach((curve) => {
      if (!groups.has(curve.group)) groups.set(curve.group, { first: curve, names: [], series: [] });
      const { names, series } = groups.get(curve.group);
      if (!names.includes(curve.name)) names.push(curve.name);
      const name = report.models.length > 1 ? `${letterOf(index)}: ${curve.name}` : curve.name;
      series.push({ name, x: curve.x, y: curve.y, color: names.indexOf(curve.name) });
    }),
  );
  return [...groups].map(([title, { first, series }]) =>
    lineChart({ title, xLabel: first.x_label, yLabel: first.y_label, series, ...options }),
  );
}

function trainingCharts(report) {
  return chartsByGroup(report, (model) => model.training);
}

/** Precision over recall, both in per cent. */
function precisionRecallCharts(report) {
  const curvesOf = (model) =>
    model.precision_recall.map((curve) => ({
      ...curve,
      group: `Precision and recall, ${curve.group}`,
      x: inPercent(curve.x),
      y: inPercent(curve.y),
    }));
  return chartsByGroup(report, curvesOf, {
    xLabel: "recall (%)",
    yLabel: "precision (%)",
    xRange: [0, 100],
    yRange: [0, 100],
  });
}

/** Precision, recall and F1 over the score threshold, with the best one and the one in use marked. */
function thresholdCharts(report) {
  return perModel(report, "Score threshold", (model, title) => {
    const curve = model.thresholds;
    if (!curve) return null;
    const lines = ["f1", "precision", "recall"];
    const series = lines.map((name) => ({
      name: name === "f1" ? "F1" : name,
      x: curve.thresholds,
      y: inPercent(curve[name]),
    }));
    const chart = lineChart({
      title,
      xLabel: "score threshold",
      yLabel: "%",
      series,
      yRange: [0, 100],
      marks: thresholdMarks(model),
    });
    chart.append(element("p", { class: "note" }, thresholdWords(model)));
    return chart;
  });
}

function thresholdMarks(model) {
  const { suggested } = model.thresholds;
  if (Math.abs(suggested - model.threshold) < 5e-4)
    return [{ x: suggested, label: `suggested and used ${thresholdText(suggested)}` }];
  return [
    { x: suggested, label: `suggested ${thresholdText(suggested)}` },
    { x: model.threshold, label: `used ${thresholdText(model.threshold)}`, dash: "3 3", lift: 24 },
  ];
}

function thresholdWords(model) {
  const curve = model.thresholds;
  const say = (threshold) => {
    const at = nearest(curve.thresholds, threshold);
    const [f1, precision, recall] = [curve.f1, curve.precision, curve.recall].map((values) => percent(values[at]));
    return `F1 ${f1} %, precision ${precision} %, recall ${recall} % (${plural(curve.tracks[at], "track")})`;
  };
  const suggested = `Suggested ${thresholdText(curve.suggested)}: ${say(curve.suggested)}.`;
  const used = `Used ${thresholdText(model.threshold)}: ${say(model.threshold)}.`;
  return `${suggested} ${used} Over tracks at IoU 0.5.`;
}
