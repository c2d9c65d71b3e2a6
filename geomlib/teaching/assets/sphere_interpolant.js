// Two interpolants between two points of the unit sphere: along the geodesic, and along the chord.
//
// The formulas are pure functions, exported for the tests, which hold them to geomlib. All that
// the figure needs is here or in the widget's state, so it also runs without a kernel.

const { PI, cos, sin, hypot } = Math;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const mix = (a, s, b, t) => a.map((value, i) => s * value + t * b[i]);

/** The unit vector at a latitude and longitude in degrees. */
export function onSphere([latitude, longitude]) {
  const [u, v] = [(latitude * PI) / 180, (longitude * PI) / 180];
  return [cos(u) * cos(v), cos(u) * sin(v), sin(u)];
}

/** The angle between two unit vectors, without loss of digits near 0. */
export const angle = (a, b) => 2 * Math.atan2(hypot(...mix(a, 1, b, -1)), hypot(...mix(a, 1, b, 1)));

/** Place and velocity at time t on the geodesic from a to b, run in time 1. */
export function geodesic(a, b, t) {
  const d = angle(a, b);
  if (d < 1e-9) return { point: a, velocity: mix(b, 1, a, -1) };
  return {
    point: mix(a, sin((1 - t) * d) / sin(d), b, sin(t * d) / sin(d)),
    velocity: mix(a, (-d * cos((1 - t) * d)) / sin(d), b, (d * cos(t * d)) / sin(d)),
  };
}

/** Place and velocity on the chord, its distance from the centre, the radial part of the velocity. */
export function chord(a, b, t) {
  const point = mix(a, 1 - t, b, t);
  const velocity = mix(b, 1, a, -1);
  const radius = hypot(...point);
  return { point, velocity, radius, radial: dot(point, velocity) / radius };
}

const SIDE = 400; // of a panel, in its own units
const EYE = 0.4; // height of the eye above the equator, in radians
const SCALE = 172;
const FARTHEST = [80, 85]; // latitude and longitude, in degrees
const STEP = 2;
const ARROW = 0.32; // length of an arrow for a velocity of 1
const FINE = Array.from({ length: 97 }, (_, i) => i / 96);

const project = ([x, y, z]) => [SIDE / 2 + SCALE * y, SIDE / 2 - SCALE * (z * cos(EYE) - x * sin(EYE))];
const faces = ([x, , z]) => x * cos(EYE) + z * sin(EYE) > -0.02;

/** Latitude and longitude of what is seen at a place of the panel, or nearest to it. */
export function seenAt([right, down]) {
  const [px, py] = [(right - SIDE / 2) / SCALE, (SIDE / 2 - down) / SCALE];
  const r = hypot(px, py);
  const [y, up] = r > 1 ? [px / r, py / r] : [px, py];
  const depth = Math.sqrt(Math.max(0, 1 - y * y - up * up));
  const [x, z] = [depth * cos(EYE) - up * sin(EYE), depth * sin(EYE) + up * cos(EYE)];
  return [(Math.asin(clamp(z, -1, 1)) * 180) / PI, (Math.atan2(y, x) * 180) / PI];
}

function render({ model, el }) {
  const id = Math.random().toString(36).slice(2); // several figures in a page keep apart
  const view = build(id);
  const state = { source: [...model.get("source")], target: [...model.get("target")], time: model.get("time") };

  function draw() {
    const [a, b] = [onSphere(state.source), onSphere(state.target)];
    const onChord = chord(a, b, state.time);
    const found = { distance: angle(a, b), radius: onChord.radius, radial: onChord.radial };
    view.draw(state, a, b, found);
    model.set("measured", found);
    model.save_changes();
  }

  function change(name, value) {
    state[name] = value;
    model.set(name, value);
    draw();
  }

  const move = (name, place) => change(name, place.map((value, i) => clamp(Math.round(value), -FARTHEST[i], FARTHEST[i])));

  connect(view, state, move, change);
  el.append(view.root);
  draw();
  return follow(model, state, draw);
}

const number = (value, digits = 2) => {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
};

function build(id) {
  const time = h("input", { type: "range", id: `si-time-${id}`, min: 0, max: 1, step: 0.01 });
  const shown = h("output", { for: `si-time-${id}`, "aria-hidden": "true" });
  const globe = sphere();
  const height = radii();
  const handles = { source: handle("source", "0", id), target: handle("target", "1", id) };
  globe.area.append(handles.source, handles.target);
  const readout = h("p", { class: "gw-readout", "aria-live": "polite" });
  const root = h(
    "section",
    { class: "gw si", "aria-label": "Two interpolants on the sphere", "data-lm-suppress-shortcuts": "true" },
    h("div", { class: "gw-controls si-controls" }, h("label", { for: `si-time-${id}` }, "Time t ", time, shown)),
    h("div", { class: "gw-panels" }, globe.root, height.root),
    readout,
    h(
      "p",
      { class: "gw-help", id: `si-help-${id}` },
      "Drag 0 (source) or 1 (target), or focus one and press the arrow keys (Shift: larger steps). ",
      "Solid: geodesic; dashed: chord; arrows: velocities; dotted: from the chord out to the sphere.",
    ),
  );

  function draw({ source, target, time: now }, a, b, found) {
    time.value = now;
    shown.textContent = number(now);
    globe.draw(a, b, now);
    height.draw(a, b, now);
    place(handles.source, source, a);
    place(handles.target, target, b);
    readout.textContent =
      `Distance ${number(found.distance, 3)}. At time ${number(now)} the geodesic has radius 1 and the tangent ` +
      `speed ${number(found.distance, 3)}; the chord has radius ${number(found.radius, 3)} and the radial ` +
      `velocity ${number(found.radial, 3)}.`;
  }
  return { root, area: globe.area, handles, time, draw };
}

const line = (points) => "M" + points.map((z) => z.map((c) => c.toFixed(1)).join(" ")).join("L");
const ways = { chord, geodesic };

function arrow(from, to) {
  const length = hypot(to[0] - from[0], to[1] - from[1]);
  if (length < 3) return "";
  const size = Math.min(10, 0.5 * length);
  const [a, b] = [((to[0] - from[0]) / length) * size, ((to[1] - from[1]) / length) * size];
  return line([from, to]) + line([[to[0] - a + b / 2, to[1] - b - a / 2], to, [to[0] - a - b / 2, to[1] - b + a / 2]]);
}

// The lines of longitude and latitude on the side that is seen, and the outline.
function graticule() {
  const degrees = (from, to) => FINE.map((t) => from + t * (to - from));
  const lines = [
    ...Array.from({ length: 12 }, (_, k) => degrees(-90, 90).map((u) => onSphere([u, 30 * k]))),
    ...[-60, -30, 0, 30, 60].map((u) => degrees(-180, 180).map((v) => onSphere([u, v]))),
  ];
  const pieces = [];
  for (const points of lines) {
    pieces.push([]);
    for (const x of points) faces(x) ? pieces.at(-1).push(project(x)) : pieces.at(-1).length && pieces.push([]);
  }
  const outline = FINE.map((t) => [SIDE / 2 + SCALE * cos(2 * PI * t), SIDE / 2 + SCALE * sin(2 * PI * t)]);
  return line(outline) + pieces.filter((piece) => piece.length > 1).map(line).join("");
}

function sphere() {
  const names = ["chord", "geodesic", "depth", "arrow-chord", "arrow-geodesic"];
  const parts = Object.fromEntries(names.map((name) => [name, h("svg:path", { class: `si-${name}` })]));
  const dots = Object.fromEntries(Object.keys(ways).map((name) => [name, h("svg:circle", { class: `si-dot-${name}`, r: 5 })]));
  const svg = h(
    "svg:svg",
    { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img", "aria-label": "The sphere with a geodesic and the chord between its ends" },
    h("svg:path", { class: "si-grid", d: graticule() }),
    ...Object.values(parts),
    ...Object.values(dots),
  );
  const area = h("div", { class: "gw-area" }, svg);

  function draw(a, b, now) {
    for (const [name, way] of Object.entries(ways)) {
      parts[name].setAttribute("d", line(FINE.map((t) => project(way(a, b, t).point))));
      const { point, velocity } = way(a, b, now);
      const [x, y] = project(point);
      dots[name].setAttribute("cx", x.toFixed(1));
      dots[name].setAttribute("cy", y.toFixed(1));
      parts[`arrow-${name}`].setAttribute("d", arrow([x, y], project(mix(point, 1, velocity, ARROW))));
    }
    const { point, radius } = chord(a, b, now);
    parts.depth.setAttribute("d", line([project(point), project(point.map((value) => value / radius))]));
  }
  return { root: h("figure", {}, h("figcaption", {}, "on the sphere, and through it"), area), area, draw };
}

const LEFT = 44; // of the axes in the second panel
const FLOOR = SIDE - 44;
const ONE = 60; // where the radius is 1
const toAxes = (t, radius) => [LEFT + t * (SIDE - LEFT - 24), FLOOR - radius * (FLOOR - ONE)];

function radii() {
  const curves = Object.fromEntries(Object.keys(ways).map((name) => [name, h("svg:path", { class: `si-${name}` })]));
  const dots = Object.fromEntries(Object.keys(ways).map((name) => [name, h("svg:circle", { class: `si-dot-${name}`, r: 5 })]));
  const text = (content, x, y, anchor) => h("svg:text", { x, y, "text-anchor": anchor }, content);
  const svg = h(
    "svg:svg",
    { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img", "aria-label": "Distance from the centre over time: one on the geodesic, less on the chord" },
    h("svg:path", { class: "si-axes", d: `M${LEFT} ${ONE - 30}V${FLOOR}H${SIDE - 16}` }),
    ...[0, 0.5, 1].map((value) => text(value, LEFT - 8, toAxes(0, value)[1] + 5, "end")),
    ...[0, 0.5, 1].map((value) => text(value, toAxes(value, 0)[0], FLOOR + 20, "middle")),
    text("time t", SIDE - 24, FLOOR + 38, "end"),
    ...Object.values(curves),
    ...Object.values(dots),
  );

  function draw(a, b, now) {
    for (const [name, way] of Object.entries(ways)) {
      const height = (t) => hypot(...way(a, b, t).point);
      curves[name].setAttribute("d", line(FINE.map((t) => toAxes(t, height(t)))));
      const [x, y] = toAxes(now, height(now));
      dots[name].setAttribute("cx", x.toFixed(1));
      dots[name].setAttribute("cy", y.toFixed(1));
    }
  }
  return { root: h("figure", {}, h("figcaption", {}, "distance from the centre"), svg), draw };
}

function handle(name, mark, id) {
  return h(
    "div",
    { class: "gw-handle", role: "slider", tabindex: "0", "aria-label": `The ${name}`, "aria-describedby": `si-help-${id}` },
    h("span", {}, mark),
  );
}

function place(element, [latitude, longitude], x) {
  const [right, down] = project(x);
  element.style.left = `${(100 * right) / SIDE}%`;
  element.style.top = `${(100 * down) / SIDE}%`;
  element.setAttribute("aria-valuemin", -FARTHEST[1]);
  element.setAttribute("aria-valuemax", FARTHEST[1]);
  element.setAttribute("aria-valuenow", longitude);
  element.setAttribute("aria-valuetext", `latitude ${number(latitude, 0)}°, longitude ${number(longitude, 0)}°`);
}

// Pointer, keyboard and the time.
function connect(view, state, move, change) {
  const toPlace = (event) => {
    const box = view.area.getBoundingClientRect();
    return seenAt([(SIDE * (event.clientX - box.left)) / box.width, (SIDE * (event.clientY - box.top)) / box.height]);
  };
  for (const [name, element] of Object.entries(view.handles)) {
    const press = ([right, up], large) => {
      const size = large ? 5 * STEP : STEP;
      const [latitude, longitude] = state[name];
      move(name, [latitude + size * up, longitude + size * right]);
    };
    movable(element, (event) => move(name, toPlace(event)), press);
  }
  view.time.addEventListener("input", () => change("time", Number(view.time.value)));
}

export default { render };
