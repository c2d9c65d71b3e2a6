// A circle, K arcs of equal length, and what their nerves say of its topology.
//
// Nerves and their homology are pure functions, exported for the tests, which hold them to
// geomlib.models. All that the figure needs is here, so it also runs without a kernel.

export const MOST = 8; // arcs
export const WIDTHS = [0.55, 3.95]; // of an arc, in spacings 2π/K; no whole number is reached
export const STEP = 0.1;

/** The greatest width: an arc does not come round to itself. */
export const widest = (K) => Math.min(WIDTHS[1], K - 0.05);

/** Which arcs hold each of the pieces that the ends of all arcs cut the circle into, in order. */
export function pieces(K, width) {
  const ends = [];
  for (let i = 0; i < K; i++) ends.push((i + width / 2) % K, (i - width / 2 + K) % K);
  ends.sort((a, b) => a - b);
  const cuts = ends.filter((end, n) => n === 0 || end - ends[n - 1] > 1e-9);
  return cuts.map((start, n) => {
    const length = n + 1 < cuts.length ? cuts[n + 1] - start : cuts[0] + K - start;
    const middle = (start + length / 2) % K;
    const arcs = [];
    for (let i = 0; i < K; i++) {
      const away = Math.abs(middle - i);
      if (Math.min(away, K - away) < width / 2) arcs.push(i);
    }
    return { length, arcs };
  });
}

/** The cells {charts, part} of the nerve up to a dimension; part is the piece of the circle, as
 *  numbers of `pieces`. Each intersection is one cell, or (multi) each of its components. */
export function cells(K, width, multi, dimension = 3) {
  const held = pieces(K, width);
  const found = [];
  for (const charts of subsets(K, dimension + 1)) {
    const common = held.map(({ arcs }) => charts.every((i) => arcs.includes(i)));
    for (const part of multi ? runs(common) : whole(common)) found.push({ charts, part });
  }
  return found;
}

/** Betti numbers b₀, b₁, b₂ over ℤ/2. */
export function betti(found) {
  const byDimension = [0, 1, 2, 3].map((k) => found.filter(({ charts }) => charts.length === k + 1));
  const ranks = [0, ...[1, 2, 3].map((k) => rank(boundary(byDimension[k], byDimension[k - 1])))];
  return [0, 1, 2].map((k) => byDimension[k].length - ranks[k] - ranks[k + 1]);
}

/** The share of the circle that the arcs cover. */
export const covered = (K, width) =>
  pieces(K, width).reduce((sum, { length, arcs }) => sum + (arcs.length ? length : 0), 0) / K;

function* subsets(K, size, from = 0) {
  for (let i = from; i < K; i++) {
    yield [i];
    if (size > 1) for (const rest of subsets(K, size - 1, i + 1)) yield [i, ...rest];
  }
}

const numbers = (flags) => flags.flatMap((flag, n) => (flag ? [n] : []));
const whole = (flags) => (flags.includes(true) ? [numbers(flags)] : []);

// The runs of neighbours that are true, around the circle.
function runs(flags) {
  const first = flags.indexOf(false);
  if (first < 0) return whole(flags);
  const found = [[]];
  for (let n = 0; n < flags.length; n++) {
    const place = (first + n) % flags.length;
    if (flags[place]) found[found.length - 1].push(place);
    else if (found[found.length - 1].length) found.push([]);
  }
  return found.filter((run) => run.length);
}

// For each cell its faces, as numbers: the cells with one chart less that hold its part.
function boundary(above, below) {
  return above.map(({ charts, part }) =>
    charts.map((left) =>
      below.findIndex(
        (face) =>
          face.part.includes(part[0]) && face.charts.every((i) => i !== left && charts.includes(i)),
      ),
    ),
  );
}

// The rank over ℤ/2 of a matrix whose rows are given by the places of their ones.
function rank(rows) {
  const pivots = new Map();
  for (const places of rows) {
    const row = new Set(places);
    while (row.size) {
      const lead = Math.max(...row);
      if (!pivots.has(lead)) {
        pivots.set(lead, row);
        break;
      }
      for (const place of pivots.get(lead)) row.has(place) ? row.delete(place) : row.add(place);
    }
  }
  return pivots.size;
}

const SIZE = 400; // of a panel, in its own units
const RADIUS = 105; // of the circle
const GAP = 10; // from the ring of one arc to that of the next

function render({ model, el }) {
  const view = build(Math.random().toString(36).slice(2)); // several figures in a page keep apart
  const state = { charts: model.get("charts"), width: model.get("width") };

  function draw() {
    const { charts: K, width } = state;
    const simple = cells(K, width, false);
    const multi = cells(K, width, true);
    const found = { covered: covered(K, width), nerve: betti(simple), multinerve: betti(multi) };
    view.draw(state, multi, found);
    model.set("measured", found);
    model.save_changes();
  }

  function change(name, value) {
    state[name] = value;
    state.width = Math.min(state.width, widest(state.charts));
    model.set(state);
    draw();
  }

  view.count.addEventListener("input", () => change("charts", Number(view.count.value)));
  view.reach.addEventListener("input", () => change("width", Number(Number(view.reach.value).toFixed(2))));
  el.append(view.root);
  draw();
  return follow(model, state, draw);
}

function build(id) {
  const count = h("input", { type: "range", id: `ae-charts-${id}`, min: 1, max: MOST, step: 1 });
  const reach = h("input", { type: "range", id: `ae-width-${id}`, min: WIDTHS[0], step: STEP });
  const [counted, reached] = [count, reach].map((input) => h("output", { for: input.id, "aria-hidden": "true" }));
  const circle = circlePanel();
  const nerve = nervePanel();
  const table = h("tbody");
  const readout = h("p", { class: "gw-readout", "aria-live": "polite" });
  const root = h(
    "section",
    { class: "gw ae", "aria-label": "Arcs of a circle and their nerve", "data-lm-suppress-shortcuts": "true" },
    h(
      "div",
      { class: "gw-controls ae-controls" },
      h("label", { for: count.id }, "Charts K ", count, counted),
      h("label", { for: reach.id }, "Length of a chart ", reach, reached),
    ),
    h("div", { class: "gw-panels" }, circle.root, nerve.root),
    readout,
    h(
      "p",
      { class: "gw-help" },
      "Charts are open arcs, drawn outside the circle for the eye; a dotted part of the circle is in no chart. ",
      "On the right a point for each chart, a line for each piece in which two charts meet (a second piece is ",
      "dashed), a shaded triangle where three meet. Lengths are in steps from one chart's middle to the next.",
    ),
  );

  function draw({ charts: K, width }, multi, found) {
    reach.max = widest(K).toFixed(2);
    count.value = K;
    reach.value = width;
    counted.textContent = K;
    reached.textContent = width.toFixed(2);
    reach.setAttribute("aria-valuetext", `${width.toFixed(2)} steps`);
    circle.draw(K, width);
    nerve.draw(K, multi);
    readout.textContent = summary(K, found);
  }
  return { root, count, reach, draw };
}

function summary(K, { covered: share, nerve, multinerve }) {
  const say = (numbers) => `(${numbers.join(", ")})`;
  const truth = share > 1 - 1e-9 ? [1, 1, 0] : [K, 0, 0];
  const right = (numbers) => (say(numbers) === say(truth) ? "right" : "wrong");
  return (
    `Covered: ${Math.round(100 * share)} %, with Betti numbers ${say(truth)}. ` +
    `Čech nerve ${say(nerve)}: ${right(nerve)}. Multinerve ${say(multinerve)}: ${right(multinerve)}.`
  );
}

const place = (turn, radius) => {
  const angle = 2 * Math.PI * turn - Math.PI / 2; // chart 1 on top, clockwise
  return [SIZE / 2 + radius * Math.cos(angle), SIZE / 2 + radius * Math.sin(angle)].map((c) => Number(c.toFixed(1)));
};

function arc(from, to, radius) {
  const [start, end] = [place(from, radius), place(to, radius)];
  return `M${start.join(" ")}A${radius} ${radius} 0 ${to - from > 0.5 ? 1 : 0} 1 ${end.join(" ")}`;
}

const named = (i, turn, radius) => {
  const [x, y] = place(turn, radius);
  return h("svg:text", { x, y: y + 6, "text-anchor": "middle" }, String(i + 1));
};

function circlePanel() {
  const svg = h("svg:svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img" });
  const root = h("figure", {}, h("figcaption", {}, "The charts"), h("div", { class: "gw-area" }, svg));

  function draw(K, width) {
    const base = [h("svg:circle", { class: "ae-circle", cx: SIZE / 2, cy: SIZE / 2, r: RADIUS })];
    const ends = Array.from({ length: K }, (_, i) => [(i - width / 2) / K, (i + width / 2) / K]);
    for (const [from, to] of ends) base.push(h("svg:path", { class: "ae-covered", d: arc(from, to, RADIUS) }));
    const arcs = ends.map(([from, to], i) => {
      const radius = RADIUS + GAP * (i + 1.2);
      return h("svg:path", { class: `ae-arc ae-dash-${i % 4}`, d: arc(from, to, radius) });
    });
    const names = ends.map((_, i) => named(i, i / K, RADIUS - 22));
    svg.replaceChildren(...base, ...arcs, ...names);
    svg.setAttribute("aria-label", `A circle and ${K} arcs around it, each ${width.toFixed(2)} steps long`);
  }
  return { root, draw };
}

function nervePanel() {
  const svg = h("svg:svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img" });
  const root = h("figure", {}, h("figcaption", {}, "Their nerve"), h("div", { class: "gw-area" }, svg));

  function draw(K, multi) {
    const at = (i) => place(i / K, K === 1 ? 0 : 140);
    const of = (size) => multi.filter(({ charts }) => charts.length === size);
    const triangles = of(3).map(({ charts }) => h("svg:path", { class: "ae-triangle", d: `M${charts.map((i) => at(i).join(" ")).join("L")}Z` }));
    const seen = {};
    const edges = of(2).map(({ charts }) => {
      const [p, q] = charts.map(at);
      const number = (seen[charts] = (seen[charts] ?? -1) + 1);
      const double = of(2).filter((other) => String(other.charts) === String(charts)).length > 1;
      const bend = double ? (number ? 0.22 : -0.22) : 0;
      const middle = [(p[0] + q[0]) / 2 + bend * (q[1] - p[1]), (p[1] + q[1]) / 2 - bend * (q[0] - p[0])];
      return h("svg:path", { class: number ? "ae-edge ae-second" : "ae-edge", d: `M${p.join(" ")}Q${middle.map((c) => c.toFixed(1)).join(" ")} ${q.join(" ")}` });
    });
    const vertices = Array.from({ length: K }, (_, i) => {
      const [cx, cy] = at(i);
      return h("svg:g", { class: "ae-vertex" }, h("svg:circle", { cx, cy, r: 15 }), h("svg:text", { x: cx, y: cy + 5, "text-anchor": "middle" }, String(i + 1)));
    });
    svg.replaceChildren(...triangles, ...edges, ...vertices);
    const counts = `${K} points, ${edges.length} lines, ${triangles.length} triangles`;
    svg.setAttribute("aria-label", `The multinerve: ${counts}`);
  }
  return { root, draw };
}

export default { render };
