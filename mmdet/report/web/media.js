// The tracks and pictures of a video. They lie in blocks at the end of the page, which are read when a video is opened.

const readBlocks = new Map();

/** Read a block of json, once. */
function readBlock(id) {
  if (!readBlocks.has(id)) {
    const block = document.getElementById(id);
    readBlocks.set(id, JSON.parse(block.textContent));
    block.dataset.read = "";
  }
  return readBlocks.get(id);
}

/** Resolve when the browser has the whole page, if a block has not come yet. */
function pageHas(id) {
  if (document.getElementById(id) || document.readyState !== "loading") return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve, { once: true }));
}

/** Return a video's tracks, with a way from a frame to the place in a track, and its pictures. */
async function readVideo(index) {
  await pageHas(`pictures-${index}`);
  const { truth, models } = readBlock(`tracks-${index}`);
  [truth ?? [], ...models]
    .flat()
    .forEach((track) => (track.places ??= new Map(track.frames.map((frame, place) => [frame, place]))));
  return { truth, models, pictures: new Pictures(readBlock(`pictures-${index}`)) };
}

function polygonsAt(track, frame) {
  const place = track.places.get(frame);
  return place === undefined ? null : track.polygons[place];
}

/** The pictures of the open video, decoded as they are needed. */
class Pictures {
  constructor(addresses) {
    this.addresses = addresses;
    this.images = new Map();
  }

  /** Resolve to the image of a frame or of the last one before it that has one: {image, frame}, null if none has. */
  async get(frame) {
    for (let at = frame; at >= 0; at--) {
      const image = await this.decoded(at);
      if (image) return { image, frame: at };
    }
    return null;
  }

  decoded(frame) {
    if (!this.addresses[frame]) return null;
    if (!this.images.has(frame)) {
      const image = new Image();
      image.src = this.addresses[frame];
      this.images.set(
        frame,
        image.decode().then(
          () => image,
          () => null,
        ),
      );
    }
    return this.images.get(frame);
  }

  /** Decode the next frames ahead of their time. */
  prepare(frame, count) {
    for (let next = frame + 1; next <= frame + count && next < this.addresses.length; next++) this.decoded(next);
  }
}
