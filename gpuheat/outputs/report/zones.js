// Zones: polygons drawn on the picture, named, measured, and saved for `gpuheat --zones`.

import { middle } from "./polygons.js";

const CLOSES = 10; // px on the screen: a click so near the first corner closes the zone
const HOW =
  "Click the corners in the picture. Enter, or the first corner again, closes the zone; " +
  "Backspace takes a corner back, Escape gives up. With keys: arrows and Space.";
const WHY = "Draw one to see its share.";
const MASKS = { include: "watched", exclude: "left out" }; // the kinds that say what is counted, and are not measured

export class Zones {
  // `measure(polygon)` is asked once for each polygon, and `onChange` hears of every change of the list.
  constructor(stage, given, measure, onChange) {
    Object.assign(this, { stage, measure, onChange, open: null });
    for (const id of ["zones", "draw", "download", "shapes", "zones-help"]) this[id] = document.getElementById(id);
    this.draw.addEventListener("click", () => (this.open ? this._leave() : this._begin()));
    this.download.addEventListener("click", () => this._download());
    stage.element.addEventListener("click", (event) => this.open && this._click(event));
    stage.element.addEventListener("dblclick", () => this.open && this._close());
    stage.element.addEventListener("keydown", (event) => this.open && this._key(event));
    this.replace(given);
  }

  // The zones from now on, [{name, polygon}].
  replace(zones) {
    this.list = zones.map((zone) => ({ ...zone, measure: zone.kind in MASKS ? null : this.measure(zone.polygon) }));
    this._show();
  }

  get measured() {
    return this.list.filter((zone) => zone.measure);
  }

  get saved() {
    return this.list.map(({ measure, ...zone }) => zone);
  }

  // The same with a name each of its own, as the command line wants them.
  get named() {
    const names = new Set();
    return this.saved.map((zone, place) => {
      const wanted = zone.name.replace(/\p{Cc}+/gu, " ").trim() || `zone ${place + 1}`;
      let name = wanted;
      for (let more = 2; names.has(name); more++) name = `${wanted} ${more}`;
      names.add(name);
      return { ...zone, name };
    });
  }

  // Says of each zone that is measured what `textOf(zone)` gives.
  tell(textOf) {
    this.list.forEach((zone, i) => {
      const text = zone.measure ? textOf(zone) : `${MASKS[zone.kind]}, not measured`;
      this.zones.children[i].querySelector("output").textContent = text;
    });
  }

  // All zones as shapes on a canvas of this size.
  outline(context, width, height) {
    const { picture } = this.stage;
    const line = Math.max(1.5, width / 500);
    for (const { polygon } of this.list) {
      context.beginPath();
      for (const [x, y] of polygon) context.lineTo((x * width) / picture.width, (y * height) / picture.height);
      context.closePath();
      for (const [style, wide] of [
        ["rgb(0 0 0 / 75%)", 2 * line],
        ["#ffffff", line],
      ]) {
        Object.assign(context, { strokeStyle: style, lineWidth: wide });
        context.stroke();
      }
    }
  }

  _begin() {
    this.open = [];
    this._state();
    this.stage.element.focus();
  }

  _leave() {
    this.open = null;
    this._state();
  }

  _click(event) {
    const { x, y } = this.stage.place(event);
    const near = (corner) => corner && Math.hypot(corner[0] - x, corner[1] - y) < CLOSES * this.stage.pxPerPx;
    if (this.open.length > 2 && near(this.open[0])) this._close();
    else if (!near(this.open.at(-1))) this._add(x, y);
  }

  _key(event) {
    const { x, y } = this.stage.cursor;
    if (event.key === " ") this._add(x, y);
    else if (event.key === "Enter") this._close();
    else if (event.key === "Backspace") this.open.pop();
    else if (event.key === "Escape") this._leave();
    else return;
    event.preventDefault();
    this._shapes();
  }

  _add(x, y) {
    this.open.push([Math.round(x), Math.round(y)]);
    this._shapes();
  }

  _close() {
    if (this.open.length < 3) return;
    const names = this.list.map((zone) => zone.name);
    let place = 1;
    while (names.includes(`zone ${place}`)) place++;
    const zones = [...this.saved, { name: `zone ${place}`, polygon: this.open }];
    this.open = null;
    this.replace(zones);
    this.onChange();
    this.zones.lastElementChild.querySelector("input").select();
  }

  _remove(zone) {
    this.list = this.list.filter((other) => other !== zone);
    this._show();
    this.draw.focus();
    this.onChange();
  }

  _show() {
    this.zones.replaceChildren(...this.list.map((zone) => this._row(zone)));
    this.download.disabled = !this.list.length;
    this._state();
  }

  _row(zone) {
    const row = document.createElement("li");
    const name = Object.assign(document.createElement("input"), { type: "text", value: zone.name, dir: "auto" });
    const remove = Object.assign(document.createElement("button"), { type: "button", textContent: "Delete" });
    const label = () => remove.setAttribute("aria-label", `Delete ${zone.name}`);
    name.setAttribute("aria-label", "Name of the zone");
    label();
    name.addEventListener("input", () => {
      zone.name = name.value;
      label();
      this._shapes();
      this.onChange();
    });
    remove.addEventListener("click", () => this._remove(zone));
    row.append(name, remove, document.createElement("output"));
    return row;
  }

  _state() {
    this.draw.textContent = this.open ? "Stop drawing" : "Draw a zone";
    this.draw.setAttribute("aria-pressed", String(this.open !== null));
    this["zones-help"].textContent = this.open ? HOW : WHY;
    this["zones-help"].hidden = !this.open && this.list.length > 0;
    this._shapes();
  }

  _shapes() {
    const { picture, element } = this.stage;
    const shape = (kind, polygon, className) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", kind);
      node.setAttribute("points", polygon.map((corner) => corner.join(",")).join(" "));
      node.setAttribute("class", className);
      return node;
    };
    const at = (className, [x, y], text) => {
      const node = Object.assign(document.createElement("span"), { className, textContent: text });
      node.style.left = `${(100 * x) / picture.width}%`;
      node.style.top = `${(100 * y) / picture.height}%`;
      return node;
    };
    const shapes = this.list.flatMap(({ polygon, measure }) => [
      shape("polygon", polygon, "zone-under"),
      shape("polygon", polygon, measure ? "zone" : "zone dashed"),
    ]);
    if (this.open) shapes.push(shape("polyline", this.open, "zone-under"), shape("polyline", this.open, "zone dashed"));
    this.shapes.replaceChildren(...shapes);
    for (const old of element.querySelectorAll(".zone-name, .corner")) old.remove();
    element.append(
      ...this.list.map((zone) => at("zone-name", middle(zone.polygon), labelOf(zone))),
      ...(this.open ?? []).map((corner) => at("corner", corner, "")),
    );
  }

  _download() {
    const text = `${JSON.stringify({ zones: this.named, units: "px" }, null, 2)}\n`;
    download(new Blob([text], { type: "application/json" }), "zones.json");
  }
}

function labelOf({ name, kind, measure }) {
  return measure ? name : `${name} (${MASKS[kind]})`;
}

// Hand a file to the reader.
export function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
