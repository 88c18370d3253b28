// The timeline of a video: a row per track with the frames that show it, and the errors on the rows that they concern.
// A click goes to the frame; the name of a row, a button, goes to where the track begins.

/** Make the timeline of {title, tracks, events, isTruth} groups; `go(frame)` is called on clicks. */
function makeTimeline(groups, numFrames, go) {
  const box = element(
    "div",
    { class: "timeline", role: "group", "aria-label": "Timeline of tracks" },
    frameScale(numFrames),
    groups.map((group) => trackGroup(group, numFrames, go)),
    element("div", { class: "playhead", "aria-hidden": "true" }, element("div")),
  );
  const scrub = (event) => {
    const strip = event.target.closest(".strip");
    if (!strip || (event.type === "pointermove" && event.buttons !== 1)) return;
    const place = strip.getBoundingClientRect();
    const share = (event.clientX - place.left) / place.width;
    go(Math.max(0, Math.min(numFrames - 1, Math.floor(share * numFrames))));
  };
  box.addEventListener("pointerdown", scrub);
  box.addEventListener("pointermove", scrub);
  return box;
}

function moveTimeline(box, frame, numFrames) {
  box.style.setProperty("--at", String((frame + 0.5) / numFrames));
}

function frameScale(numFrames) {
  const numbers = ticks([0, Math.max(1, numFrames - 1)], 6)
    .filter(Number.isInteger)
    .map((frame) => element("span", { style: { left: `${(100 * (frame + 0.5)) / numFrames}%` } }, frame));
  return element(
    "div",
    { class: "row scale", "aria-hidden": "true" },
    element("span", {}, "frame"),
    element("div", { class: "strip" }, numbers),
  );
}

function trackGroup({ title, tracks, events, isTruth }, numFrames, go) {
  const rows = tracks
    .map((track, index) => ({ track, index }))
    .sort((a, b) => (a.track.frames[0] ?? 0) - (b.track.frames[0] ?? 0));
  const concerned = (index) =>
    events.filter((event) =>
      isTruth
        ? event.kind === "missed" && event.truth === index
        : event.kind !== "missed" && event.prediction === index,
    );
  return element(
    "div",
    { class: "tracks", role: "group", "aria-label": title },
    element("h4", {}, title),
    rows.map(({ track, index }) => trackRow(track, concerned(index), numFrames, go)),
    rows.length ? null : element("p", { class: "note" }, "no tracks"),
  );
}

function trackRow(track, events, numFrames, go) {
  const runs = runsOf(track.frames);
  const label = element(
    "button",
    {
      type: "button",
      class: "track-name",
      title: rowWords(track, runs, events),
      onclick: () => go(track.frames[0] ?? 0),
    },
    swatch(track.color),
    tagOf(track, true),
    hidden(`: ${rowWords(track, runs, events)}`),
  );
  const strip = element(
    "div",
    { class: "strip", "aria-hidden": "true" },
    runs.length > 1 ? stretch("gap", runs[0][0], runs.at(-1)[1], numFrames) : null,
    runs.map(([first, last]) => stretch("run", first, last, numFrames, { background: track.color })),
    events.flatMap((event) => errorStretches(track, event, numFrames)),
  );
  return element("div", { class: "row" }, label, strip);
}

/** An error where the track is seen, with its sign where that begins. */
function errorStretches(track, event, numFrames) {
  const runs = runsOf(track.frames.filter((frame) => event.first_frame <= frame && frame <= event.last_frame));
  return runs.map(([first, last], index) =>
    stretch(`error ${event.kind}`, first, last, numFrames, {}, index === 0 ? badge(event.kind) : null),
  );
}

function stretch(kind, first, last, numFrames, style = {}, ...children) {
  const place = { left: `${(100 * first) / numFrames}%`, width: `${(100 * (last + 1 - first)) / numFrames}%` };
  return element("div", { class: kind, style: { ...place, ...style } }, children);
}

/** The stretches of frames without a gap, as [first, last]. */
function runsOf(frames) {
  const runs = [];
  for (const frame of frames) {
    if (runs.length && runs.at(-1)[1] === frame - 1) runs.at(-1)[1] = frame;
    else runs.push([frame, frame]);
  }
  return runs;
}

function rowWords(track, runs, events) {
  const seen = runs.map(([first, last]) => frameSpan(first, last)).join(", ");
  const wrong = events.map(
    (event) => `${ERROR_KINDS[event.kind].name} in ${frameSpan(event.first_frame, event.last_frame)}`,
  );
  const second = track.second ? [`or ${track.second[0]} ${track.second[1].toFixed(2)}`] : [];
  return [tagOf(track, false), ...second, seen ? `in ${seen}` : "in no frame", ...wrong].join("; ");
}
