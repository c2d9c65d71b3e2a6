// The tangent pusher: a point, a velocity and a curve in one plane, their images in another.
//
// The maps and `push` are pure functions, exported for the tests, which hold them to
// geomlib.symbolic. All that the figure needs is here or in the widget's state, so it also runs
// without a kernel.

// f and J are written out, J row by row. A window [left, right, bottom, top] is a square.
export const MAPS = {
  polar: {
    title: "polar coordinates", from: ["r", "θ"], to: ["x", "y"], formula: "(r cos θ, r sin θ)",
    f: ([r, s]) => [r * Math.cos(s), r * Math.sin(s)],
    J: ([r, s]) => [[Math.cos(s), -r * Math.sin(s)], [Math.sin(s), r * Math.cos(s)]],
    window: [0, 3.2, -1.6, 1.6], image: [-0.4, 4.4, -2.4, 2.4], point: [2, 0.5], velocity: [0.4, 0.6],
  },
  square: {
    title: "square of a complex number", from: ["x", "y"], to: ["a", "b"], formula: "(x² − y², 2xy)",
    f: ([x, y]) => [x * x - y * y, 2 * x * y],
    J: ([x, y]) => [[2 * x, -2 * y], [2 * y, 2 * x]],
    window: [-1.6, 1.6, -1.6, 1.6], image: [-3, 3, -3, 3], point: [0.8, 0.5], velocity: [0.5, 0.2],
  },
  fold: {
    title: "fold", from: ["x", "y"], to: ["a", "b"], formula: "(x², y)",
    f: ([x, y]) => [x * x, y],
    J: ([x]) => [[2 * x, 0], [0, 1]],
    window: [-1.6, 1.6, -1.6, 1.6], image: [-0.6, 3, -1.8, 1.8], point: [0.8, 0.3], velocity: [0.6, 0],
  },
  sphere: {
    title: "sphere, seen from above", from: ["u", "v"], to: ["x", "y"], formula: "(2u, 2v) / (u² + v² + 1)",
    f: ([u, v]) => [(2 * u) / (u * u + v * v + 1), (2 * v) / (u * u + v * v + 1)],
    J: ([u, v]) => {
      const q = u * u + v * v + 1;
      const mixed = (-4 * u * v) / (q * q);
      return [[2 / q - (4 * u * u) / (q * q), mixed], [mixed, 2 / q - (4 * v * v) / (q * q)]];
    },
    window: [-2.4, 2.4, -2.4, 2.4], image: [-1.5, 1.5, -1.5, 1.5], point: [0.6, 0], velocity: [0.6, 0],
  },
  shear: {
    title: "bent shear", from: ["x", "y"], to: ["a", "b"], formula: "(x + y²/2, y)",
    f: ([x, y]) => [x + (y * y) / 2, y],
    J: ([, y]) => [[1, y], [0, 1]],
    window: [-1.6, 1.6, -1.6, 1.6], image: [-1.8, 3, -2.4, 2.4], point: [0, 1], velocity: [0.5, 0.5],
  },
};

const apply = (J, [v, w]) => J.map(([a, b]) => a * v + b * w);

/** f(p), J(p), J(p) v, det J(p) and the rank of J(p). */
export function push(name, p, v) {
  const jacobian = MAPS[name].J(p);
  const [[a, b], [c, d]] = jacobian;
  const size = Math.hypot(a, b, c, d);
  const determinant = a * d - b * c;
  // relative to the entries, so that a small Jacobian is not taken for a singular one
  const rank = size < 1e-12 ? 0 : Math.abs(determinant) < 1e-9 * size * size ? 1 : 2;
  return { image: MAPS[name].f(p), jacobian, vector: apply(jacobian, v), determinant, rank };
}

/** γ(t) = p + t v + ½ b t² v⊥: its velocity at t = 0 is v for every bend b. */
export function curve([x, y], [v, w], bend, t) {
  const c = (bend * t * t) / 2;
  return [x + t * v - c * w, y + t * w + c * v];
}

/** The point nearest to p for which p and p + v lie in the window. */
export function clampPoint([x, y], [v, w], [left, right, bottom, top]) {
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  return [
    clamp(x, Math.max(left, left - v), Math.min(right, right - v)),
    clamp(y, Math.max(bottom, bottom - w), Math.min(top, top - w)),
  ];
}

const SIDE = 400; // of a panel, in its own units
const TIMES = Array.from({ length: 121 }, (_, i) => -1.5 + i / 40); // of the curve
const BEADS = [-1.5, -1, -0.5, 0.5, 1, 1.5]; // moments marked on the curve and on its image
const RADIUS = 0.35; // of the circle of vectors
const HEAD = 11; // length of an arrow's head
const STEP = 0.05;

function render({ model, el }) {
  const id = Math.random().toString(36).slice(2); // several figures in a page keep apart
  const view = build(id);
  const state = {
    map: model.get("map"),
    point: [...model.get("point")],
    velocity: [...model.get("velocity")],
    bend: model.get("bend"),
  };

  function draw() {
    const pushed = push(state.map, state.point, state.velocity);
    view.draw(state, pushed);
    model.set("pushed", { image: pushed.image, jacobian: pushed.jacobian, vector: pushed.vector, rank: pushed.rank });
    model.save_changes();
  }

  function change(values) {
    Object.assign(state, values);
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    draw();
  }

  // A handle goes to a place: the point keeps its vector, the tip changes it.
  function move(name, place) {
    const { window } = MAPS[state.map];
    const rounded = place.map((value) => Math.round(100 * value) / 100);
    if (name === "point") return change({ point: clampPoint(rounded, state.velocity, window) });
    const tip = clampPoint(rounded, [0, 0], window);
    // rounded again: 0.8 + 0.6 − 0.8 is not 0.6
    change({ velocity: tip.map((value, i) => Math.round(100 * (value - state.point[i])) / 100) });
  }

  function choose(map) {
    change({ map, point: MAPS[map].point, velocity: MAPS[map].velocity });
  }

  connect(view, { state, move, choose, bend: (bend) => change({ bend }) });
  el.append(view.root);
  draw();
  return follow(model, state, draw);
}

const signed = (value) => (Math.abs(value) < 0.005 ? "0.00" : value.toFixed(2).replace("-", "−"));
const pair = (values) => `(${values.map(signed).join(", ")})`;

function build(id) {
  const panels = { source: panel("source"), image: panel("image") };
  const handles = { point: handle("p", "Point p", id), velocity: handle("v", "Tip of the vector v", id) };
  panels.source.area.append(handles.point, handles.velocity);
  const select = h(
    "select",
    { id: `tp-map-${id}` },
    ...Object.entries(MAPS).map(([value, { title }]) => h("option", { value }, title)),
  );
  const bend = h("input", { type: "range", min: "-2", max: "2", step: "0.1", id: `tp-bend-${id}` });
  const readout = h("p", { class: "gw-readout tp-readout", "aria-live": "polite" });
  const cells = [0, 1, 2, 3].map(() => h("td"));
  const table = h(
    "table",
    { class: "tp-jacobian", "aria-label": "Jacobian matrix at p" },
    h("tbody", {}, h("tr", {}, cells[0], cells[1]), h("tr", {}, cells[2], cells[3])),
  );
  const help = h(
    "p",
    { class: "gw-help", id: `tp-help-${id}` },
    "Drag p or the tip of v, or focus one and press the arrow keys (Shift: larger steps). ",
    "The small circle of vectors at p becomes an ellipse; where J loses rank, a segment.",
  );
  const root = h(
    "section",
    { class: "gw tp", "aria-label": "Tangent pusher", "data-lm-suppress-shortcuts": "true" },
    h(
      "div",
      { class: "gw-controls tp-controls" },
      h("label", { for: `tp-map-${id}` }, "Map ", select),
      h("label", { for: `tp-bend-${id}` }, "Bend of the curve ", bend),
    ),
    h("div", { class: "gw-panels" }, panels.source.root, panels.image.root),
    h("div", { class: "tp-result" }, h("span", { class: "tp-name" }, "J(p) ="), table, readout),
    help,
  );

  function draw({ map, point, velocity, bend: bent }, pushed) {
    const { f, window, image, from, to, formula } = MAPS[map];
    select.value = map;
    bend.value = bent;
    bend.setAttribute("aria-valuetext", signed(bent));
    panels.source.title(`source, coordinates (${from.join(", ")})`);
    panels.image.title(`image, (${to.join(", ")}) = ${formula}`);
    const path = TIMES.map((t) => curve(point, velocity, bent, t));
    const beads = BEADS.map((t) => curve(point, velocity, bent, t));
    const circle = Array.from({ length: 73 }, (_, i) => [
      RADIUS * Math.cos((i * Math.PI) / 36),
      RADIUS * Math.sin((i * Math.PI) / 36),
    ]);
    const lines = gridLines(window);
    panels.source.draw(window, { lines, path, beads, circle, point, vector: velocity });
    panels.image.draw(image, {
      lines: lines.map((line) => line.map(f)),
      path: path.map(f),
      beads: beads.map(f),
      circle: circle.map((v) => apply(pushed.jacobian, v)),
      point: pushed.image,
      vector: pushed.vector,
    });
    pushed.jacobian.flat().forEach((value, i) => (cells[i].textContent = signed(value)));
    readout.textContent = sentence(velocity, pushed);
    place(handles.point, point, window, from);
    place(handles.velocity, point.map((x, i) => x + velocity[i]), window, from, velocity);
  }
  return { root, area: panels.source.area, handles, select, bend, draw };
}

function sentence(v, { vector, determinant, rank }) {
  const start = `v = ${pair(v)}, J v = ${pair(vector)}, det J = ${signed(determinant)}, rank ${rank}`;
  const gone = Math.hypot(...vector) < 1e-9 * Math.hypot(...v);
  return gone ? `${start}: v collapses, it lies in the kernel of J` : start;
}

// Lines of constant coordinates, nine each way, as polylines that a map can bend.
function gridLines([left, right, bottom, top]) {
  const share = Array.from({ length: 41 }, (_, i) => i / 40);
  const at = (low, high, s) => low + s * (high - low);
  return Array.from({ length: 9 }, (_, k) => k / 8).flatMap((k) => [
    share.map((s) => [at(left, right, k), at(bottom, top, s)]),
    share.map((s) => [at(left, right, s), at(bottom, top, k)]),
  ]);
}

function panel(name) {
  const [grid, ellipse, path, shaft, head] = ["grid", "circle", "path", "shaft", "head"].map((part) =>
    h("svg:path", { class: `tp-${part}` }),
  );
  const beads = h("svg:g", { class: "tp-beads" });
  const foot = h("svg:circle", { class: "tp-foot", r: 5 });
  const svg = h(
    "svg:svg",
    { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img", "aria-label": `${name} plane: curve, vector and circle of vectors` },
    grid, ellipse, path, beads, shaft, head, foot,
  );
  const area = h("div", { class: "gw-area" }, svg);
  const caption = h("figcaption");
  const [low, high] = [h("span"), h("span")];
  const root = h("figure", { class: `tp-panel tp-${name}` }, caption, area, h("div", { class: "tp-ends", "aria-hidden": "true" }, low, high));

  function draw(window, { lines, path: points, beads: marks, circle, point, vector }) {
    const to = (z) => toPanel(z, window);
    const d = (polyline) => "M" + polyline.map((z) => to(z).map((c) => c.toFixed(1)).join(" ")).join("L");
    const tip = point.map((x, i) => x + vector[i]);
    grid.setAttribute("d", lines.map(d).join(""));
    ellipse.setAttribute("d", d(circle.map((v) => point.map((x, i) => x + v[i]))));
    path.setAttribute("d", d(points));
    shaft.setAttribute("d", d([point, tip]));
    head.setAttribute("d", arrowHead(to(point), to(tip)));
    beads.replaceChildren(...marks.map((z) => h("svg:circle", { cx: to(z)[0], cy: to(z)[1], r: 3 })));
    foot.setAttribute("cx", to(point)[0]);
    foot.setAttribute("cy", to(point)[1]);
    low.textContent = `${signed(window[0])} … ${signed(window[1])} across`;
    high.textContent = `${signed(window[2])} … ${signed(window[3])} up`;
  }
  return { root, area, draw, title: (text) => (caption.textContent = text) };
}

const toPanel = ([x, y], [left, right, bottom, top]) => [
  (SIDE * (x - left)) / (right - left),
  (SIDE * (top - y)) / (top - bottom),
];

// A triangle at the tip, left out where there is no direction.
function arrowHead([x, y], [tipX, tipY]) {
  const length = Math.hypot(tipX - x, tipY - y);
  if (length < 1) return "";
  const size = Math.min(HEAD, 0.6 * length);
  const [a, b] = [((tipX - x) / length) * size, ((tipY - y) / length) * size];
  const corner = (side) => `${(tipX - a + side * 0.5 * b).toFixed(1)} ${(tipY - b - side * 0.5 * a).toFixed(1)}`;
  return `M${tipX.toFixed(1)} ${tipY.toFixed(1)}L${corner(1)}L${corner(-1)}Z`;
}

function handle(letter, label, id) {
  return h(
    "div",
    { class: `gw-handle tp-handle tp-handle-${letter}`, role: "slider", tabindex: "0", "aria-label": label, "aria-describedby": `tp-help-${id}` },
    h("span", {}, letter),
  );
}

function place(element, z, window, names, components = null) {
  const [left, top] = toPanel(z, window);
  element.style.left = `${(100 * left) / SIDE}%`;
  element.style.top = `${(100 * top) / SIDE}%`;
  element.setAttribute("aria-valuemin", window[0].toFixed(2));
  element.setAttribute("aria-valuemax", window[1].toFixed(2));
  element.setAttribute("aria-valuenow", z[0].toFixed(2));
  const text = names.map((name, i) => `${name} = ${signed(z[i])}`).join(", ");
  element.setAttribute("aria-valuetext", components ? `${text}; v = ${pair(components)}` : text);
}

// Pointer, keyboard, the list of maps and the bend.
function connect(view, { state, move, choose, bend }) {
  const toPlane = (event) => {
    const box = view.area.getBoundingClientRect();
    const [left, right, bottom, top] = MAPS[state.map].window;
    return [
      left + ((right - left) * (event.clientX - box.left)) / box.width,
      top - ((top - bottom) * (event.clientY - box.top)) / box.height,
    ];
  };
  const where = (name) =>
    name === "point" ? state.point : state.point.map((x, i) => x + state.velocity[i]);
  for (const [name, element] of Object.entries(view.handles)) {
    const press = (arrow, large) => {
      const size = large ? 4 * STEP : STEP;
      move(name, where(name).map((value, i) => value + size * arrow[i]));
    };
    movable(element, (event) => move(name, toPlane(event)), press);
  }
  view.select.addEventListener("change", () => choose(view.select.value));
  view.bend.addEventListener("input", () => bend(Number(view.bend.value)));
}

export default { render };
