// The energy explorer: a polygon in the target space, and what two constants make of its energy.
//
// The curves and `measure` are pure functions, exported for the tests, which hold them to
// geomlib.riemann. All that the figure needs is here or in the widget's state, so it also runs
// without a kernel.

const saddle = ([u, v]) => [u, v, u * v];
const bowl = ([u, v]) => [u, v, (u * u + v * v) / 2];
const angles = ([s, p]) => [Math.sin(s) * Math.cos(p), Math.sin(s) * Math.sin(p), Math.cos(s)];
const TURN = 2 * Math.PI;

// g is the map, latent the curve in its source, velocity that of g ∘ latent, written out.
// patch is the part of the source [from, to, from, to] that is drawn, view two angles.
export const CURVES = {
  cubic: {
    title: "(t, t²) on the saddle (u, v, uv)",
    g: saddle,
    latent: (t) => [t, t * t],
    velocity: (t) => [1, 2 * t, 3 * t * t],
    patch: [0, 1, 0, 1],
    view: [-0.9, 0.5],
  },
  sphere: {
    title: "a straight line of the chart of angles, on the sphere",
    g: angles,
    latent: (t) => [0.4 + 0.5 * t, 2.4 * t - 1.2],
    velocity: (t) => {
      const [s, p] = [0.4 + 0.5 * t, 2.4 * t - 1.2];
      return [
        0.5 * Math.cos(s) * Math.cos(p) - 2.4 * Math.sin(s) * Math.sin(p),
        0.5 * Math.cos(s) * Math.sin(p) + 2.4 * Math.sin(s) * Math.cos(p),
        -0.5 * Math.sin(s),
      ];
    },
    patch: [0.01, 1.2, -1.6, 1.6],
    view: [0, 0.75],
  },
  turn: {
    title: "one turn round the bowl (u, v, (u² + v²)/2)",
    g: bowl,
    latent: (t) => [Math.cos(TURN * t), Math.sin(TURN * t)],
    velocity: (t) => [-TURN * Math.sin(TURN * t), TURN * Math.cos(TURN * t), 0],
    patch: [-1.1, 1.1, -1.1, 1.1],
    view: [-0.9, 0.75],
  },
  parabola: {
    title: "the parabola (z, z²), from z = −1 to 1",
    g: ([z]) => [z, z * z],
    latent: (t) => [2 * t - 1],
    velocity: (t) => [2, 4 * (2 * t - 1)],
    patch: [-1.2, 1.2],
    view: null,
  },
};

/** When the path is at which of its points: τ(t) = t − a sin(2πt)/2π, and τ′(t). */
export const tau = (t, a) => t - (a * Math.sin(TURN * t)) / TURN;
const tauSlope = (t, a) => 1 - a * Math.cos(TURN * t);

/** x_i = g(γ(τ(i/N))), i = 0, …, N. */
export function vertices(name, N, a) {
  const { g, latent } = CURVES[name];
  return Array.from({ length: N + 1 }, (_, i) => g(latent(tau(i / N, a))));
}

/** Length, and energy with N/2 and with the post's 1/(2N), of the polygon with N segments. */
export function measure(name, N, a) {
  const x = vertices(name, N, a);
  const chords = x.slice(1).map((p, i) => Math.hypot(...p.map((c, k) => c - x[i][k])));
  const squares = chords.reduce((sum, chord) => sum + chord * chord, 0);
  return {
    length: chords.reduce((sum, chord) => sum + chord, 0),
    energy: (N / 2) * squares,
    post: squares / (2 * N),
  };
}

// Gauss-Legendre with three nodes a panel, on 200 panels of [0, 1].
function integral(f) {
  const panels = 200;
  const nodes = [[-Math.sqrt(0.6), 5 / 18], [0, 8 / 18], [Math.sqrt(0.6), 5 / 18]];
  let sum = 0;
  for (let i = 0; i < panels; i++)
    for (const [node, weight] of nodes) sum += weight * f((i + (node + 1) / 2) / panels);
  return sum / panels;
}

/** ∫‖x′‖ dt and ½ ∫‖x′‖² dt of the curve walked at the times τ. */
export function truth(name, a) {
  const speed = (t) => Math.hypot(...CURVES[name].velocity(tau(t, a))) * tauSlope(t, a);
  return { length: integral(speed), energy: integral((t) => speed(t) ** 2) / 2 };
}

const MOST = 64;
const SIDE = 400; // of a panel, in its own units
const COUNTS = Array.from({ length: MOST }, (_, i) => i + 1);

function render({ model, el }) {
  const id = Math.random().toString(36).slice(2); // several figures in a page keep apart
  const view = build(id);
  const names = ["curve", "segments", "unevenness"];
  const state = Object.fromEntries(names.map((name) => [name, model.get(name)]));

  function draw() {
    const { curve, segments, unevenness } = state;
    const exact = truth(curve, unevenness);
    const ours = measure(curve, segments, unevenness);
    view.draw(state, exact, ours);
    model.set("measured", { ...ours, true_energy: exact.energy, true_length: exact.length });
    model.save_changes();
  }

  function change(name, value) {
    state[name] = value;
    model.set(name, value);
    draw();
  }

  view.select.addEventListener("change", () => change("curve", view.select.value));
  view.segments.addEventListener("input", () => change("segments", Number(view.segments.value)));
  view.uneven.addEventListener("input", () => change("unevenness", Number(view.uneven.value)));
  el.append(view.root);
  draw();
  return follow(model, state, draw);
}

function slider(id, label, min, max, step) {
  const input = h("input", { type: "range", id, min, max, step });
  const value = h("output", { for: id, "aria-hidden": "true" });
  return { input, value, root: h("label", { for: id }, label, input, value) };
}

function build(id) {
  const options = Object.entries(CURVES).map(([value, { title }]) => h("option", { value }, title));
  const select = h("select", { id: `ee-curve-${id}` }, ...options);
  const segments = slider(`ee-segments-${id}`, "Segments N ", 1, MOST, 1);
  const uneven = slider(`ee-uneven-${id}`, "Unevenness ", 0, 0.9, 0.05);
  const space = target();
  const plot = energies();
  const table = results();
  const readout = h("p", { class: "gw-readout", "aria-live": "polite" });
  const root = h(
    "section",
    { class: "gw ee", "aria-label": "Energy explorer", "data-lm-suppress-shortcuts": "true" },
    h(
      "div",
      { class: "gw-controls ee-controls" },
      h("label", { for: `ee-curve-${id}` }, "Curve ", select),
      segments.root,
      uneven.root,
    ),
    h("div", { class: "gw-panels" }, space.root, plot.root),
    table.root,
    readout,
    h(
      "p",
      { class: "gw-help" },
      "Move the sliders, or focus one and press the arrow keys. The unevenness changes when the ",
      "path is at which of its points, not the path.",
    ),
  );

  function draw({ curve, segments: N, unevenness: a }, exact, ours) {
    select.value = curve;
    segments.input.value = segments.value.textContent = N;
    uneven.input.value = a;
    uneven.value.textContent = a.toFixed(2);
    space.draw(curve, N, a);
    plot.draw(COUNTS.map((n) => measure(curve, n, a)), exact.energy, N);
    table.draw(ours, exact);
    readout.textContent = sentence(N, ours, exact, measure(curve, 2 * N, a));
  }
  return { root, select, segments: segments.input, uneven: uneven.input, draw };
}

function sentence(N, ours, exact, finer) {
  const within = (energy) => (ours.length ** 2 <= 2 * energy + 1e-9 ? "holds" : "fails");
  const ratio = (exact.energy - ours.energy) / (exact.energy - finer.energy);
  return (
    `N = ${N}: twice as many segments make the error of N/2 ${ratio.toFixed(2)} times smaller. ` +
    `L² ≤ 2E ${within(ours.energy)} with N/2 and ${within(ours.post)} with 1/(2N).`
  );
}

function results() {
  const rows = [
    ["energy, N/2 Σ‖Δ‖²", "energy", "energy", "right"],
    ["energy, 1/(2N) Σ‖Δ‖²", "post", "energy", "post"],
    ["length Σ‖Δ‖", "length", "length", ""],
  ];
  const cells = rows.map(() => [0, 1, 2].map(() => h("td")));
  const head = ["", "polygon", "curve", "error"].map((text) =>
    text ? h("th", { scope: "col" }, text) : h("td"),
  );
  const body = rows.map(([label, , , kind], i) =>
    h("tr", {}, h("th", { scope: "row" }, kind ? h("span", { class: `ee-key ee-key-${kind}` }) : "", label), ...cells[i]),
  );
  const root = h(
    "table",
    { class: "ee-results", "aria-label": "Energy and length of the polygon and of the curve" },
    h("thead", {}, h("tr", {}, ...head)),
    h("tbody", {}, ...body),
  );
  function draw(ours, exact) {
    rows.forEach(([, mine, true_one], i) => {
      const values = [ours[mine], exact[true_one], ours[mine] - exact[true_one]];
      values.forEach((value, k) => (cells[i][k].textContent = value.toFixed(4).replace("-", "−")));
    });
  }
  return { root, draw };
}

// The target space: the surface as a net, the curve, and the polygon with its vertices.
function target() {
  const [net, smooth, polygon] = ["net", "curve", "polygon"].map((part) => h("svg:path", { class: `ee-${part}` }));
  const dots = h("svg:g", { class: "ee-dots" });
  const svg = h("svg:svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img" }, net, smooth, polygon, dots);
  const root = h("figure", { class: "ee-target" }, h("figcaption", {}, "The polygon in the target space"), svg);

  function draw(name, N, a) {
    const { g, patch, view } = CURVES[name];
    const flat = (x) => project(x, view);
    const lines = netLines(patch).map((line) => line.map((z) => flat(g(z))));
    const path = vertices(name, 200, 0).map(flat);
    const corners = vertices(name, N, a).map(flat);
    const to = fit([...lines.flat(), ...path]);
    const d = (line) => "M" + line.map((p) => to(p).map((c) => c.toFixed(1)).join(" ")).join("L");
    net.setAttribute("d", lines.map(d).join(""));
    smooth.setAttribute("d", d(path));
    polygon.setAttribute("d", d(corners));
    const r = N > 32 ? 2.5 : 4;
    dots.replaceChildren(...corners.map((p) => h("svg:circle", { cx: to(p)[0], cy: to(p)[1], r })));
    svg.setAttribute("aria-label", `Target space: a curve and the polygon through ${N + 1} of its points`);
  }
  return { root, draw };
}

// Orthographic: turned about the vertical by the first angle, then seen from above by the second.
function project(x, view) {
  if (!view) return x;
  const [turn, up] = view;
  const [c, s] = [Math.cos(turn), Math.sin(turn)];
  const depth = c * x[0] + s * x[1];
  return [-s * x[0] + c * x[1], Math.cos(up) * x[2] - Math.sin(up) * depth];
}

function netLines(patch) {
  const share = Array.from({ length: 31 }, (_, i) => i / 30);
  const at = (low, high, s) => low + s * (high - low);
  const [left, right, bottom, top] = patch;
  if (bottom === undefined) return [share.map((s) => [at(left, right, s)])];
  return Array.from({ length: 9 }, (_, k) => k / 8).flatMap((k) => [
    share.map((s) => [at(left, right, k), at(bottom, top, s)]),
    share.map((s) => [at(left, right, s), at(bottom, top, k)]),
  ]);
}

// The same scale both ways, so that lengths can be compared.
function fit(points) {
  const [xs, ys] = [0, 1].map((k) => points.map((p) => p[k]));
  const [left, right, bottom, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = (SIDE - 50) / Math.max(right - left, top - bottom);
  const middle = [(left + right) / 2, (bottom + top) / 2];
  return (p) => [SIDE / 2 + scale * (p[0] - middle[0]), SIDE / 2 - scale * (p[1] - middle[1])];
}

// Both energies against N, on a logarithmic axis, with the true energy as a level line.
function energies() {
  const frame = h("svg:g", { class: "ee-frame" });
  const level = h("svg:path", { class: "ee-true" });
  const now = h("svg:path", { class: "ee-now" });
  const dots = { energy: h("svg:g", { class: "ee-right" }), post: h("svg:g", { class: "ee-post" }) };
  const svg = h("svg:svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img" }, frame, now, level, dots.post, dots.energy);
  const key = h(
    "p",
    { class: "ee-keys" },
    h("span", {}, h("span", { class: "ee-key ee-key-right" }), "N/2"),
    h("span", {}, h("span", { class: "ee-key ee-key-post" }), "1/(2N), the post's"),
    h("span", {}, h("span", { class: "ee-key ee-key-true" }), "true energy"),
  );
  const root = h("figure", { class: "ee-energies" }, h("figcaption", {}, "Energy against the number of segments"), svg, key);
  const x = (N) => 48 + ((SIDE - 64) * Math.log2(N)) / Math.log2(MOST);

  function draw(values, exact, N) {
    const top = 1.12 * exact;
    const y = (value) => SIDE - 40 - ((SIDE - 60) * value) / top;
    const text = (content, at, anchor) => h("svg:text", { x: at[0], y: at[1], "text-anchor": anchor }, content);
    frame.replaceChildren(
      h("svg:path", { d: `M40 12V${SIDE - 40}H${SIDE - 8}` }),
      ...[1, 2, 4, 8, 16, 32, 64].map((n) => text(String(n), [x(n), SIDE - 20], "middle")),
      text("N", [SIDE - 8, SIDE - 4], "end"),
      text("0", [34, y(0) + 5], "end"),
      text(exact.toFixed(exact < 10 ? 2 : 1), [36, y(exact) - 6], "end"),
    );
    level.setAttribute("d", `M40 ${y(exact)}H${SIDE - 8}`);
    now.setAttribute("d", `M${x(N)} 12V${SIDE - 40}`);
    for (const [name, group] of Object.entries(dots)) {
      group.replaceChildren(...values.map((value, i) => mark(name, x(i + 1), y(value[name]), i + 1 === N ? 7 : 3)));
    }
    const { energy, post } = values[N - 1];
    svg.setAttribute(
      "aria-label",
      `At N = ${N} the factor N/2 gives ${energy.toFixed(4)}, 1/(2N) gives ${post.toFixed(4)}; the true energy is ${exact.toFixed(4)}`,
    );
  }
  return { root, draw };
}

// A disc or a square: the two constants differ in more than colour.
function mark(name, x, y, r) {
  if (name === "energy") return h("svg:circle", { cx: x, cy: y, r });
  return h("svg:rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r });
}

export default { render };
