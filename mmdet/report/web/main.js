// Builds the page, from the figures to the player, and follows its address.

const report = readBlock("overview");

function build() {
  const errors = allErrors(report);
  const player = report.videos.some((video) => video.has_player) ? makePlayer(report, noteAddress) : null;
  const parts = [
    opening(),
    part("player", "Player", player && element("div", { class: "look" }, player.box, worstErrors(report, errors))),
    part("videos", "Videos", report.videos.length ? videoTable(report) : null),
    part("classes", "Classes", sideBySide([classTable(report), ...confusions(report)])),
    part(
      "curves",
      "Precision, recall, threshold",
      grid([...precisionRecallCharts(report), ...thresholdCharts(report), occlusionChart(report)]),
    ),
    part("training", "Training", grid(trainingCharts(report))),
    part("made", "How it was made", element("div", { class: "cards" }, howMade(report))),
  ].filter(Boolean);
  document.getElementById("main").replaceChildren(...parts);
  document.getElementById("foot").append(report.made);
  document.getElementById("parts").append(...parts.map(partLink));
  startTheme(document.getElementById("theme"));
  if (player) followAddress(player, errors);
}

/** The first screen: what was reached, and where AP is lost. */
function opening() {
  const frames = report.videos.reduce((sum, video) => sum + video.num_frames, 0);
  const named = report.models.filter(({ name }) => name !== report.title);
  const names = named.map((model, index) =>
    report.models.length > 1 ? `${letterOf(index)}: ${model.name}` : model.name,
  );
  const facts = [...names, plural(report.videos.length, "video"), plural(frames, "frame")];
  const notes = report.notes.map((note) => element("li", {}, note));
  return element(
    "section",
    { id: "overview-part", "aria-labelledby": "page-title" },
    element("h1", { id: "page-title" }, report.title),
    element("p", { class: "facts-line" }, facts.join(" · ")),
    notes.length ? element("ul", { class: "notes", "aria-label": "Notes" }, notes) : null,
    element("div", { class: "first" }, headline(report), waterfallChart(report)),
  );
}

function grid(children) {
  const shown = children.filter(Boolean);
  return shown.length ? element("div", { class: "charts" }, shown) : null;
}

function sideBySide(children) {
  const shown = children.filter(Boolean);
  return shown.length ? element("div", { class: "side-by-side" }, shown) : null;
}

function partLink(section) {
  const heading = section.querySelector("h2");
  return element("li", {}, element("a", { href: `#${section.id}` }, heading ? heading.textContent : "Overview"));
}

/** What an address like `#video=3&frame=12` asks for; null if it names no video of the report. */
function asked() {
  const words = new URLSearchParams(location.hash.slice(1));
  const video = Number.parseInt(words.get("video") ?? "", 10);
  if (!report.videos[video]?.has_player) return null;
  return { video, frame: Number.parseInt(words.get("frame") ?? "0", 10) || 0 };
}

/** Open what the address says, now and whenever it changes; without one the worst error. */
function followAddress(player, errors) {
  const follow = async () => {
    const wanted = asked();
    if (!wanted) return;
    await player.open(wanted.video, wanted.frame);
    player.box.scrollIntoView({ block: "nearest" });
    player.box.focus({ preventScroll: true });
  };
  window.addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#video=']");
    if (link && link.hash === location.hash) follow(); // the same address again is no change of it
  });
  if (asked()) follow();
  else player.open(...firstShown(errors));
}

/** The video and frame that a page opens with: the worst error, else the first video. */
function firstShown(errors) {
  const worst = errors.find((error) => report.videos[error.videoIndex].has_player);
  return worst ? [worst.videoIndex, worst.first_frame] : [report.videos.findIndex((video) => video.has_player), 0];
}

let addressTimer = 0;

/** Write the shown frame into the address, once the player rests: browsers refuse to do it many times a second. */
function noteAddress(video, frame) {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => history.replaceState(null, "", addressOf(video, frame)), 400);
}

build();
