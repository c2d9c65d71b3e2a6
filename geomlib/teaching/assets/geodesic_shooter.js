// The geodesic shooter: a point and a direction in a chart, and the geodesic that leaves there,
// drawn in the chart and on the surface.
//
// The surfaces and `shoot` are pure, exported for the tests, which hold them to geomlib. All that
// the figure needs is here or in the widget's state, so it also runs without a kernel.

const { PI, cos, sin, hypot } = Math;
const TURN = 2 * PI;

// Both are surfaces of revolution: x[0] runs along the profile, x[1] turns about the axis.
// `speed` is |∂₁|, `ring` is |∂₂|, the distance from the axis; `accelerate` gives −Γ(v, v).
export const SURFACES = {
  sphere: {
    title: "sphere", names: ["θ", "φ"], up: -1, // colatitude grows downwards
    window: [0, PI], point: [1.2, -0.6], size: 1.12, tilt: 0.5,
    speed: 1,
    ring: ([theta]) => sin(theta),
    // Γ^θ_φφ = −sin θ cos θ, Γ^φ_θφ = cot θ
    accelerate: ([theta], [a, b]) => [sin(theta) * cos(theta) * b * b, (-2 * cos(theta) * a * b) / sin(theta)],
    embed: ([theta, phi]) => [sin(theta) * cos(phi), sin(theta) * sin(phi), cos(theta)],
    inside: ([x, y, z]) => x * x + y * y + z * z < 1 - 1e-6,
  },
  torus: {
    title: "torus, R = 2 and r = 1", names: ["u", "v"], up: 1,
    window: [-PI, PI], point: [0, -0.6], size: 3.15, tilt: 0.75,
    speed: 1,
    ring: ([u]) => 2 + cos(u),
    // Γ^u_vv = (2 + cos u) sin u, Γ^v_uv = −sin u / (2 + cos u)
    accelerate: ([u], [a, b]) => [-(2 + cos(u)) * sin(u) * b * b, (2 * sin(u) * a * b) / (2 + cos(u))],
    embed: ([u, v]) => [(2 + cos(u)) * cos(v), (2 + cos(u)) * sin(v), sin(u)],
    inside: ([x, y, z]) => (hypot(x, y) - 2) ** 2 + z * z < 1 - 1e-6,
  },
};

/** The unit vector at p that makes the angle α with the parallel, as components in the chart. */
export function direction(name, p, angle) {
  const { up, speed, ring } = SURFACES[name];
  return [(up * sin(angle)) / speed, cos(angle) / ring(p)];
}

/** The geodesic from p with unit speed, by the classical Runge-Kutta method.
 *
 * Steps shrink with the distance from the axis. At a pole the chart ends: the path stops there,
 * and `complete` is false. `clairaut` holds ring² · x₂′ at the start and at the end.
 */
export function shoot(name, p, angle, length) {
  const { ring, accelerate } = SURFACES[name];
  const rate = ([x, y, a, b]) => [a, b, ...accelerate([x, y], [a, b])];
  const add = (s, k, h) => s.map((value, i) => value + h * k[i]);
  let state = [...p, ...direction(name, p, angle)];
  let gone = 0;
  const states = [state];
  while (gone < length - 1e-12 && ring(state) > 0.01) {
    const h = Math.min(length - gone, 0.02 * Math.min(1, ring(state)));
    const k1 = rate(state);
    const k2 = rate(add(state, k1, h / 2));
    const k3 = rate(add(state, k2, h / 2));
    const k4 = rate(add(state, k3, h));
    state = state.map((value, i) => value + (h / 6) * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]));
    gone += h;
    states.push(state);
  }
  const clairaut = [states[0], state].map((s) => ring(s) ** 2 * s[3]);
  return { states, length: gone, complete: gone >= length - 1e-12, clairaut };
}

/** Where a geodesic with this constant turns back: x₁ with ring = |c|, or nothing. */
export function turningPoints(name, c) {
  const radius = Math.abs(c);
  if (name === "sphere") return radius < 1 ? [Math.asin(radius), PI - Math.asin(radius)] : [];
  return radius > 1 && radius < 3 ? [-Math.acos(radius - 2), Math.acos(radius - 2)] : [];
}

const SIDE = 400; // of a panel, in its own units
const MARGIN = 46; // round the chart, so that the arrow has room
const ARROW = 44;

/** Seen from far away: across, up, and the unit vector towards the eye. */
function camera(turn, tilt, size) {
  const eye = [cos(turn) * cos(tilt), sin(turn) * cos(tilt), sin(tilt)];
  const scale = SIDE / 2 / size;
  const project = ([x, y, z]) => [
    SIDE / 2 + scale * (cos(turn) * y - sin(turn) * x),
    SIDE / 2 - scale * (z * cos(tilt) - (cos(turn) * x + sin(turn) * y) * sin(tilt)),
  ];
  return { eye, project };
}

// Nothing of the surface may lie between a visible point and the eye.
function visible(surface, x, eye) {
  for (let s = 0.06; s < 6; s += 0.12) {
    if (surface.inside(x.map((value, i) => value + s * eye[i]))) return false;
  }
  return true;
}

const wrap = (x) => x - TURN * Math.round(x / TURN);

function render({ model, el }) {
  const id = Math.random().toString(36).slice(2); // several figures in a page keep apart
  const view = build(id);
  const names = ["surface", "point", "angle", "length", "turn"];
  const state = Object.fromEntries(names.map((name) => [name, model.get(name)]));

  function draw() {
    const path = shoot(state.surface, state.point, state.angle, state.length);
    view.draw(state, path);
    const [x, y, a, b] = path.states.at(-1);
    model.set("arrived", { point: [x, y], velocity: [a, b], length: path.length, clairaut: path.clairaut, complete: path.complete });
    model.save_changes();
  }

  function change(values) {
    Object.assign(state, values);
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    draw();
  }

  function move(place) {
    const [low, high] = SURFACES[state.surface].window;
    const edge = state.surface === "sphere" ? 0.15 : 0; // the chart has no point at the pole
    const clamp = (value, from, to) => Math.min(Math.max(value, from), to);
    const rounded = place.map((value) => Math.round(100 * value) / 100);
    change({ point: [clamp(rounded[0], low + edge, high - edge), clamp(rounded[1], -PI, PI)] });
  }

  connect(view, {
    state,
    move,
    aim: (angle) => change({ angle: wrap(Math.round(200 * angle) / 200) }),
    choose: (surface) => change({ surface, point: SURFACES[surface].point }),
    set: (name, value) => change({ [name]: value }),
  });
  el.append(view.root);
  draw();
  return follow(model, state, draw);
}

const shown = (value, digits = 2) => value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");

function slider(id, name, label, low, high, step) {
  const input = h("input", { type: "range", id: `gs-${name}-${id}`, min: low, max: high, step });
  return { input, row: h("label", { for: `gs-${name}-${id}` }, `${label} `, input) };
}

function build(id) {
  const select = h(
    "select",
    { id: `gs-surface-${id}` },
    ...Object.entries(SURFACES).map(([value, { title }]) => h("option", { value }, title)),
  );
  const length = slider(id, "length", "Length", 0.5, 40, 0.5);
  const turn = slider(id, "turn", "Turn the surface", -3.1, 3.1, 0.1);
  const chart = panel("chart", "chart with the geodesic", ["frame", "limit", "path", "shaft", "head"]);
  const body = panel("body", "surface with the geodesic", ["back", "grid", "limit", "behind", "path", "shaft", "head"]);
  const handles = { point: handle("p", "Point p", id), tip: handle("v", "Direction v", id) };
  chart.area.append(handles.point, handles.tip);
  const readout = h("p", { class: "gw-readout", "aria-live": "polite" });
  const root = h(
    "section",
    { class: "gw gs", "aria-label": "Geodesic shooter", "data-lm-suppress-shortcuts": "true" },
    h("div", { class: "gw-controls gs-controls" }, h("label", { for: `gs-surface-${id}` }, "Surface ", select), length.row, turn.row),
    h("div", { class: "gw-panels" }, chart.root, body.root),
    readout,
    h(
      "p",
      { class: "gw-help", id: `gs-help-${id}` },
      "Drag p or v in the chart, or focus one and press the arrow keys (Shift: larger steps). ",
      "Dashed: the parallels of radius |c|, which the geodesic touches and does not cross.",
    ),
  );

  function draw({ surface, point, angle, length: wanted, turn: azimuth }, path) {
    const geometry = SURFACES[surface];
    select.value = surface;
    length.input.value = wanted;
    length.input.setAttribute("aria-valuetext", shown(wanted, 1));
    turn.input.value = azimuth;
    turn.input.setAttribute("aria-valuetext", shown(azimuth, 1));
    chart.caption.textContent = `chart: ${geometry.names[1]} across, ${geometry.names[0]} ${geometry.up > 0 ? "up" : "down"}`;
    body.caption.textContent = geometry.title;
    const limits = turningPoints(surface, path.clairaut[0]);
    drawChart(chart, surface, point, angle, path, limits, handles);
    drawBody(body, surface, point, angle, path, limits, azimuth);
    readout.textContent = sentence(surface, path, limits);
  }
  return { root, area: chart.area, handles, select, inputs: { length: length.input, turn: turn.input }, draw };
}

function sentence(surface, { length, clairaut, complete }, limits) {
  const end = complete ? "" : " The path ends at a pole: there the chart ends too, and Γ is infinite.";
  const [name] = SURFACES[surface].names;
  const between = limits.length
    ? `it stays where ${name} lies between ${shown(limits[0])} and ${shown(limits[1])}`
    : "it meets every parallel";
  const kept = surface === "sphere" && !limits.length ? "it runs along the equator" : between;
  return `Length ${shown(length)}. Clairaut: ring · cos α = ${shown(clairaut[0], 4)} at the start, ${shown(clairaut[1], 4)} at the end; ${kept}.${end}`;
}

// Chart coordinates to panel units and back.
export function toPanel(surface, [x, y]) {
  const { window: [low, high], up } = SURFACES[surface];
  const inner = SIDE - 2 * MARGIN;
  const share = (x - low) / (high - low);
  return [MARGIN + (inner * (y + PI)) / TURN, MARGIN + inner * (up > 0 ? 1 - share : share)];
}

function fromPanel(surface, [across, down]) {
  const { window: [low, high], up } = SURFACES[surface];
  const inner = SIDE - 2 * MARGIN;
  const share = (down - MARGIN) / inner;
  return [low + (high - low) * (up > 0 ? 1 - share : share), -PI + (TURN * (across - MARGIN)) / inner];
}

const line = (points) => "M" + points.map((z) => z.map((c) => c.toFixed(1)).join(" ")).join("L");

// The tip lies in the direction of v as the chart shows it; only the direction counts.
function tipOf(surface, point, angle) {
  const foot = toPanel(surface, point);
  const v = direction(surface, point, angle);
  const far = toPanel(surface, point.map((x, i) => x + 1e-3 * v[i]));
  const [a, b] = [far[0] - foot[0], far[1] - foot[1]];
  return [foot[0] + (ARROW * a) / hypot(a, b), foot[1] + (ARROW * b) / hypot(a, b)];
}

/** The angle α of the vector that points from p to a place in the panel. */
export function aimed(surface, point, place) {
  const { up, speed, ring } = SURFACES[surface];
  const at = fromPanel(surface, place);
  return Math.atan2(up * (at[0] - point[0]) * speed, (at[1] - point[1]) * ring(point));
}

function drawChart({ parts, foot }, surface, point, angle, path, limits, handles) {
  const { window: [low, high], names } = SURFACES[surface];
  const corners = [[low, -PI], [low, PI], [high, PI], [high, -PI], [low, -PI]];
  parts.frame.setAttribute("d", line(corners.map((z) => toPanel(surface, z))));
  parts.limit.setAttribute("d", limits.map((x) => line([[x, -PI], [x, PI]].map((z) => toPanel(surface, z)))).join(""));
  const folded = path.states.map(([x, y]) => [surface === "torus" ? wrap(x) : x, wrap(y)]);
  const pieces = split(folded, (z, before) => hypot(z[0] - before[0], z[1] - before[1]) > PI);
  parts.path.setAttribute("d", pieces.map((piece) => line(piece.map((z) => toPanel(surface, z)))).join(""));
  const [from, tip] = [toPanel(surface, point), tipOf(surface, point, angle)];
  parts.shaft.setAttribute("d", line([from, tip]));
  parts.head.setAttribute("d", arrowHead(from, tip));
  foot.setAttribute("transform", `translate(${from})`);
  place(handles.point, from, point[0], low, high, names.map((name, i) => `${name} = ${shown(point[i])}`).join(", "));
  place(handles.tip, tip, angle, -PI, PI, `angle with the parallel ${shown(angle)}`);
}

function drawBody({ parts, foot }, surface, point, angle, path, limits, azimuth) {
  const geometry = SURFACES[surface];
  const { eye, project } = camera(azimuth, geometry.tilt, geometry.size);
  const round = Array.from({ length: 73 }, (_, i) => -PI + (i * TURN) / 72);
  const [low, high] = geometry.window;
  const along = Array.from({ length: 61 }, (_, i) => low + ((high - low) * i) / 60);
  const grid = [
    ...Array.from({ length: 12 }, (_, k) => round.map((y) => [low + ((high - low) * k) / 12, y])),
    ...Array.from({ length: 16 }, (_, k) => along.map((x) => [x, (k * PI) / 8])),
  ];
  const put = (front, back, lines) => {
    const drawn = { true: [], false: [] };
    for (const points of lines) {
      const places = points.map(geometry.embed);
      const seen = places.map((x) => visible(geometry, x, eye));
      places.slice(1).forEach((x, i) => drawn[seen[i] && seen[i + 1]].push([project(places[i]), project(x)]));
    }
    parts[front].setAttribute("d", joined(drawn.true));
    parts[back]?.setAttribute("d", joined(drawn.false));
  };
  put("grid", "back", grid);
  put("path", "behind", [path.states.map(([x, y]) => [x, y])]);
  put("limit", null, limits.map((x) => round.map((y) => [x, y])));
  // the arrow is the pushed-forward unit vector, a fifth of the picture long
  const v = direction(surface, point, angle);
  const at = geometry.embed(point);
  const ahead = geometry.embed(point.map((x, i) => x + 1e-5 * v[i]));
  const tip = at.map((x, i) => x + (0.35 * geometry.size * (ahead[i] - x)) / 1e-5);
  const front = visible(geometry, at, eye);
  parts.shaft.setAttribute("d", front ? line([project(at), project(tip)]) : "");
  parts.head.setAttribute("d", front ? arrowHead(project(at), project(tip)) : "");
  foot.setAttribute("transform", `translate(${project(at)})`);
  foot.style.opacity = front ? 1 : 0.35;
}

// Segments that continue each other become one polyline, so that dashes run through.
function joined(segments) {
  let last = null;
  return segments
    .map(([from, to]) => {
      const goesOn = last && hypot(from[0] - last[0], from[1] - last[1]) < 1e-9;
      last = to;
      return `${goesOn ? "" : `M${from.map((c) => c.toFixed(1)).join(" ")}`}L${to.map((c) => c.toFixed(1)).join(" ")}`;
    })
    .join("");
}

function split(points, jumps) {
  const pieces = [[points[0]]];
  for (let i = 1; i < points.length; i++) {
    if (jumps(points[i], points[i - 1])) pieces.push([]);
    pieces.at(-1).push(points[i]);
  }
  return pieces;
}

function panel(name, label, classes) {
  const parts = Object.fromEntries(classes.map((part) => [part, h("svg:path", { class: `gs-${part}` })]));
  const foot = h("svg:circle", { class: "gs-foot", r: 5 });
  const svg = h("svg:svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img", "aria-label": label }, ...Object.values(parts), foot);
  const area = h("div", { class: "gw-area" }, svg);
  const caption = h("figcaption");
  return { root: h("figure", { class: `gs-${name}` }, caption, area), area, caption, parts, foot };
}

// A triangle at the tip, left out where there is no direction.
function arrowHead([x, y], [tipX, tipY]) {
  const length = hypot(tipX - x, tipY - y);
  if (length < 1) return "";
  const size = Math.min(12, 0.6 * length);
  const [a, b] = [((tipX - x) / length) * size, ((tipY - y) / length) * size];
  return `${line([[tipX, tipY], [tipX - a + b / 2, tipY - b - a / 2], [tipX - a - b / 2, tipY - b + a / 2]])}Z`;
}

function handle(letter, label, id) {
  return h(
    "div",
    { class: `gw-handle gs-handle gs-handle-${letter}`, role: "slider", tabindex: "0", "aria-label": label, "aria-describedby": `gs-help-${id}` },
    h("span", {}, letter),
  );
}

function place(element, [left, top], value, low, high, text) {
  element.style.left = `${(100 * left) / SIDE}%`;
  element.style.top = `${(100 * top) / SIDE}%`;
  element.setAttribute("aria-valuemin", low.toFixed(2));
  element.setAttribute("aria-valuemax", high.toFixed(2));
  element.setAttribute("aria-valuenow", value.toFixed(2));
  element.setAttribute("aria-valuetext", text);
}

// Pointer, keyboard, the list of surfaces and the two sliders.
function connect(view, { state, move, aim, choose, set }) {
  const inPanel = (event) => {
    const box = view.area.getBoundingClientRect();
    return [(SIDE * (event.clientX - box.left)) / box.width, (SIDE * (event.clientY - box.top)) / box.height];
  };
  const drag = {
    point: (event) => move(fromPanel(state.surface, inPanel(event))),
    tip: (event) => aim(aimed(state.surface, state.point, inPanel(event))),
  };
  const press = {
    point: ([right, up], size) => move([state.point[0] + SURFACES[state.surface].up * up * size, state.point[1] + right * size]),
    tip: ([right, up], size) => aim(state.angle + (up - right) * size), // up and left turn it on
  };
  for (const [name, element] of Object.entries(view.handles)) {
    movable(element, drag[name], (arrow, large) => press[name](arrow, large ? 0.2 : 0.05));
  }
  view.select.addEventListener("change", () => choose(view.select.value));
  for (const [name, input] of Object.entries(view.inputs)) {
    input.addEventListener("input", () => set(name, Number(input.value)));
  }
}

export default { render };
