// The player: panels of one video side by side, moved by slider, keys and timeline. What is shown stands in `state`;
// every change goes through `open` and `show`.

const PREPARED_FRAMES = 4;

/** Make the player of a report. Return its element and `open(video, frame)`; `note` hears where the reader has gone. */
function makePlayer(report, note) {
  const shows = { masks: true, outlines: true, tags: true };
  const state = { index: -1, frame: 0, data: null, picture: undefined, panels: [], playing: null, shows };
  const view = playerView(report);
  const video = () => report.videos[state.index];
  view.box.inert = true; // until the browser has the pictures

  async function open(index, frame) {
    stop();
    if (index !== state.index) {
      const data = await readVideo(index);
      Object.assign(state, { index, data, picture: undefined });
      setUp();
      view.box.inert = false;
    }
    await show(frame);
  }

  function setUp() {
    const { num_frames: count, name } = video();
    const alone = state.panels.find((panel) => panel.isAlone())?.title;
    state.panels = panelsOf(report, video(), state.data);
    view.panels.replaceChildren(...state.panels.map((panel) => panel.figure));
    view.panels.classList.remove("alone");
    state.panels.find((panel) => panel.title === alone)?.showAlone(true);
    view.panels.style.setProperty("--panels", String(state.panels.length));
    view.timeline.replaceChildren(makeTimeline(timelineGroups(report, video(), state.data), count, go));
    view.choice.value = String(state.index);
    view.slider.max = String(Math.max(0, count - 1));
    view.figures.replaceChildren(...videoFigures(report, video()));
    view.nextError.hidden =
      view.errorKey.hidden =
      view.now.hidden =
        !video().models.some((model) => model.events.length);
    view.box.setAttribute("aria-label", `Player of ${name}`);
  }

  async function show(wanted) {
    const frame = Math.max(0, Math.min(video().num_frames - 1, wanted));
    state.frame = frame;
    say(frame);
    const { data } = state;
    const picture = await data.pictures.get(frame);
    if (state.data !== data || state.frame !== frame) return; // the reader has gone on
    state.picture = picture;
    paint();
    data.pictures.prepare(frame, PREPARED_FRAMES);
  }

  function say(frame) {
    const last = video().num_frames - 1;
    view.slider.value = String(frame);
    view.slider.setAttribute("aria-valuetext", `frame ${frame} of 0 to ${last}`);
    view.number.textContent = `${frame} / ${last}`;
    view.now.replaceChildren(...eventsNow(report, video(), state.data, frame));
    moveTimeline(view.timeline.firstChild, frame, video().num_frames);
  }

  function paint() {
    if (state.picture === undefined) return; // the first one is on its way
    state.panels.forEach((panel) => panel.paint(state.picture, state.frame, state.shows));
    view.box.dataset.shown = `${state.index}:${state.frame}`; // what is on the canvases, once it is
  }

  function go(frame) {
    stop();
    show(frame);
    note(state.index, state.frame);
  }

  async function goToVideo(index, step = 1) {
    while (report.videos[index] && !report.videos[index].has_player) index += step;
    if (!report.videos[index]) return;
    await open(index, worstFrame(report.videos[index]));
    note(state.index, state.frame);
  }

  function nextError() {
    if (view.nextError.hidden) return;
    const starts = video()
      .models.flatMap((model) => model.events.map((event) => event.first_frame))
      .sort((a, b) => a - b);
    go(starts.find((start) => start > state.frame) ?? starts[0]);
  }

  function stop() {
    state.playing = null;
    view.play.textContent = "Play";
  }

  async function play() {
    if (state.playing) return go(state.frame);
    const run = (state.playing = {}); // so that a run that was stopped does not go on with the next
    view.play.textContent = "Pause";
    const pause = 1000 / Math.min(60, Math.max(1, video().fps));
    while (state.playing === run) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (state.playing === run) await show((state.frame + 1) % video().num_frames);
    }
  }

  connect(view, state, { go, goToVideo, nextError, play, paint });
  return { box: view.box, open };
}

/** Let the controls of a player act. */
function connect(view, state, actions) {
  view.play.addEventListener("click", actions.play);
  view.back.addEventListener("click", () => actions.go(state.frame - 1));
  view.forth.addEventListener("click", () => actions.go(state.frame + 1));
  view.before.addEventListener("click", () => actions.goToVideo(state.index - 1, -1));
  view.after.addEventListener("click", () => actions.goToVideo(state.index + 1));
  view.nextError.addEventListener("click", actions.nextError);
  view.slider.addEventListener("input", () => actions.go(Number(view.slider.value)));
  view.choice.addEventListener("change", () => actions.goToVideo(Number(view.choice.value)));
  view.switches.forEach(({ name, box }) =>
    box.addEventListener("change", () => {
      state.shows[name] = box.checked;
      actions.paint();
    }),
  );
  new ResizeObserver(() => state.data && actions.paint()).observe(view.panels);
  listenToKeys(view, state, actions);
}

/**
 * Arrow keys: left and right a frame, up and down a video, within the player; left and right also where nothing has the
 * focus, since they do nothing else there.
 */
function listenToKeys(view, state, { go, goToVideo, nextError, play }) {
  const inside = {
    ArrowUp: () => goToVideo(state.index - 1, -1),
    ArrowDown: () => goToVideo(state.index + 1),
    e: nextError,
    " ": play,
  };
  const anywhere = { ArrowLeft: () => go(state.frame - 1), ArrowRight: () => go(state.frame + 1) };
  document.addEventListener("keydown", (event) => {
    if (!state.data || event.ctrlKey || event.metaKey || event.altKey || event.target === view.choice) return;
    const isInside = view.box.contains(event.target);
    const presses = event.key === " " && event.target.closest("button, input, summary, a");
    const action =
      (isInside && inside[event.key]) || ((isInside || event.target === document.body) && anywhere[event.key]);
    if (!action || presses) return;
    event.preventDefault();
    action();
  });
}
