// What the player consists of: its controls, and the panels that fit a video.

const NAMED_ERRORS = 8; // of a frame

function playerView(report) {
  const videos = report.videos.map((video, index) =>
    video.has_player ? element("option", { value: index }, video.name) : null,
  );
  const button = (text, title) => element("button", { type: "button", title, "aria-label": title }, text);
  const view = {
    panels: element("div", { class: "panels" }),
    timeline: element("div", { class: "timeline-box" }),
    now: element("ul", { class: "now", "aria-label": "Errors in this frame" }),
    figures: element("p", { class: "video-figures" }),
    slider: element("input", { type: "range", min: "0", value: "0", "aria-label": "Frame" }),
    number: element("output", { class: "frame-number", "aria-live": "off" }),
    choice: element("select", { "aria-label": "Video" }, videos),
    play: element("button", { type: "button", class: "play", title: "Space" }, "Play"),
    back: button("‹", "Previous frame"),
    forth: button("›", "Next frame"),
    before: button("↑", "Previous video"),
    after: button("↓", "Next video"),
    errorKey: element("span", {}, ", e goes to the next error"),
    nextError: element("button", { type: "button", title: "Key e" }, "Next error"),
    switches: ["masks", "outlines", "tags"].map((name) => ({
      name,
      box: element("input", { type: "checkbox", checked: true }),
    })),
  };
  const toggles = view.switches.map(({ name, box }) => element("label", {}, box, name));
  view.box = element(
    "div",
    { class: "player", role: "group", tabindex: "-1", id: "player-box" },
    element("div", { class: "controls" }, view.before, view.after, view.choice, view.figures),
    view.panels,
    element("div", { class: "controls" }, view.play, view.back, view.slider, view.forth, view.number),
    element(
      "div",
      { class: "below" },
      view.now,
      view.nextError,
      element("div", { class: "toggles", role: "group", "aria-label": "Drawn over the pictures" }, toggles),
    ),
    view.timeline,
    element("p", { class: "note keys" }, "Keys: ← → a frame, ↑ ↓ a video, space plays", view.errorKey, "."),
  );
  return view;
}

/** The panels of a video: truth, prediction and errors, or truth and both models; without truth predictions alone. */
function panelsOf(report, video, { truth, models }) {
  const several = models.length > 1;
  const panels = truth
    ? [makePanel(video, "Truth", truth, (sheet, frame, shows) => paintScene(sheet, truth, frame, shows))]
    : [];
  models.forEach((tracks, index) => {
    const title = several ? `${letterOf(index)} · ${report.models[index].name}` : "Prediction";
    const scene = several && truth ? { truth, tracks, events: video.models[index].events } : null;
    panels.push(
      makePanel(video, title, tracks, (sheet, frame, shows) => paintScene(sheet, tracks, frame, shows, scene)),
    );
  });
  if (truth && !several) {
    const scene = { truth, tracks: models[0], events: video.models[0].events };
    panels.push(makePanel(video, "Errors", null, (sheet, frame) => paintErrors(sheet, scene, frame, true), true));
  }
  return panels;
}

/** Draw tracks with what `shows` wants of masks, outlines and tags, and errors between them and the tags. */
function paintScene(sheet, tracks, frame, shows, errors = null) {
  const seen = seenIn(sheet, tracks, frame);
  paintTracks(sheet, seen, shows);
  if (errors) paintErrors(sheet, errors, frame, false);
  if (shows.tags) paintTags(sheet, seen);
}

/** One panel: a canvas with a title that enlarges it. `tracks` are read out, `draw` paints over the picture. */
function makePanel(video, title, tracks, draw, dim = false) {
  const [height, width] = video.shown_size;
  const canvas = element("canvas", { role: "img", style: { "aspect-ratio": `${width} / ${height}` } });
  const attributes = { type: "button", class: "enlarge", "aria-pressed": "false", title: "Show this panel alone" };
  const enlarge = element("button", attributes, title);
  const style = { "--aspect": String(width / height) };
  const figure = element("figure", { class: "panel", style }, element("figcaption", {}, enlarge), canvas);
  const isAlone = () => enlarge.getAttribute("aria-pressed") === "true";
  const showAlone = (alone) => {
    enlarge.setAttribute("aria-pressed", String(alone));
    figure.parentElement.classList.toggle("alone", alone);
    figure.classList.toggle("chosen", alone);
  };
  enlarge.addEventListener("click", () => showAlone(!isAlone()));
  const paint = (picture, frame, shows) => {
    const notice = pictureNotice(picture, frame);
    canvas.setAttribute("aria-label", panelWords(title, frame, tracks) + (notice && `; ${notice}`));
    if (!canvas.clientWidth) return; // another panel is shown alone
    const sheet = fitted(canvas, video.shown_size);
    paintPicture(sheet, picture, dim);
    draw(sheet, frame, shows);
    if (notice) paintTag(sheet, { left: 0, top: sheet.down }, notice, "#f2f2f2");
  };
  return { title, figure, isAlone, showAlone, paint };
}

/** What to say of a frame that has no picture of its own. */
function pictureNotice(picture, frame) {
  if (!picture) return "no picture";
  return picture.frame === frame ? "" : `picture of frame ${picture.frame}`;
}

function panelWords(title, frame, tracks) {
  if (!tracks) return `${title}, frame ${frame}`;
  const seen = tracks.filter((track) => polygonsAt(track, frame)).map((track) => tagOf(track, true));
  return `${title}, frame ${frame}: ${seen.join(", ") || "nothing"}`;
}

function timelineGroups(report, video, { truth, models }) {
  const several = models.length > 1;
  const groups = models.map((tracks, index) => {
    const title = several ? letterOf(index) : "Prediction";
    return { title, tracks, events: video.models[index].events, isTruth: false };
  });
  const missed = several ? [] : video.models[0].events; // of two models the truth cannot say who missed it
  return truth ? [{ title: "Truth", tracks: truth, events: missed, isTruth: true }, ...groups] : groups;
}

function videoFigures(report, video) {
  return video.models.map((model, index) => {
    const texts = Object.entries(model.figures).map(([name, value]) => `${name} ${videoFigure(name, value)}`);
    const letter = report.models.length > 1 && texts.length ? `${letterOf(index)}: ` : "";
    return element("span", {}, letter + texts.join(" · "));
  });
}

/** The errors of a frame in words, the worst first. */
function eventsNow(report, video, { truth, models }, frame) {
  const current = video.models.flatMap((model, index) => {
    const letter = report.models.length > 1 ? `${letterOf(index)}: ` : "";
    return eventsAt(model.events, truth ?? [], models[index], frame).map((event) => ({ ...event, letter }));
  });
  const worst = current.sort((a, b) => b.weight - a.weight).slice(0, NAMED_ERRORS);
  const items = worst.map(({ kind, letter, text }) => element("li", {}, badge(kind), letter, text));
  return current.length > NAMED_ERRORS
    ? [...items, element("li", {}, `and ${current.length - NAMED_ERRORS} more`)]
    : items;
}
