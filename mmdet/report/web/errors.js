// The kinds of errors: colours that colour-blind readers tell apart (Okabe and Ito), and for each a letter, a shape and
// a pattern, so that nothing is said by colour alone.

const ERROR_KINDS = {
  missed: {
    letter: "M",
    name: "missed",
    color: "#d55e00",
    shape: "M8 1a7 7 0 1 0 .01 0z",
    hatch: "diagonal",
    dash: [7, 4],
  },
  false: { letter: "F", name: "false", color: "#56b4e9", shape: "M1.5 1.5h13v13h-13z", hatch: "cross", dash: [] },
  switched: { letter: "S", name: "switched", color: "#f0e442", shape: "M8 0l8 8-8 8-8-8z", hatch: "dots", dash: [] },
  wrong_class: {
    letter: "C",
    name: "wrong class",
    color: "#cc79a7",
    shape: "M4 1.2h8l4 6.8-4 6.8H4L0 8z",
    hatch: "lines",
    dash: [2, 3],
  },
};

/** The sign of a kind of error: its shape and letter. */
function badge(kind) {
  const { letter, name, color, shape } = ERROR_KINDS[kind];
  return drawn(
    "svg",
    { class: "badge", viewBox: "-1 -1 18 18", role: "img", "aria-label": name },
    drawn("path", { d: shape, fill: color, class: "badge-shape" }),
    drawn("text", { x: 8, y: 11.6, "text-anchor": "middle", class: "badge-letter" }, letter),
  );
}

/** All errors of a report, the worst first, each with its video and model. */
function allErrors(report) {
  const errors = report.videos.flatMap((video, videoIndex) =>
    video.models.flatMap((model, modelIndex) =>
      model.events.map((event) => ({ ...event, videoIndex, modelIndex, videoName: video.name })),
    ),
  );
  return errors.sort((a, b) => b.weight - a.weight);
}

/** The track that an error is seen at: what is missed in the truth, all else in the prediction. */
function trackOf(event, truth, tracks) {
  return event.kind === "missed" || !isKnown(event.prediction) ? truth[event.truth] : tracks[event.prediction];
}

/** The errors that are seen in a frame: an error may go on while its object is hidden. */
function eventsAt(events, truth, tracks, frame) {
  const isSeen = (event) =>
    event.first_frame <= frame && frame <= event.last_frame && trackOf(event, truth, tracks)?.places.has(frame);
  return events.filter(isSeen);
}

/** What the player listens to: the address is the one place that says which video and frame are shown. */
function addressOf(video, frame) {
  return `#video=${video}&frame=${frame}`;
}

/** The list of worst errors with a button per kind that leaves the others out. */
function worstErrors(report, errors) {
  if (!errors.length) return null;
  const list = element("ol", { class: "errors", id: "worst-list" });
  const kinds = Object.keys(ERROR_KINDS).filter((kind) => errors.some((error) => error.kind === kind));
  let only = null;
  const fillList = () => {
    const shown = errors.filter((error) => !only || error.kind === only).slice(0, 10);
    list.replaceChildren(...shown.map((error) => errorItem(report, error)));
  };
  const buttons = kinds.map((kind) => {
    const count = errors.filter((error) => error.kind === kind).length;
    const title = `Only errors of this kind: ${ERROR_KINDS[kind].name}`;
    const button = element(
      "button",
      { type: "button", "aria-pressed": "false", title },
      badge(kind),
      `${ERROR_KINDS[kind].name} ${count}`,
    );
    button.addEventListener("click", () => {
      only = only === kind ? null : kind;
      buttons.forEach((other, index) => other.setAttribute("aria-pressed", String(kinds[index] === only)));
      fillList();
    });
    return button;
  });
  fillList();
  return element(
    "aside",
    { class: "worst", id: "worst", "aria-labelledby": "worst-title" },
    element("h3", { id: "worst-title" }, "Worst errors"),
    element("div", { class: "kinds", role: "group", "aria-label": "Kinds of errors" }, buttons),
    list,
  );
}

function errorItem(report, error) {
  const model = report.models.length > 1 ? `${letterOf(error.modelIndex)} · ` : "";
  const where = `${model}${error.videoName} · ${frameSpan(error.first_frame, error.last_frame)}`;
  const words = element("span", { class: "words" }, element("span", {}, error.text), element("small", {}, where));
  const href = report.videos[error.videoIndex].has_player ? addressOf(error.videoIndex, error.first_frame) : null;
  return element(
    "li",
    {},
    element("a", { href, title: href ? null : "This video has no player" }, badge(error.kind), words),
  );
}
