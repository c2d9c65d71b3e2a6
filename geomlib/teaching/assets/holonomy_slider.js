// The holonomy slider: an arrow carried once round a latitude circle of the unit sphere, on the
// sphere and on the strip round the circle, cut open and laid flat.
//
// `carry` and `holonomy` are pure, exported for the tests, which hold them to geomlib. All that
// the figure needs is here or in the widget's state, so it also runs without a kernel.

const { PI, cos, sin, hypot } = Math;
const TURN = 2 * PI;

const place = (theta, phi) => [sin(theta) * cos(phi), sin(theta) * sin(phi), cos(theta)];
const south = (theta, phi) => [cos(theta) * cos(phi), cos(theta) * sin(phi), -sin(theta)]; // e_θ
const east = (phi) => [-sin(phi), cos(phi), 0]; // e_φ
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const mix = (a, s, b, t) => a.map((value, i) => s * value + t * b[i]);

/** Shao's scheme: at each of the steps project the arrow onto the next tangent plane, rescale.
 *
 * The arrow starts as e_θ. Returns its angle from e_θ towards e_φ at every stop, a continuous
 * function of the stop, `steps + 1` numbers.
 */
export function carry(theta, steps) {
  let arrow = south(theta, 0);
  const angles = [0];
  for (let i = 1; i <= steps; i++) {
    const phi = (i * TURN) / steps;
    const normal = place(theta, phi);
    const projected = mix(arrow, 1, normal, -dot(arrow, normal));
    arrow = projected.map((value) => value / hypot(...projected));
    const angle = Math.atan2(dot(arrow, east(phi)), dot(arrow, south(theta, phi)));
    const before = angles.at(-1);
    angles.push(before + (angle - before - TURN * Math.round((angle - before) / TURN)));
  }
  return angles;
}

/** The turn of the arrow after one circuit: exactly, and as the scheme reads it. */
export function holonomy(theta, steps) {
  // e_θ itself has turned once, by 2π, when the circle closes
  return { exact: TURN * (1 - cos(theta)), reading: TURN + carry(theta, steps).at(-1) };
}

const SIDE = 400; // of a panel, in its own units
const EYE = 0.62; // height of the eye above the equator, in radians
const SCALE = 165;

function project([x, y, z]) {
  return [SIDE / 2 + SCALE * y, SIDE / 2 - SCALE * (z * cos(EYE) - x * sin(EYE))];
}
const faces = (x) => x[0] * cos(EYE) + x[2] * sin(EYE) > -0.02;

function render({ model, el }) {
  const id = Math.random().toString(36).slice(2); // several figures in a page keep apart
  const view = build(id);
  const names = ["colatitude", "steps", "carried"];
  const state = Object.fromEntries(names.map((name) => [name, model.get(name)]));

  function draw() {
    const angles = carry(state.colatitude, state.steps);
    const turns = holonomy(state.colatitude, state.steps);
    view.draw(state, angles, turns);
    model.set("measured", turns);
    model.save_changes();
  }

  for (const [name, input] of Object.entries(view.inputs)) {
    input.addEventListener("input", () => {
      state[name] = name === "steps" ? 2 ** Number(input.value) : Number(input.value);
      model.set(name, state[name]);
      draw();
    });
  }
  el.append(view.root);
  draw();
  return follow(model, state, draw);
}

const shown = (value, digits = 3) => value.toFixed(digits).replace("-", "−");

function slider(id, name, label, low, high, step) {
  const input = h("input", { type: "range", id: `hs-${name}-${id}`, min: low, max: high, step });
  const value = h("output", { for: `hs-${name}-${id}` });
  return { input, value, row: h("label", { for: `hs-${name}-${id}` }, h("span", {}, label), input, value) };
}

function build(id) {
  const colatitude = slider(id, "colatitude", "Colatitude θ", 0.1, 3.04, 0.02);
  const steps = slider(id, "steps", "Steps N", 2, 10, 1); // powers of two
  const carried = slider(id, "carried", "Carried", 0, 1, 0.05);
  const globe = panel("globe", "the sphere, with an arrow carried round a latitude circle");
  const flat = panel("flat", "the strip round the circle, laid flat, with the same arrows");
  globe.caption.textContent = "on the sphere";
  flat.caption.textContent = "the strip round the circle, cut open and laid flat";
  const readout = h("p", { class: "gw-readout", "aria-live": "polite" });
  const root = h(
    "section",
    { class: "gw hs", "aria-label": "Holonomy slider", "data-lm-suppress-shortcuts": "true" },
    h("div", { class: "gw-controls hs-controls" }, colatitude.row, steps.row, carried.row),
    h("div", { class: "gw-panels" }, globe.root, flat.root),
    readout,
    h("p", { class: "gw-help" }, "Grey: the arrow at the start. N steps of the re-projection scheme; the formula is the area of the cap."),
  );

  function draw({ colatitude: theta, steps: count, carried: share }, angles, { exact, reading }) {
    colatitude.input.value = theta;
    steps.input.value = Math.log2(count);
    carried.input.value = share;
    label(colatitude, shown(theta, 2));
    label(steps, `${count}`);
    label(carried, `${Math.round(100 * share)} %`);
    drawGlobe(globe, theta, angles, share);
    drawFlat(flat, theta, angles, share);
    readout.textContent =
      share === 1
        ? `Round once: the arrow comes back turned by ${shown(reading)}; 2π(1 − cos θ) = ${shown(exact)}; error ${shown(reading - exact)}.`
        : `Carried ${Math.round(360 * share)}°: against e_θ the arrow has turned by ${shown(angles[Math.round(share * count)])}.`;
  }
  return { root, inputs: { colatitude: colatitude.input, steps: steps.input, carried: carried.input }, draw };
}

function label({ input, value }, text) {
  value.textContent = text;
  input.setAttribute("aria-valuetext", text);
}

function panel(name, title) {
  const classes = ["grid", "cap", "circle", "first", "arrows", "last"];
  const parts = Object.fromEntries(classes.map((part) => [part, h("svg:path", { class: `hs-${part}` })]));
  const svg = h("svg:svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img", "aria-label": title }, ...Object.values(parts));
  const caption = h("figcaption");
  return { root: h("figure", { class: `hs-${name}` }, caption, svg), caption, parts };
}

const line = (points) => "M" + points.map((z) => z.map((c) => c.toFixed(1)).join(" ")).join("L");
const circle = (theta) => Array.from({ length: 97 }, (_, i) => place(theta, (i * TURN) / 96));

function arrow(from, to) {
  const length = hypot(to[0] - from[0], to[1] - from[1]);
  if (length < 2) return line([from, to]);
  const size = Math.min(9, 0.5 * length);
  const [a, b] = [((to[0] - from[0]) / length) * size, ((to[1] - from[1]) / length) * size];
  return line([from, to]) + line([[to[0] - a + b / 2, to[1] - b - a / 2], to, [to[0] - a - b / 2, to[1] - b + a / 2]]);
}

// The stops to draw, at most 24, up to what has been carried; the last one always.
function stops(count, share) {
  const last = Math.round(share * count);
  const every = Math.max(1, Math.round(count / 24));
  return [...Array.from({ length: Math.ceil(last / every) }, (_, i) => i * every).slice(0, 25), last];
}

function drawGlobe({ parts }, theta, angles, share) {
  const count = angles.length - 1;
  const seen = (points) => {
    // hidden points are left out: what is behind the sphere is not drawn
    const pieces = [[]];
    for (const x of points) faces(x) ? pieces.at(-1).push(project(x)) : pieces.at(-1).length && pieces.push([]);
    return pieces.filter((piece) => piece.length > 1).map(line).join("");
  };
  const outline = Array.from({ length: 97 }, (_, i) => [SIDE / 2 + SCALE * cos((i * TURN) / 96), SIDE / 2 + SCALE * sin((i * TURN) / 96)]);
  const meridians = Array.from({ length: 12 }, (_, k) => Array.from({ length: 61 }, (_, i) => place((i * PI) / 60, (k * PI) / 6)));
  const parallels = [1, 2, 3, 4, 5].map((k) => circle((k * PI) / 6));
  parts.grid.setAttribute("d", line(outline) + [...meridians, ...parallels].map(seen).join(""));
  // the cap is shaded by its parallels
  const inside = Array.from({ length: 60 }, (_, i) => ((i + 0.5) * PI) / 60).filter((angle) => angle < theta);
  parts.cap.setAttribute("d", inside.map((angle) => seen(circle(angle))).join(""));
  parts.circle.setAttribute("d", seen(circle(theta)));
  const drawn = (i) => {
    const phi = (i * TURN) / count;
    const foot = place(theta, phi);
    const vector = mix(south(theta, phi), cos(angles[i]), east(phi), sin(angles[i]));
    return faces(foot) ? arrow(project(foot), project(mix(foot, 1, vector, 0.36))) : "";
  };
  const shownStops = stops(count, share);
  parts.first.setAttribute("d", drawn(0));
  parts.arrows.setAttribute("d", shownStops.slice(1, -1).map(drawn).join(""));
  parts.last.setAttribute("d", drawn(shownStops.at(-1)));
}

/** The circle laid flat: a plane curve of the same length and geodesic curvature cot θ.
 *
 * Returns its point and the angle of its tangent at longitude φ, φ = π in the middle.
 */
export function unrolled(theta, phi) {
  const turned = (phi - PI) * cos(theta); // the tangent turns by cos θ for each radian of φ
  const bend = cos(theta) / sin(theta);
  if (Math.abs(bend) < 1e-6) return { point: [(phi - PI) * sin(theta), 0], tangent: 0 };
  return { point: [sin(turned) / bend, (1 - cos(turned)) / bend], tangent: turned };
}

function drawFlat({ parts }, theta, angles, share) {
  const count = angles.length - 1;
  const curve = Array.from({ length: 129 }, (_, i) => unrolled(theta, (i * TURN) / 128).point);
  const low = [0, 1].map((i) => Math.min(...curve.map((z) => z[i])));
  const high = [0, 1].map((i) => Math.max(...curve.map((z) => z[i])));
  const scale = (SIDE - 130) / Math.max(high[0] - low[0], high[1] - low[1]);
  const middle = low.map((value, i) => (value + high[i]) / 2);
  const to = ([x, y]) => [SIDE / 2 + scale * (x - middle[0]), SIDE / 2 - scale * (y - middle[1])];
  const drawn = (i) => {
    const { point, tangent } = unrolled(theta, (i * TURN) / count);
    // e_θ points to the right of the tangent; the arrow is turned from it towards e_φ
    const heading = tangent - PI / 2 + angles[i];
    const foot = to(point);
    return arrow(foot, [foot[0] + 52 * cos(heading), foot[1] - 52 * sin(heading)]);
  };
  parts.circle.setAttribute("d", line(curve.map(to)));
  const shownStops = stops(count, share);
  parts.first.setAttribute("d", drawn(0));
  parts.arrows.setAttribute("d", shownStops.slice(1, -1).map(drawn).join(""));
  parts.last.setAttribute("d", drawn(shownStops.at(-1)));
}

export default { render };
