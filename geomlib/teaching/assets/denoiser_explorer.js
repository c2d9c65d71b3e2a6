// The best denoiser of data on the unit circle: where it sends a noisy point, and the eigenvectors
// and eigenvalues of its Jacobian.
//
// The formulas are pure functions, exported for the tests, which hold them to geomlib.models. All
// that the figure needs is here or in the widget's state, so it also runs without a kernel.

/** I₁(κ)/I₀(κ), the mean of cos φ under the density proportional to exp(κ cos φ). */
export function besselRatio(k) {
  if (k > 60) {
    // asymptotic series, Horner in 1/κ
    const terms = [1073 / 1024, 13 / 32, 25 / 128, 1 / 8, 1 / 8, 1 / 2];
    return 1 - terms.reduce((sum, c) => (sum + c) / k, 0);
  }
  let value = 0; // Perron's continued fraction from its far end
  for (let n = 200; n >= 1; n--) value = k / (2 * n + k * value);
  return value;
}

/** {tangential, radial}: eigenvalues of the Jacobian at distance r from the centre. */
export function eigenvalues(r, sigma) {
  const k = r / sigma ** 2;
  const A = besselRatio(k);
  const g = k < 1e-9 ? 0.5 : A / k;
  return { tangential: g / sigma ** 2, radial: (1 - g - A * A) / sigma ** 2 };
}

/** E[x₀ | x]. */
export function denoised(x, sigma) {
  const r = Math.hypot(...x);
  const A = besselRatio(r / sigma ** 2);
  return r === 0 ? [0, 0] : x.map((c) => (A * c) / r);
}

export const WINDOW = 2;
export const LEVELS = [0.05, 3];
const SIZE = 400; // of a panel, in its own units
const UNIT = 92; // one unit of the plane
const STEP = 0.05;
const PAD = { left: 44, right: 14, top: 20, bottom: 44 };
const TOP = 1.05; // of the axis of eigenvalues
const FINE = Array.from({ length: 161 }, (_, i) => LEVELS[0] * (LEVELS[1] / LEVELS[0]) ** (i / 160));

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const number = (value, digits = 2) => value.toFixed(digits).replace("-", "−");

function render({ model, el }) {
  const id = Math.random().toString(36).slice(2); // several figures in a page keep apart
  const view = build(id);
  const state = { x: [...model.get("x")], sigma: model.get("sigma") };

  function draw() {
    const found = { denoised: denoised(state.x, state.sigma), ...eigenvalues(Math.hypot(...state.x), state.sigma) };
    view.draw(state, found);
    model.set("measured", found);
    model.save_changes();
  }

  function change(name, value) {
    state[name] = value;
    model.set(name, value);
    draw();
  }

  const move = (x) => change("x", x.map((c) => Math.round(100 * clamp(c, -WINDOW, WINDOW)) / 100));

  connect(view, state, move, change);
  el.append(view.root);
  draw();
  return follow(model, state, draw);
}

function build(id) {
  const level = h("input", {
    type: "range",
    id: `de-sigma-${id}`,
    min: Math.log10(LEVELS[0]).toFixed(2),
    max: Math.log10(LEVELS[1]).toFixed(2),
    step: 0.01,
  });
  const shown = h("output", { for: `de-sigma-${id}`, "aria-hidden": "true" });
  const plane = circlePanel();
  const curves = spectrumPanel();
  const handle = h(
    "div",
    { class: "gw-handle", role: "slider", tabindex: "0", "aria-label": "Noisy point x", "aria-describedby": `de-help-${id}` },
    h("span", {}, "x"),
  );
  plane.area.append(handle);
  const readout = h("p", { class: "gw-readout", "aria-live": "polite" });
  const help = h(
    "p",
    { class: "gw-help", id: `de-help-${id}` },
    "Drag x, or focus it and press the arrow keys (Shift: larger steps). Solid arrow and curve: along the ",
    "circle; dashed: across it. Arrows are as long as the eigenvalues; the ellipse is the covariance of what ",
    "may be behind x, around the dot D(x).",
  );
  const root = h(
    "section",
    { class: "gw de", "aria-label": "The denoiser of a circle", "data-lm-suppress-shortcuts": "true" },
    h("div", { class: "gw-controls de-controls" }, h("label", { for: `de-sigma-${id}` }, "Noise σ ", level, shown)),
    h("div", { class: "gw-panels" }, plane.root, curves.root),
    readout,
    help,
  );

  function draw({ x, sigma }, found) {
    level.value = Math.log10(sigma);
    level.setAttribute("aria-valuetext", `σ = ${number(sigma)}`);
    shown.textContent = number(sigma);
    plane.draw(x, sigma, found);
    curves.draw(Math.hypot(...x), sigma, found);
    const [left, top] = toPlane(x);
    handle.style.left = `${(100 * left) / SIZE}%`;
    handle.style.top = `${(100 * top) / SIZE}%`;
    handle.setAttribute("aria-valuemin", -WINDOW);
    handle.setAttribute("aria-valuemax", WINDOW);
    handle.setAttribute("aria-valuenow", x[0].toFixed(2));
    handle.setAttribute("aria-valuetext", `x = (${number(x[0])}, ${number(x[1])})`);
    const { tangential, radial } = found;
    const high = Math.max(tangential, radial);
    const ratio = high / Math.min(tangential, radial);
    const first = ratio < 1.05 ? "No gap: neither direction stands out." :
      tangential > radial ? "The tangent comes first." : "The normal comes first.";
    const gap = ratio > 999 ? "over 999" : number(ratio, ratio < 10 ? 2 : 0);
    readout.textContent =
      `Eigenvalues: along the circle ${number(tangential, 3)}, across ${number(radial, 3)}; ` +
      `ratio ${gap}. ${first}`;
  }
  return { root, area: plane.area, handle, level, draw };
}

const toPlane = ([a, b]) => [SIZE / 2 + UNIT * a, SIZE / 2 - UNIT * b];
const join = (points) => "M" + points.map((p) => p.map((c) => c.toFixed(1)).join(" ")).join("L");
const text = (content, x, y, anchor = "middle") => h("svg:text", { x, y, "text-anchor": anchor }, content);

// Unit vectors along and across the circle; at the centre there is no such direction, any will do.
function directions(x) {
  const r = Math.hypot(...x);
  const across = r === 0 ? [1, 0] : x.map((c) => c / r);
  return { along: [-across[1], across[0]], across };
}

function arrow(from, direction, length) {
  const [x, y] = toPlane(from);
  const [dx, dy] = [direction[0] * UNIT * length, -direction[1] * UNIT * length];
  return `M${(x - dx).toFixed(1)} ${(y - dy).toFixed(1)}L${(x + dx).toFixed(1)} ${(y + dy).toFixed(1)}`;
}

function circlePanel() {
  const [cx, cy] = toPlane([0, 0]);
  const circle = h("svg:circle", { class: "de-circle", cx, cy, r: UNIT });
  const ellipse = h("svg:ellipse", { class: "de-ellipse" });
  const [along, across, way] = ["along", "across", "way"].map((part) => h("svg:path", { class: `de-${part}` }));
  const dot = h("svg:circle", { class: "de-dot", r: 5 });
  const svg = h("svg:svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img" }, circle, ellipse, way, along, across, dot);
  const area = h("div", { class: "gw-area" }, svg);
  const root = h("figure", {}, h("figcaption", {}, "Noisy point, circle, and D(x)"), area);

  function draw(x, sigma, { denoised: guess, tangential, radial }) {
    const turn = directions(x);
    const [gx, gy] = toPlane(guess);
    along.setAttribute("d", arrow(x, turn.along, Math.min(tangential, 2)));
    across.setAttribute("d", arrow(x, turn.across, Math.min(radial, 2)));
    way.setAttribute("d", join([toPlane(x), [gx, gy]]));
    dot.setAttribute("cx", gx);
    dot.setAttribute("cy", gy);
    const degrees = (-Math.atan2(turn.along[1], turn.along[0]) * 180) / Math.PI;
    ellipse.setAttribute("rx", UNIT * sigma * Math.sqrt(tangential));
    ellipse.setAttribute("ry", UNIT * sigma * Math.sqrt(Math.max(radial, 0)));
    ellipse.setAttribute("transform", `translate(${gx.toFixed(2)} ${gy.toFixed(2)}) rotate(${degrees.toFixed(2)})`);
    svg.setAttribute(
      "aria-label",
      `The unit circle; x at (${number(x[0])}, ${number(x[1])}) is denoised to (${number(guess[0])}, ${number(guess[1])})`,
    );
  }
  return { root, area, draw };
}

function spectrumPanel() {
  const width = SIZE - PAD.left - PAD.right;
  const height = SIZE - PAD.top - PAD.bottom;
  const spanned = Math.log(LEVELS[1] / LEVELS[0]);
  const across = (sigma) => PAD.left + (width * Math.log(sigma / LEVELS[0])) / spanned;
  const up = (value) => PAD.top + height * (1 - Math.min(value, TOP) / TOP);
  const frame = h(
    "svg:g",
    { class: "de-frame" },
    h("svg:path", { d: `M${PAD.left} ${PAD.top}V${SIZE - PAD.bottom}H${SIZE - PAD.right}` }),
    ...[0, 0.5, 1].map((v) => text(String(v), PAD.left - 8, up(v) + 5, "end")),
    ...[0.05, 0.1, 0.3, 1, 3].map((s) => text(String(s), across(s), SIZE - PAD.bottom + 20)),
    text("σ", SIZE - PAD.right - 4, SIZE - 6, "end"),
    text("eigenvalue", PAD.left + 6, PAD.top - 4, "start"),
  );
  const [along, other, now] = ["along", "across", "now"].map((part) => h("svg:path", { class: `de-${part}` }));
  const dots = ["along", "across"].map((part) => h("svg:circle", { class: `de-dot-${part}`, r: 6 }));
  const svg = h("svg:svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img" }, frame, now, along, other, ...dots);
  const root = h("figure", {}, h("figcaption", {}, "Both eigenvalues against σ"), h("div", { class: "gw-area" }, svg));

  function draw(r, sigma, { tangential, radial }) {
    const values = FINE.map((s) => eigenvalues(r, s));
    along.setAttribute("d", join(FINE.map((s, i) => [across(s), up(values[i].tangential)])));
    other.setAttribute("d", join(FINE.map((s, i) => [across(s), up(values[i].radial)])));
    now.setAttribute("d", `M${across(sigma).toFixed(1)} ${PAD.top}V${SIZE - PAD.bottom}`);
    [tangential, radial].forEach((value, i) => {
      dots[i].setAttribute("cx", across(sigma));
      dots[i].setAttribute("cy", up(value));
    });
    svg.setAttribute(
      "aria-label",
      `Eigenvalues against σ; at σ = ${number(sigma)} along ${number(tangential, 3)}, across ${number(radial, 3)}`,
    );
  }
  return { root, draw };
}

// Pointer and keyboard on x, and the noise.
function connect(view, state, move, change) {
  const toPoint = (event) => {
    const box = view.area.getBoundingClientRect();
    const [a, b] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    return [(SIZE * (a - 0.5)) / UNIT, (SIZE * (0.5 - b)) / UNIT];
  };
  const press = (arrows, large) => {
    const size = large ? 4 * STEP : STEP;
    move(state.x.map((value, i) => value + size * arrows[i]));
  };
  movable(view.handle, (event) => move(toPoint(event)), press);
  view.level.addEventListener("input", () => {
    change("sigma", clamp(Math.round(1000 * 10 ** Number(view.level.value)) / 1000, ...LEVELS));
  });
}

export default { render };
