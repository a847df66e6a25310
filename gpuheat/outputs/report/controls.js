// The controls beside the picture, and what they are set to.

import { plural, whole } from "./words.js";

const by = (id) => document.getElementById(id);

// Colours, tone and opacity.
export class Look {
  constructor({ style, colormaps }, onChange) {
    by("colormap").replaceChildren(...colormaps.names.map((name) => new Option(name, name)));
    this.style = style;
    for (const id of ["colormap", "tone", "percentile", "opacity", "fades"]) {
      by(id).addEventListener("input", () => {
        this._show();
        onChange();
      });
    }
    this.reset();
  }

  get state() {
    return {
      colormap: by("colormap").value,
      tone: by("tone").value,
      percentile: Number(by("percentile").value),
      opacity: Number(by("opacity").value) / 100,
      fades: by("fades").checked,
    };
  }

  set state({ colormap, tone, percentile, opacity, fades }) {
    by("colormap").value = colormap;
    by("tone").value = tone;
    by("percentile").value = percentile;
    by("opacity").value = Math.round(100 * opacity);
    by("fades").checked = fades;
    this._show();
  }

  // As the pictures beside the page were drawn.
  reset() {
    const [tone, percentile] = this.style.tone.split(":");
    const fades = this.style.alpha === "value";
    this.state = {
      colormap: this.style.colormap,
      tone,
      percentile: Number(percentile ?? 99),
      opacity: fades ? 0.7 : this.style.alpha,
      fades,
    };
  }

  _show() {
    by("percentile-box").hidden = by("tone").value !== "percentile";
    by("percentile-value").textContent = `${by("percentile").value} %`;
    by("opacity-value").textContent = `${by("opacity").value} %`;
  }
}

// Which recordings, what is added up, and the blur.
export class Choice {
  constructor(recordings, settings, onChange) {
    Object.assign(this, { recordings, settings });
    const changed = () => {
      this._show();
      onChange();
    };
    by("fixation-controls").hidden = false;
    by("weights").hidden = recordings.known.length < 2;
    by("equal").parentElement.hidden = !settings.can_be_equal || recordings.names.length < 2;
    by("recordings-box").hidden = recordings.names.length < 2;
    this.boxes = recordings.names.map((name, one) => this._row(name, one, changed));
    by("recordings").replaceChildren(...this.boxes.map((box) => box.parentElement));
    for (const [id, on] of [
      ["all", true],
      ["none", false],
    ]) {
      by(id).addEventListener("click", () => {
        for (const box of this.boxes) box.checked = on;
        changed();
      });
    }
    for (const input of [by("sigma"), by("equal"), ...document.getElementsByName("weight")])
      input.addEventListener("input", changed);
    this.reset();
  }

  get state() {
    return {
      weight: document.querySelector("input[name=weight]:checked").value,
      scale: Number(by("sigma").value),
      equal: by("equal").checked,
      off: this.boxes.flatMap((box, one) => (box.checked ? [] : [this.recordings.ids[one]])),
    };
  }

  set state({ weight, scale, equal, off }) {
    document.querySelector(`input[name=weight][value=${weight}]`).checked = true;
    by("sigma").max = Math.max(10, scale);
    by("sigma").step = Math.abs(10 * scale - Math.round(10 * scale)) < 1e-9 ? 0.1 : "any";
    by("sigma").value = scale;
    by("equal").checked = equal;
    const without = new Set(off);
    this.boxes.forEach((box, one) => (box.checked = !without.has(this.recordings.ids[one])));
    this._show();
  }

  get chosen() {
    return this.boxes.flatMap((box, one) => (box.checked ? [one] : []));
  }

  reset() {
    this.state = { weight: this.settings.weight, scale: this.settings.scale, equal: this.settings.equal, off: [] };
  }

  _row(name, one, changed) {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
    const text = Object.assign(document.createElement("span"), { textContent: name, dir: "auto" });
    const id = this.recordings.ids[one];
    const apart = this.settings.can_be_equal; // several shown together have no id
    text.title = apart && id !== name ? `${name}, recording id ${id}` : name;
    box.addEventListener("input", changed);
    const label = document.createElement("label");
    label.append(box, text, document.createElement("small"));
    return box;
  }

  _show() {
    const { weight } = this.state;
    this.boxes.forEach((box, one) => (box.parentElement.lastChild.textContent = this.recordings.amount(one, weight)));
    const { rows, columns } = this.recordings.map;
    const side = columns >= rows ? "width" : "height";
    by("sigma-value").textContent = `sigma ${Number(Number(by("sigma").value).toFixed(2))} % of the ${side}`;
    by("recordings-on").textContent = `${whole(this.chosen.length)} of ${plural(this.boxes.length, "recording")}`;
  }
}
