// Drawing a frame on a canvas: the picture, masks, outlines, tags, and marks of errors. Lengths are in pixels of the
// screen, whatever the size of the video, so that lines and tags of a small video are as fine as those of a large one.

const FILL_OPACITY = 0.25;
const TAG_FONT = "600 11px system-ui, sans-serif";
const TAG_HEIGHT = 16;
const NARROW_PX = 250; // panels that are narrower have tags without scores
const HATCH_PX = 8;
const SIGN_PX = 18;
const SIGN_FONT = "700 11px system-ui, sans-serif";

/** Fit a canvas to its place on the page; return what draws on it, in pixels of the screen, and the scale. */
function fitted(canvas, [height, width]) {
  const across = canvas.clientWidth || width;
  const down = Math.round((across * height) / width);
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(across * ratio);
  canvas.height = Math.round(down * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, across, down, scale: across / width, taken: [], signs: [] };
}

/** Draw the picture; a plain ground where there is none. */
function paintPicture({ context, across, down }, picture, dim) {
  context.fillStyle = "#30343a";
  context.fillRect(0, 0, across, down);
  if (picture) context.drawImage(picture.image, 0, 0, across, down);
  if (!dim) return;
  context.fillStyle = "rgb(15 18 22 / 50%)"; // marks of errors stand out from a darker picture
  context.fillRect(0, 0, across, down);
}

/** One object's outline in pixels of the screen, and the box around it. */
function outlineOf(polygons, scale) {
  const path = new Path2D();
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const polygon of polygons) {
    for (let index = 0; index < polygon.length; index += 2) {
      const x = polygon[index] * scale;
      const y = polygon[index + 1] * scale;
      if (index === 0) path.moveTo(x, y);
      else path.lineTo(x, y);
      box.left = Math.min(box.left, x);
      box.right = Math.max(box.right, x);
      box.top = Math.min(box.top, y);
      box.bottom = Math.max(box.bottom, y);
    }
    path.closePath();
  }
  return { path, box };
}

/** Stroke a line with a dark rim, so that it is seen on any ground. */
function strokeLine(context, path, color, width, dash = []) {
  context.setLineDash(dash);
  context.strokeStyle = "rgb(0 0 0 / 60%)";
  context.lineWidth = width + 2;
  context.stroke(path);
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke(path);
  context.setLineDash([]);
}

/** The tracks that a frame shows, the better ones last. */
function seenIn(sheet, tracks, frame) {
  const seen = tracks.flatMap((track) => {
    const polygons = polygonsAt(track, frame);
    return polygons?.length ? [{ track, ...outlineOf(polygons, sheet.scale) }] : [];
  });
  return seen.sort((a, b) => (a.track.score ?? 1) - (b.track.score ?? 1));
}

/** Draw masks and outlines, the better tracks over the poorer ones. */
function paintTracks(sheet, seen, shows) {
  for (const { track, path } of seen) {
    if (shows.masks) fillMask(sheet.context, path, track.color);
    if (shows.outlines) strokeLine(sheet.context, path, track.color, 1.75, track.is_crowd ? [3, 3] : []);
  }
}

/** Write tags, those of the better tracks where they want to be. */
function paintTags(sheet, seen) {
  const short = sheet.across < NARROW_PX;
  [...seen].reverse().forEach(({ track, box }) => paintTag(sheet, box, tagOf(track, short), track.color));
}

function fillMask(context, path, color) {
  context.globalAlpha = FILL_OPACITY;
  context.fillStyle = color;
  context.fill(path, "evenodd");
  context.globalAlpha = 1;
}

function tagOf(track, short) {
  const score = short || !isKnown(track.score) ? "" : ` ${track.score.toFixed(2)}`;
  return `${track.track_id} ${track.class_name}${score}${track.is_crowd ? " (crowd)" : ""}`;
}

/** Draw a tag above a box, or as near to there as other tags leave room; none where they leave none. */
function paintTag(sheet, box, text, color) {
  const { context, across, down, taken } = sheet;
  context.font = TAG_FONT;
  const width = Math.min(across, context.measureText(text).width + 8);
  const left = Math.max(0, Math.min(across - width, box.left));
  const wanted = Math.max(0, Math.min(down - TAG_HEIGHT, box.top - TAG_HEIGHT - 2));
  const top = nearestFree(wanted, TAG_HEIGHT + 1, down - TAG_HEIGHT, (at) =>
    taken.every(
      (other) =>
        left >= other.left + other.width || other.left >= left + width || Math.abs(at - other.top) >= TAG_HEIGHT,
    ),
  );
  if (top === null) return;
  taken.push({ left, top, width });
  context.fillStyle = color;
  context.beginPath();
  context.roundRect(left, top, width, TAG_HEIGHT, 3);
  context.fill();
  context.fillStyle = inkOn(color);
  context.fillText(text, left + 4, top + 12, width - 6);
}

/** The place nearest to the wanted one, in steps, from 0 to `last`, that is free; null if there is none near. */
function nearestFree(wanted, step, last, isFree) {
  for (let steps = 0; steps < 12; steps++) {
    const found = [wanted + steps * step, wanted - steps * step].find(
      (place) => place >= 0 && place <= last && isFree(place),
    );
    if (found !== undefined) return found;
  }
  return null;
}

/** Black or white, whatever is read better on a colour (#rrggbb; relative luminance as in WCAG, roughly). */
function inkOn(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => (parseInt(color.slice(at, at + 2), 16) / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 ? "#000" : "#fff";
}

/** Draw what is right as thin outlines, and over it the errors of the frame with pattern, outline and sign. */
function paintErrors(sheet, { truth, tracks, events }, frame, quiet) {
  const current = eventsAt(events, truth, tracks, frame);
  if (quiet) {
    const concerned = new Set(current.map((event) => event.prediction).filter(isKnown));
    tracks.forEach((track, index) => !concerned.has(index) && paintThin(sheet, track, frame));
  }
  const wrong = current.flatMap((event) => {
    const polygons = polygonsAt(trackOf(event, truth, tracks), frame);
    return polygons?.length ? [{ kind: event.kind, ...outlineOf(polygons, sheet.scale) }] : [];
  });
  wrong.forEach(({ path, kind }) => paintError(sheet.context, path, kind));
  wrong.forEach(({ box, kind }) => paintSign(sheet, box, kind)); // over all patterns
}

function paintThin(sheet, track, frame) {
  const polygons = polygonsAt(track, frame);
  if (!polygons?.length) return;
  sheet.context.strokeStyle = "rgb(255 255 255 / 75%)";
  sheet.context.lineWidth = 1;
  sheet.context.stroke(outlineOf(polygons, sheet.scale).path);
}

function paintError(context, path, kind) {
  const { color, dash } = ERROR_KINDS[kind];
  context.fillStyle = hatchOf(context, kind);
  context.fill(path, "evenodd");
  strokeLine(context, path, color, 2.25, dash);
}

/** Put the sign of an error in the middle of a box, beside signs that are there already. */
function paintSign({ context, across, down, signs }, box, kind) {
  const { color, letter, shape } = ERROR_KINDS[kind];
  const y = Math.max(0, Math.min(down - SIGN_PX, (box.top + box.bottom - SIGN_PX) / 2));
  const wanted = Math.max(0, Math.min(across - SIGN_PX, (box.left + box.right - SIGN_PX) / 2));
  const isFree = (at) => signs.every((other) => Math.abs(other.x - at) >= SIGN_PX || Math.abs(other.y - y) >= SIGN_PX);
  const x = nearestFree(wanted, SIGN_PX, across - SIGN_PX, isFree) ?? wanted;
  signs.push({ x, y });
  context.save();
  context.translate(x + 1, y + 1);
  strokeLine(context, new Path2D(shape), "#000", 0.5);
  context.fillStyle = color;
  context.fill(new Path2D(shape));
  context.fillStyle = "#000";
  context.font = SIGN_FONT;
  context.textAlign = "center";
  context.fillText(letter, 8, 12);
  context.restore();
}

const hatches = new Map();

/** The pattern of a kind of error, a small tile that repeats. */
function hatchOf(context, kind) {
  if (!hatches.has(kind)) {
    const tile = element("canvas", { width: HATCH_PX, height: HATCH_PX });
    const pen = tile.getContext("2d");
    const lines = {
      diagonal: "M-2 2l4-4M0 8l8-8M6 10l4-4",
      cross: "M0 4h8M4 0v8",
      lines: "M0 2h8M0 6h8",
      dots: "M2 2h.1M6 6h.1",
    };
    pen.strokeStyle = ERROR_KINDS[kind].color;
    pen.lineCap = "round";
    pen.lineWidth = ERROR_KINDS[kind].hatch === "dots" ? 3 : 1.5;
    pen.stroke(new Path2D(lines[ERROR_KINDS[kind].hatch]));
    hatches.set(kind, context.createPattern(tile, "repeat"));
  }
  return hatches.get(kind);
}
