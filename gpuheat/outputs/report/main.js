// The page: what was given, shown, and computed anew at every change.

import { Look } from "./controls.js";
import { readData, unpack } from "./data.js";
import { enlarge } from "./enlarge.js";
import { FixationView } from "./fixations.js";
import { MotionView } from "./motion.js";
import { colorsOf, paint } from "./paint.js";
import { showScale } from "./scale.js";
import { Stage } from "./stage.js";
import { Table } from "./tables.js";
import { percentileOf, toneCurve } from "./tone.js";
import { Zones, download } from "./zones.js";

const el = (id) => document.getElementById(id);

class Page {
  static async open(data) {
    const page = new Page();
    const key = JSON.stringify([data.kind, data.title, data.picture.width, data.picture.height]);
    Object.assign(page, { data, key, levels: null, waits: 0 });
    page._showFacts();
    el("main").hidden = false;
    page.colors = await unpack(data.colormaps.colors);
    page.stage = new Stage(data.picture, (...at) => page._read(...at));
    await page.stage.showBackground();
    const changed = () => page._later("map");
    page.view = await (data.kind === "motion" ? MotionView : FixationView).from(data, page.stage, changed);
    page.look = new Look(data, () => page._later("colors"));
    page.zones = new Zones(
      page.stage,
      data.zones,
      (polygon) => page.view.measure(polygon),
      () => page._later("zones"),
    );
    page.table = new Table(() => page.view.table(page.zones.measured));
    el("save").addEventListener("click", () => page._save());
    el("reset").addEventListener("click", () => page._reset());
    page._remembered();
    page._draw("map");
    return page;
  }

  _showFacts() {
    el("title").textContent = this.data.title;
    el("facts").textContent = this.data.facts;
    for (const [id, texts] of [
      ["warnings", this.data.warnings],
      ["notes", this.data.notes],
    ]) {
      el(id).hidden = !texts.length;
      el(id).replaceChildren(
        ...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
      );
    }
  }

  // Draw at the next frame of the screen, however many changes there are before it.
  _later(what) {
    const order = ["zones", "colors", "map"];
    if (this.waits) {
      if (order.indexOf(what) > order.indexOf(this.what)) this.what = what;
      return;
    }
    this.what = what;
    this.waits = requestAnimationFrame(() => {
      this.waits = 0;
      this._draw(this.what);
      if (!this.view.playing) this._settle();
    });
  }

  _draw(what) {
    if (what === "map") {
      this.now = this.view.heat();
      this.levels = enlarge(this.now.field, this.view.rows, ...this.view.taps);
    }
    if (what !== "zones") this._paint();
    this.zones.tell((zone) => this.view.zoneText(zone));
    this.view.showZones(this.zones.measured);
  }

  _paint() {
    const { colormap, tone, percentile, opacity, fades } = this.look.state;
    const start = 768 * this.data.colormaps.names.indexOf(colormap);
    const table = this.colors.subarray(start, start + 768);
    const saturation = tone === "percentile" ? percentileOf(this.levels, percentile) : 1;
    const curve = toneCurve(tone, saturation);
    paint(this.stage.heat, this.levels, colorsOf(table, curve, opacity, fades));
    showScale(this.view.title, table, curve, saturation, this.view.inUnit(this.now.peak), this.view.unit);
  }

  // When nothing has changed for a while: say it, renew the table, and keep it for when the page is loaded again.
  _settle() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      if (el("live").textContent !== this.view.spoken) el("live").textContent = this.view.spoken;
      this.table.show();
      const state = { key: this.key, look: this.look.state, view: this.view.state, zones: this.zones.saved };
      history.replaceState(state, "");
    }, 300);
  }

  // The file may have been written anew, with more in it, and this page loaded again.
  _remembered() {
    const state = history.state;
    if (state?.key !== this.key) return;
    this.look.state = state.look;
    this.view.state = state.view;
    this.zones.replace(state.zones);
  }

  _read(x, y, byKey) {
    const text = x === null || !this.levels ? "" : `x ${x}, y ${y}: ${this.view.read(x, y, this.levels)}`;
    el("reading").textContent = text;
    if (byKey) el("live").textContent = text;
  }

  _reset() {
    this.view.reset();
    this.look.reset();
    this._later("map");
  }

  _save() {
    const { background, heat } = this.stage;
    const canvas = Object.assign(document.createElement("canvas"), { width: heat.width, height: heat.height });
    const context = canvas.getContext("2d");
    context.drawImage(background, 0, 0);
    context.drawImage(heat, 0, 0);
    this.zones.outline(context, canvas.width, canvas.height);
    const name = this.data.title
      .replace(/[^\p{L}\p{N}.-]+/gu, "-")
      .replace(/^[-.]+|[-.]+$/g, "")
      .slice(0, 80);
    canvas.toBlob((blob) => download(blob, `${name || "heat-map"}.png`));
  }
}

Page.open(readData()).catch((error) => {
  el("failure").hidden = false;
  el("failure").textContent = `This page cannot be shown: ${error.message}. It needs a browser of 2023 or later.`;
  throw error;
});
