// The shortest way between two normal distributions: as a curve in the half-plane of (μ, σ), and
// as densities.
//
// The formulas are pure functions, exported for the tests, which hold them to geomlib.riemann. All
// that the figure needs is here or in the widget's state, so it also runs without a kernel.

/** Distance in the hyperbolic half-plane with x = μ/√2, y = σ; that of Fisher-Rao is √2 times it. */
export function hyperbolic([m, s], [n, t]) {
  const q = ((m - n) ** 2 / 2 + (s - t) ** 2) / (4 * s * t);
  return 2 * Math.asinh(Math.sqrt(q)); // arccosh(1 + 2q), without its loss of digits near 0
}

export const distance = (a, b) => Math.SQRT2 * hyperbolic(a, b);

/** The point (μ, σ) of the geodesic at time t. */
export function geodesic(a, b, t) {
  const d = hyperbolic(a, b);
  // on a short way both weights tend to those of the straight line
  const [v, w] = d < 1e-6 ? [1 - t, t] : [Math.sinh((1 - t) * d) / Math.sinh(d), Math.sinh(t * d) / Math.sinh(d)];
  const inverse = v / a[1] + w / b[1];
  return [(v * a[0] / a[1] + w * b[0] / b[1]) / inverse, 1 / inverse];
}

export const straight = (a, b, t) => [0, 1].map((i) => (1 - t) * a[i] + t * b[i]);

/** Fisher-Rao length of the straight line from a to b in (μ, σ). */
export function straightLength([m, s], [n, t]) {
  const speed = Math.hypot(n - m, Math.SQRT2 * (t - s));
  const ratio = (t - s) / s;
  return (speed / s) * (Math.abs(ratio) < 1e-9 ? 1 : Math.log1p(ratio) / ratio);
}

/** KL(N(a) ‖ N(b)) in nats. */
export const divergence = ([m, s], [n, t]) => Math.log(t / s) + (s * s + (m - n) ** 2) / (2 * t * t) - 0.5;

export const density = ([m, s], x) => Math.exp(-(((x - m) / s) ** 2) / 2) / (s * Math.sqrt(2 * Math.PI));

export const WINDOW = [-3, 3, 0.1, 3]; // where the ends may go: means, then standard deviations
const WIDTH = 440; // of a panel, in its own units
const HEIGHT = 300;
const UNIT = 68; // one unit of μ or σ in the half-plane
const FLOOR = HEIGHT - 44; // where σ = 0
const STEP = 0.05;
const BEATS = Array.from({ length: 9 }, (_, i) => i / 8);
const FINE = Array.from({ length: 129 }, (_, i) => i / 128);
const WAYS = { geodesic, straight };

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function render({ model, el }) {
  const id = Math.random().toString(36).slice(2); // several figures in a page keep apart
  const view = build(id);
  const state = { a: [...model.get("a")], b: [...model.get("b")], time: model.get("time"), way: model.get("way") };

  function draw() {
    const { a, b, time, way } = state;
    const found = {
      distance: distance(a, b),
      straight: straightLength(a, b),
      forward: divergence(a, b),
      backward: divergence(b, a),
      point: WAYS[way](a, b, time),
    };
    view.draw(state, found);
    model.set("measured", found);
    model.save_changes();
  }

  function change(name, value) {
    state[name] = value;
    model.set(name, value);
    draw();
  }

  function move(name, [mean, std]) {
    const [left, right, bottom, top] = WINDOW;
    const round = (value) => Math.round(100 * value) / 100;
    change(name, [round(clamp(mean, left, right)), round(clamp(std, bottom, top))]);
  }

  connect(view, state, move, change);
  el.append(view.root);
  draw();
  return follow(model, state, draw);
}

const number = (value, digits = 2) => value.toFixed(digits).replace("-", "−");
const normal = ([mean, std]) => `N(${number(mean)}, ${number(std)})`;

function build(id) {
  const select = h(
    "select",
    { id: `ng-way-${id}` },
    h("option", { value: "geodesic" }, "the geodesic"),
    h("option", { value: "straight" }, "the straight line in (μ, σ)"),
  );
  const time = h("input", { type: "range", id: `ng-time-${id}`, min: 0, max: 1, step: 0.01 });
  const shown = h("output", { for: `ng-time-${id}`, "aria-hidden": "true" });
  const plane = halfPlane();
  const bells = densities();
  const handles = { a: handle("a", id), b: handle("b", id) };
  plane.area.append(handles.a, handles.b);
  const readout = h("p", { class: "gw-readout", "aria-live": "polite" });
  const divergences = h("p", { class: "ng-divergences" });
  const help = h(
    "p",
    { class: "gw-help", id: `ng-help-${id}` },
    "Drag a or b, or focus one and press the arrow keys (Shift: larger steps). Solid: geodesic; ",
    "dashed: straight line. Dots and pale curves stand at equal times.",
  );
  const root = h(
    "section",
    { class: "gw ng", "aria-label": "Geodesic between normal distributions", "data-lm-suppress-shortcuts": "true" },
    h(
      "div",
      { class: "gw-controls ng-controls" },
      h("label", { for: `ng-way-${id}` }, "Walk on ", select),
      h("label", { for: `ng-time-${id}` }, "Time ", time, shown),
    ),
    h("div", { class: "gw-panels" }, plane.root, bells.root),
    readout,
    divergences,
    help,
  );

  function draw({ a, b, time: now, way }, found) {
    select.value = way;
    time.value = now;
    shown.textContent = number(now);
    plane.draw(a, b, way, found.point);
    bells.draw(a, b, way, found.point);
    place(handles.a, a);
    place(handles.b, b);
    const longer = found.distance < 1e-9 ? "" : ` (${number(found.straight / found.distance)} times)`;
    readout.textContent =
      `Distance ${number(found.distance, 4)}; straight line ${number(found.straight, 4)}${longer}. ` +
      `At time ${number(now)}: ${normal(found.point)}.`;
    divergences.textContent =
      `KL(a‖b) = ${number(found.forward, 3)}, KL(b‖a) = ${number(found.backward, 3)}, ` +
      `half the squared distance = ${number(found.distance ** 2 / 2, 3)} nats.`;
  }
  return { root, area: plane.area, handles, select, time, draw };
}

const toPlane = ([mean, std]) => [WIDTH / 2 + UNIT * mean, FLOOR - UNIT * std];
const join = (points) => "M" + points.map((p) => p.map((c) => c.toFixed(1)).join(" ")).join("L");
const text = (content, x, y, anchor = "middle") => h("svg:text", { x, y, "text-anchor": anchor }, content);

function halfPlane() {
  const frame = h("svg:g", { class: "ng-frame" });
  const [line, way] = ["straight", "geodesic"].map((part) => h("svg:path", { class: `ng-${part}` }));
  const dots = h("svg:g");
  const now = h("svg:circle", { class: "ng-now", r: 6 });
  frame.append(
    h("svg:path", { d: `M8 ${FLOOR}H${WIDTH - 8}` }),
    h("svg:path", { class: "ng-grid", d: [1, 2, 3].map((s) => `M8 ${FLOOR - s * UNIT}H${WIDTH - 8}`).join("") }),
    ...[-3, -2, -1, 0, 1, 2, 3].map((m) => text(number(m, 0), toPlane([m, 0])[0], FLOOR + 18)),
    ...[1, 2, 3].map((s) => text(String(s), 10, FLOOR - s * UNIT - 4, "start")),
    text("μ", WIDTH - 12, FLOOR + 34, "end"),
    text("σ", 10, 18, "start"),
  );
  const svg = h("svg:svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" }, frame, line, way, dots, now);
  const area = h("div", { class: "gw-area" }, svg);
  const root = h("figure", {}, h("figcaption", {}, "The half-plane of normal distributions"), area);

  function draw(a, b, chosen, point) {
    line.setAttribute("d", join([a, b].map(toPlane)));
    way.setAttribute("d", join(FINE.map((t) => toPlane(geodesic(a, b, t)))));
    dots.setAttribute("class", `ng-dots ng-dots-${chosen}`);
    dots.replaceChildren(
      ...BEATS.map((t) => toPlane(WAYS[chosen](a, b, t))).map(([cx, cy]) => h("svg:circle", { cx, cy, r: 3.2 })),
    );
    const [x, y] = toPlane(point);
    now.setAttribute("cx", x);
    now.setAttribute("cy", y);
    const highest = Math.max(...FINE.map((t) => geodesic(a, b, t)[1]));
    svg.setAttribute(
      "aria-label",
      `Half-plane: the geodesic from ${normal(a)} to ${normal(b)} rises to σ = ${number(highest)}`,
    );
  }
  return { root, area, draw };
}

// Densities on the chosen way at equal times, the ends by name, and the moving one filled.
function densities() {
  const frame = h("svg:path", { class: "ng-base", d: `M8 ${FLOOR}H${WIDTH - 8}` });
  const marks = [-4, -2, 0, 2, 4].map((x) => text(number(x, 0), WIDTH / 2 + 50 * x, FLOOR + 18));
  const [pale, now, ends] = ["pale", "filled", "ends"].map((part) => h("svg:path", { class: `ng-${part}` }));
  const names = h("svg:g", { class: "ng-names" });
  const labels = h("svg:g", { class: "ng-frame" }, frame, ...marks, text("x", WIDTH - 12, FLOOR + 34, "end"));
  const svg = h("svg:svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" }, labels, now, pale, ends, names);
  const root = h("figure", {}, h("figcaption", {}, "Densities on the way"), h("div", { class: "gw-area" }, svg));

  function draw(a, b, chosen, point) {
    const least = Math.min(a[1], b[1]);
    const height = ((FLOOR - 34) * least) * Math.sqrt(2 * Math.PI); // of a density of 1
    const curve = (p) => {
      // a narrow bell needs points near its mean
      const xs = [...FINE.map((t) => -4.3 + 8.6 * t), ...FINE.map((t) => p[0] + p[1] * (8 * t - 4))];
      const inside = xs.filter((x) => Math.abs(x) < 4.31).sort((x, y) => x - y);
      return inside.map((x) => [WIDTH / 2 + 50 * x, FLOOR - height * density(p, x)]);
    };
    const at = (t) => WAYS[chosen](a, b, t);
    pale.setAttribute("d", BEATS.slice(1, -1).map((t) => join(curve(at(t)))).join(""));
    ends.setAttribute("d", [a, b].map((p) => join(curve(p))).join(""));
    const moving = curve(point);
    now.setAttribute("d", `${join(moving)}L${moving[moving.length - 1][0].toFixed(1)} ${FLOOR}L${moving[0][0].toFixed(1)} ${FLOOR}Z`);
    names.replaceChildren(
      ...[["a", a], ["b", b]].map(([name, p]) =>
        text(name, WIDTH / 2 + 50 * p[0], FLOOR - height * density(p, p[0]) - 8),
      ),
    );
    svg.setAttribute("aria-label", `Densities from ${normal(a)} to ${normal(b)}; filled: ${normal(point)}`);
  }
  return { root, draw };
}

function handle(name, id) {
  return h(
    "div",
    { class: "gw-handle", role: "slider", tabindex: "0", "aria-label": `Distribution ${name}`, "aria-describedby": `ng-help-${id}` },
    h("span", {}, name),
  );
}

function place(element, p) {
  const [x, y] = toPlane(p);
  element.style.left = `${(100 * x) / WIDTH}%`;
  element.style.top = `${(100 * y) / HEIGHT}%`;
  element.setAttribute("aria-valuemin", WINDOW[0]);
  element.setAttribute("aria-valuemax", WINDOW[1]);
  element.setAttribute("aria-valuenow", p[0].toFixed(2));
  element.setAttribute("aria-valuetext", `μ = ${number(p[0])}, σ = ${number(p[1])}`);
}

// Pointer, keyboard, the list and the time.
function connect(view, state, move, change) {
  const toNormal = (event) => {
    const box = view.area.getBoundingClientRect();
    const x = (WIDTH * (event.clientX - box.left)) / box.width;
    const y = (HEIGHT * (event.clientY - box.top)) / box.height;
    return [(x - WIDTH / 2) / UNIT, (FLOOR - y) / UNIT];
  };
  for (const [name, element] of Object.entries(view.handles)) {
    const press = (arrow, large) => {
      const size = large ? 4 * STEP : STEP;
      move(name, state[name].map((value, i) => value + size * arrow[i]));
    };
    movable(element, (event) => move(name, toNormal(event)), press);
  }
  view.select.addEventListener("change", () => change("way", view.select.value));
  view.time.addEventListener("input", () => change("time", Number(view.time.value)));
}

export default { render };
