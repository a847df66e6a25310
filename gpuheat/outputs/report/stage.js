// The picture: the background, the heat over it, and a cursor that reads a place, by mouse, touch or keys.

import { bytesOf } from "./data.js";

const LONGEST = 1600; // px along the wider side that are drawn, at most
const SHORTEST = 640; // and at least: smaller pictures are drawn several times as large

export class Stage {
  // `onCursor(x, y, byKey)` hears of every place looked at, in px of the picture, and of none (null).
  constructor(picture, onCursor) {
    this.picture = picture;
    this.onCursor = onCursor;
    this.element = document.getElementById("stage");
    this.background = document.getElementById("background");
    this.heat = document.getElementById("heat");
    this.cross = document.getElementById("cross");
    this.cursor = { x: picture.width >> 1, y: picture.height >> 1 };
    this._size();
    this.element.addEventListener("pointermove", (event) => this._point(event));
    this.element.addEventListener("pointerdown", (event) => this._point(event));
    this.element.addEventListener("pointerleave", () => this.onCursor(null));
    this.element.addEventListener("keydown", (event) => this._key(event));
    this.element.addEventListener("blur", () => (this.cross.hidden = true));
  }

  async showBackground() {
    const context = this.background.getContext("2d");
    context.fillStyle = "#ececec";
    context.fillRect(0, 0, this.background.width, this.background.height);
    if (this.picture.jpeg === null) return;
    const image = await createImageBitmap(new Blob([bytesOf(this.picture.jpeg)], { type: "image/jpeg" }));
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, this.background.width, this.background.height);
  }

  // Where an event is, in px of the picture.
  place(event) {
    const box = this.element.getBoundingClientRect();
    const along = (at, size, most) => Math.min(Math.max((at / size) * most, 0), most);
    return {
      x: along(event.clientX - box.left, box.width, this.picture.width),
      y: along(event.clientY - box.top, box.height, this.picture.height),
    };
  }

  // How many px of the picture one px on the screen is.
  get pxPerPx() {
    return this.picture.width / this.element.getBoundingClientRect().width;
  }

  // A place of the picture on the canvases.
  onCanvas(x, y) {
    return {
      x: Math.min(Math.floor(((x + 0.5) * this.heat.width) / this.picture.width), this.heat.width - 1),
      y: Math.min(Math.floor(((y + 0.5) * this.heat.height) / this.picture.height), this.heat.height - 1),
    };
  }

  _size() {
    const { width, height } = this.picture;
    const longer = Math.max(width, height);
    const factor = longer > LONGEST ? LONGEST / longer : Math.max(1, Math.ceil(SHORTEST / longer));
    for (const canvas of [this.background, this.heat]) {
      canvas.width = Math.max(1, Math.round(width * factor));
      canvas.height = Math.max(1, Math.round(height * factor));
    }
    document.getElementById("shapes").setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.element.style.aspectRatio = `${width} / ${height}`;
    this.element.style.width = `min(100%, calc(var(--high) * ${width / height}))`;
  }

  _point(event) {
    const { x, y } = this.place(event);
    this.cross.hidden = true;
    this._look(Math.floor(x), Math.floor(y), false);
  }

  _key(event) {
    const step = event.shiftKey ? 1 : Math.max(1, Math.round(Math.max(this.picture.width, this.picture.height) / 100));
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way) return;
    event.preventDefault();
    this._look(this.cursor.x + step * way[0], this.cursor.y + step * way[1], true);
    this.cross.hidden = false;
    this.cross.style.left = `${(100 * (this.cursor.x + 0.5)) / this.picture.width}%`;
    this.cross.style.top = `${(100 * (this.cursor.y + 0.5)) / this.picture.height}%`;
  }

  _look(x, y, byKey) {
    this.cursor.x = Math.min(Math.max(x, 0), this.picture.width - 1);
    this.cursor.y = Math.min(Math.max(y, 0), this.picture.height - 1);
    this.onCursor(this.cursor.x, this.cursor.y, byKey);
  }
}
