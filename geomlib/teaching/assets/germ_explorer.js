// The germ explorer: a function, a chart u and a point p of the line; f = f(p) + a (u − u(p)) + r.
//
// First the mathematics, exported for the tests, which hold it to geomlib.symbolic; then the figure.

// Each function and each coordinate as its 2-jet at x: [value, first, second derivative].
export const FUNCTIONS = {
  "2x + 3x²": (x) => [2 * x + 3 * x * x, 2 + 6 * x, 6],
  "x²": (x) => [x * x, 2 * x, 2],
  "sin 2x": (x) => [Math.sin(2 * x), 2 * Math.cos(2 * x), -4 * Math.sin(2 * x)],
  "eˣ": (x) => [Math.exp(x), Math.exp(x), Math.exp(x)],
  "x³ − x": (x) => [x ** 3 - x, 3 * x * x - 1, 6 * x],
  "e^(−1/x²)": flat,
};
export const CHARTS = {
  x: (x) => [x, 1, 0],
  "2x": (x) => [2 * x, 2, 0],
  "x + x²": (x) => [x + x * x, 1 + 2 * x, 2],
  "eˣ": (x) => [Math.exp(x), Math.exp(x), Math.exp(x)],
  "sinh x": (x) => [Math.sinh(x), Math.cosh(x), Math.sinh(x)],
};

// Where the coordinate is one: u = x + x² turns round at −1/2. The point keeps a little inside.
const DOMAINS = { "x + x²": -0.5 };
const NEAREST = 0.1;
const SPAN = 1.5;
const REACH = 1.7; // of the drawing

// All derivatives at 0 are 0; below |x| = 0.03 the value is smaller than any double.
function flat(x) {
  if (Math.abs(x) < 0.03) return [0, 0, 0];
  const value = Math.exp(-1 / (x * x));
  return [value, (2 * value) / x ** 3, value * (4 / x ** 6 - 6 / x ** 4)];
}

/**
 * What the figure says about f at p in the chart u:
 *   value f(p), slope f′(p) with d_pf = f′(p) d_px,
 *   a with d_pf = a d_pu, and b, the next coefficient of f = f(p) + a Δu + b Δu² + …,
 *   curvature c, the remainder's coefficient in x: r = c (x − p)² + …,
 *   linear(x) = f(p) + a (u(x) − u(p)) and remainder(x) = f(x) − linear(x), for any x.
 */
export function split(functionName, chartName, p) {
  const f = FUNCTIONS[functionName];
  const u = CHARTS[chartName];
  const [f0, f1, f2] = f(p);
  const [u0, u1, u2] = u(p);
  const a = f1 / u1;
  const c = (f2 - a * u2) / 2;
  const linear = (x) => f0 + a * (u(x)[0] - u0);
  return {
    value: f0, slope: f1, a, b: c / (u1 * u1), curvature: c,
    linear, remainder: (x) => f(x)[0] - linear(x),
  };
}

/** The range of p in a chart, and the nearest point of that range. */
export function range(chartName) {
  const start = DOMAINS[chartName];
  return [start === undefined ? -SPAN : start + NEAREST, SPAN];
}
export function clip(p, chartName) {
  const [low, high] = range(chartName);
  return Math.min(Math.max(p, low), high);
}

// ------------------------------------------------------------------------------------------------
// The figure
// ------------------------------------------------------------------------------------------------

const WIDTH = 600; // of the drawings, in their own units
const TOP = { height: 300, low: -1.6, high: 2.6 };
const BOTTOM = { height: 190, low: -1.2, high: 1.4 };
const STEPS = 240;

function render({ model, el }) {
  // Random, because each figure of a page loads this module anew: a counter would start again.
  const view = build(Math.random().toString(36).slice(2));
  const shown = { function: model.get("function"), chart: model.get("chart"), p: model.get("p") };
  let rest = 0;

  function change(part) {
    Object.assign(shown, part);
    shown.p = clip(shown.p, shown.chart);
    view.draw(shown);
    // One message to the kernel once the point rests, instead of one a movement.
    clearTimeout(rest);
    rest = setTimeout(() => {
      view.say(shown);
      for (const [name, value] of Object.entries(shown)) {
        if (model.get(name) !== value) model.set(name, value);
      }
      model.save_changes();
    }, 150);
  }

  connect(view, shown, change);
  el.append(view.root);
  change({});
  const stop = follow(model, shown, () => change({}));
  return () => {
    stop();
    clearTimeout(rest);
  };
}

const acrossOf = (x) => (WIDTH * (x + REACH)) / (2 * REACH);
const downOf = (y, { height, low, high }) => (height * (high - y)) / (high - low);

function build(id) {
  const curves = {
    f: path("f"), linear: path("linear"), remainder: path("remainder"), straight: path("straight"),
  };
  const outside = [0, 1].map(() => h("svg:rect", { class: "gx-outside", x: 0, y: 0 }));
  const guide = h("svg:path", { class: "gx-guide" });
  const top = panel(TOP, outside[0], curves.linear, curves.f);
  const bottom = panel(BOTTOM, outside[1], guide, curves.straight, curves.remainder);
  const handle = h(
    "div",
    {
      class: "gw-handle gx-handle", role: "slider", tabindex: "0",
      "aria-label": "Base point p", "aria-describedby": `gx-help-${id}`,
    },
    h("span", {}, "p"),
  );
  const plot = h("div", { class: "gx-plot" }, top, handle);
  const selects = {
    function: select("function", "Function f", Object.keys(FUNCTIONS)),
    chart: select("chart", "Chart u", Object.keys(CHARTS)),
  };
  const facts = Object.fromEntries(
    ["value", "class", "jet", "remainder"].map((name) => [name, h("dd", { class: `gx-${name}` })]),
  );
  const live = h("p", { class: "gx-live", "aria-live": "polite" });
  const root = h(
    "section",
    { class: "gw gx", "aria-label": "Germ explorer", "data-lm-suppress-shortcuts": "true" },
    h("div", { class: "gw-controls" }, selects.function.label, selects.chart.label),
    h(
      "div",
      { class: "gx-body" },
      h(
        "div",
        { class: "gx-panels" },
        h("p", { class: "gx-title" }, key("f"), "f", key("linear"), "f(p) + a (u − u(p)), the linear part"),
        plot,
        h("p", { class: "gx-title" }, key("remainder"), "remainder r in 𝔪ₚ²", key("straight"), "the same in the chart x"),
        h("div", { class: "gx-plot" }, bottom),
      ),
      h(
        "div",
        { class: "gx-side" },
        h(
          "dl",
          { class: "gx-facts" },
          h("dt", {}, "Value: no chart needed"), facts.value,
          h("dt", {}, "Class in 𝔪ₚ/𝔪ₚ²: the same in every chart"), facts.class,
          h("dt", {}, "2-jet in this chart"), facts.jet,
          h("dt", {}, "Remainder: belongs to the chart"), facts.remainder,
        ),
        h(
          "p",
          { class: "gx-help", id: `gx-help-${id}` },
          "Drag p, or focus it and press the arrow keys (Shift: larger steps; Home: p = 0).",
        ),
        live,
      ),
    ),
  );

  function draw({ function: functionName, chart, p }) {
    const parts = split(functionName, chart, p);
    const plain = split(functionName, "x", p);
    const start = DOMAINS[chart] ?? -REACH;
    curves.f.setAttribute("d", trace((x) => FUNCTIONS[functionName](x)[0], -REACH, TOP));
    curves.linear.setAttribute("d", trace(parts.linear, start, TOP));
    curves.remainder.setAttribute("d", trace(parts.remainder, start, BOTTOM));
    curves.straight.setAttribute("d", trace(plain.remainder, -REACH, BOTTOM));
    guide.setAttribute("d", `M${acrossOf(p).toFixed(1)} 0V${BOTTOM.height}`);
    outside.forEach((rect, i) => {
      rect.setAttribute("width", acrossOf(start).toFixed(1));
      rect.setAttribute("height", [TOP, BOTTOM][i].height);
    });
    placeHandle(handle, p, parts.value, range(chart));
    for (const [name, { input }] of Object.entries(selects)) input.value = name === "chart" ? chart : functionName;
    const texts = describe(parts, p, chart);
    for (const [name, element] of Object.entries(facts)) element.textContent = texts[name];
  }

  // For screen readers, once the point rests: what the four lines say.
  function say({ function: functionName, chart, p }) {
    const texts = describe(split(functionName, chart, p), p, chart);
    live.textContent = `f = ${functionName}, chart u = ${chart}: ${texts.class}; ${texts.remainder}`;
  }
  return { root, plot, handle, selects, draw, say };
}

// The numbers as lines of text.
export function describe({ value, slope, a, b, curvature }, p, chart) {
  const inX = `dₚf = ${number(slope)} dₚx`;
  const step = chart === "x" ? `(x − ${inBrackets(p)})` : "Δu";
  const jet = `${number(value)} ${term(a)} ${step} ${term(b)} ${step}²`;
  return {
    value: `f(p) = ${number(value)} at p = ${number(p)}`,
    class: chart === "x" ? inX : `${inX} = ${number(a)} dₚu`,
    jet: chart === "x" ? jet : `${jet}, with Δu = u − u(p)`,
    remainder: `r = ${number(curvature)} (x − ${inBrackets(p)})² + higher order`,
  };
}

function number(value) {
  const rounded = Math.round(100 * value) / 100;
  return String(rounded === 0 ? 0 : rounded).replace("-", "−");
}
const inBrackets = (p) => (number(p).startsWith("−") ? `(${number(p)})` : number(p));
const term = (value) => `${number(value).startsWith("−") ? "−" : "+"} ${number(Math.abs(value))}`;

const path = (name) => h("svg:path", { class: `gx-curve gx-curve-${name}` });
const key = (name) => h("span", { class: `gx-key gx-key-${name}`, "aria-hidden": "true" });

function panel(box, ...children) {
  const axes = `M0 ${downOf(0, box)}H${WIDTH}M${acrossOf(0)} 0V${box.height}`;
  const marks = [-1, 1].flatMap((x) => [
    h("svg:path", { class: "gx-axis", d: `M${acrossOf(x)} ${downOf(0, box) - 5}v10` }),
    h("svg:text", { class: "gx-tick", x: acrossOf(x), y: downOf(0, box) + 20 }, number(x)),
  ]);
  return h(
    "svg:svg",
    { viewBox: `0 0 ${WIDTH} ${box.height}`, "aria-hidden": "true" },
    h("svg:path", { class: "gx-axis", d: axes }), ...marks, ...children,
  );
}

// The graph from `start` to the right edge; what leaves the panel by more than its height is cut.
function trace(f, start, box) {
  const room = box.high - box.low;
  let d = "";
  let pen = "M";
  for (let i = 0; i <= STEPS; i++) {
    const x = start + ((REACH - start) * i) / STEPS;
    const y = f(x);
    if (y > box.high + room || y < box.low - room) {
      pen = "M";
      continue;
    }
    d += `${pen}${acrossOf(x).toFixed(1)} ${downOf(y, box).toFixed(1)}`;
    pen = "L";
  }
  return d;
}

function select(name, title, options) {
  const input = h("select", { name, class: `gx-select-${name}` }, ...options.map((value) => h("option", { value }, value)));
  return { label: h("label", {}, h("span", {}, title), input), input };
}

function placeHandle(handle, p, value, [low, high]) {
  // A value beyond the panel keeps its point at the edge, where a finger still finds it.
  const y = Math.min(Math.max(value, TOP.low + 0.15), TOP.high - 0.15);
  handle.style.left = `${(100 * acrossOf(p)) / WIDTH}%`;
  handle.style.top = `${(100 * downOf(y, TOP)) / TOP.height}%`;
  handle.setAttribute("aria-valuemin", low.toFixed(2));
  handle.setAttribute("aria-valuemax", high.toFixed(2));
  handle.setAttribute("aria-valuenow", p.toFixed(2));
  handle.setAttribute("aria-valuetext", `p = ${number(p)}, f(p) = ${number(value)}`);
}

function connect({ plot, handle, selects }, shown, change) {
  for (const [name, { input }] of Object.entries(selects)) {
    input.addEventListener("change", () => change({ [name]: input.value }));
  }
  const pointAt = (event) => {
    const box = plot.getBoundingClientRect();
    return REACH * ((2 * (event.clientX - box.left)) / box.width - 1);
  };
  const round = (p) => Math.round(100 * p) / 100;
  const drag = (event) => change({ p: round(pointAt(event)) });
  const press = ([right, up], large) => change({ p: round(shown.p + (right + up) * (large ? 0.1 : 0.02)) });
  movable(handle, drag, press, { Home: () => change({ p: 0 }) });
  plot.addEventListener("click", drag);
}

export default { render };
