// The table of videos, each a link that opens the player.

function videoTable(report) {
  const columns = [nameColumn(report), ...figureColumns(report), ...countColumns(report)];
  const sortBy = columns.findIndex((column) => column.name.startsWith("AP"));
  return sortableTable({
    id: "video-table",
    caption: "Videos; a name opens the player",
    columns,
    rows: report.videos,
    sortBy: Math.max(0, sortBy),
    descending: false,
  });
}

function nameColumn(report) {
  const link = (video) => {
    const index = report.videos.indexOf(video);
    if (!video.has_player) return video.name;
    return element("a", { href: addressOf(index, worstFrame(video)) }, video.name);
  };
  return { name: "video", text: true, value: (video) => video.name, show: link };
}

/** The frame where a video's worst error begins. */
function worstFrame(video) {
  const events = video.models.flatMap((model) => model.events);
  return events.length ? events.reduce((a, b) => (b.weight > a.weight ? b : a)).first_frame : 0;
}

/** A column per figure and model; figures that no video has get none. */
function figureColumns(report) {
  const names = new Set(report.videos.flatMap((video) => video.models.flatMap((model) => Object.keys(model.figures))));
  return [...names].flatMap((name) =>
    report.models.map((_, index) => {
      const value = (video) => video.models[index].figures[name];
      return {
        name: report.models.length > 1 ? `${name} ${letterOf(index)}` : name,
        value,
        show: (video) => videoFigure(name, value(video)),
        bar: name === "AP" ? value : null,
      };
    }),
  );
}

function countColumns(report) {
  const hasTruth = report.videos.some((video) => isKnown(video.true_tracks));
  const several = report.models.length > 1;
  return [
    ...(hasTruth
      ? [{ name: "objects", title: "true tracks", value: (video) => (video.has_player ? video.true_tracks : null) }]
      : []),
    ...report.models.map((_, index) => ({
      name: several ? `tracks ${letterOf(index)}` : "tracks",
      title: "predicted tracks that are drawn",
      value: (video) => (video.has_player ? video.models[index].num_tracks : null),
    })),
    { name: "frames", value: (video) => video.num_frames },
  ];
}
