// The analogy explorer: a is to b as c is to what? Parallel transport against c + (b − a).
//
// The metric comes on a grid. Everything down to `analogy` is a pure function, exported for the
// tests, which hold it to geomlib.riemann. All that the figure needs is in the widget's state.

const STEPS = 48; // Runge-Kutta steps on [0, 1]

/** A metric from its values on a grid: values (3, n, n) of ln L11, L21/L11, ln L22 of G = LLᵀ. */
export function metricField({ values, size, bounds }) {
  const [x0, x1, y0, y1] = bounds;
  const [hx, hy] = [(x1 - x0) / (size - 1), (y1 - y0) / (size - 1)];

  // Catmull-Rom interpolation: cubic pieces whose slopes at the nodes are central differences.
  function weights(t) {
    const value = [((2 - t) * t - 1) * t, (3 * t - 5) * t * t + 2, ((4 - 3 * t) * t + 1) * t, (t - 1) * t * t];
    const slope = [(4 - 3 * t) * t - 1, (9 * t - 10) * t, (8 - 9 * t) * t + 1, (3 * t - 2) * t];
    return [value, slope].map((list) => list.map((w) => w / 2));
  }

  // Each of the three numbers with its two derivatives.
  function sample([x, y]) {
    const [u, v] = [(x - x0) / hx, (y - y0) / hy];
    const [i, j] = [u, v].map((s) => Math.min(Math.max(Math.floor(s), 0), size - 2));
    const [[wx, dx], [wy, dy]] = [weights(u - i), weights(v - j)];
    const clip = (k) => Math.min(Math.max(k, 0), size - 1);
    return [0, 1, 2].map((channel) => {
      let [value, alongX, alongY] = [0, 0, 0];
      for (let q = 0; q < 4; q++) {
        const row = (channel * size + clip(j + q - 1)) * size;
        for (let p = 0; p < 4; p++) {
          const f = values[row + clip(i + p - 1)];
          value += wy[q] * wx[p] * f;
          alongX += (wy[q] * dx[p] * f) / hx;
          alongY += (dy[q] * wx[p] * f) / hy;
        }
      }
      return [value, [alongX, alongY]];
    });
  }

  /** G = [g11, g12, g22] at z, and its two partial derivatives. */
  function at(z) {
    const [[p, dp], [q, dq], [r, dr]] = sample(z);
    const [e, f] = [Math.exp(2 * p), Math.exp(2 * r)];
    const slope = [0, 1].map((k) => [
      2 * dp[k] * e,
      (dq[k] + 2 * dp[k] * q) * e,
      2 * q * (dq[k] + dp[k] * q) * e + 2 * dr[k] * f,
    ]);
    return { G: [e, q * e, q * q * e + f], slope };
  }

  /** Γ(u, v), the Christoffel symbols applied to two vectors. */
  function connection({ G, slope }, u, v) {
    const apply = ([g11, g12, g22], w) => [g11 * w[0] + g12 * w[1], g12 * w[0] + g22 * w[1]];
    const dot = (s, t) => s[0] * t[0] + s[1] * t[1];
    const along = (w) => [0, 1, 2].map((n) => w[0] * slope[0][n] + w[1] * slope[1][n]);
    const [first, second] = [apply(along(u), v), apply(along(v), u)];
    const lower = [0, 1].map((k) => (first[k] + second[k] - dot(u, apply(slope[k], v))) / 2);
    const det = G[0] * G[2] - G[1] * G[1];
    return [(G[2] * lower[0] - G[1] * lower[1]) / det, (G[0] * lower[1] - G[1] * lower[0]) / det];
  }

  const norm = (z, [u, v]) => {
    const [g11, g12, g22] = at(z).G;
    return Math.sqrt(g11 * u * u + 2 * g12 * u * v + g22 * v * v);
  };
  const inside = ([x, y]) => x >= x0 && x <= x1 && y >= y0 && y <= y1;
  const volume = (z) => Math.exp(sample(z)[0][0] + sample(z)[2][0]); // √det G
  return { at, connection, norm, inside, volume };
}

/** The geodesic from z with velocity v, and the transport of w along it: {path, end, w, left}. */
export function shoot(field, z, v, w = [0, 0]) {
  const motion = (s) => {
    const [here, velocity, vector] = [[s[0], s[1]], [s[2], s[3]], [s[4], s[5]]];
    const local = field.at(here);
    const [bend, turn] = [field.connection(local, velocity, velocity), field.connection(local, velocity, vector)];
    return [s[2], s[3], -bend[0], -bend[1], -turn[0], -turn[1]];
  };
  const add = (s, k, h) => s.map((x, i) => x + h * k[i]);
  let state = [...z, ...v, ...w];
  const path = [[...z]];
  const h = 1 / STEPS;
  for (let i = 0; i < STEPS; i++) {
    const k1 = motion(state);
    const k2 = motion(add(state, k1, h / 2));
    const k3 = motion(add(state, k2, h / 2));
    const k4 = motion(add(state, k3, h));
    state = state.map((x, n) => x + (h / 6) * (k1[n] + 2 * k2[n] + 2 * k3[n] + k4[n]));
    path.push([state[0], state[1]]);
    if (!field.inside(path.at(-1))) return { path, end: null, w: null, left: true };
  }
  return { path, end: path.at(-1), w: [state[4], state[5]], left: false };
}

/** log_a b by Newton's method on the end point, with the goal moved from a to b in four stages. */
export function logarithm(field, a, b) {
  let v = [0, 0];
  for (const share of [0.25, 0.5, 0.75, 1]) {
    const goal = [0, 1].map((k) => a[k] + share * (b[k] - a[k]));
    v = share === 0.25 ? goal.map((x, k) => x - a[k]) : v.map((x) => (x * share) / (share - 0.25));
    v = aim(field, a, goal, v);
    if (!v) return null;
  }
  return v;
}

function aim(field, a, goal, start) {
  const miss = (v) => {
    const { end } = shoot(field, a, v);
    return end && [end[0] - goal[0], end[1] - goal[1]];
  };
  const size = (m) => (m ? Math.hypot(...m) : Infinity);
  let [v, error] = [start, miss(start)];
  for (let halvings = 0; !error && halvings < 6; halvings++) error = miss((v = v.map((x) => x / 2)));
  for (let i = 0; i < 20 && error; i++) {
    if (size(error) < 1e-7) return v;
    const h = 1e-4 * (1e-2 + Math.hypot(...v));
    const [one, two] = [miss([v[0] + h, v[1]]), miss([v[0], v[1] + h])];
    if (!one || !two) return null;
    const [p, r] = [0, 1].map((k) => (one[k] - error[k]) / h);
    const [q, s] = [0, 1].map((k) => (two[k] - error[k]) / h);
    const det = p * s - q * r;
    const step = [(s * error[0] - q * error[1]) / det, (p * error[1] - r * error[0]) / det];
    let [scale, next, better] = [1, null, null];
    do {
      next = v.map((x, k) => x - scale * step[k]);
      better = miss(next);
      scale /= 2;
    } while (size(better) > size(error) && scale > 1e-3);
    if (size(better) > size(error)) return size(error) < 1e-5 ? v : null;
    [v, error] = [next, better];
  }
  return size(error) < 1e-5 ? v : null;
}

/** exp_c(P log_a b), with the three geodesics drawn on the way; `end` is null where one fails. */
export function analogy(field, a, b, c) {
  const [v, toC] = [logarithm(field, a, b), logarithm(field, a, c)];
  const first = v && shoot(field, a, v).path;
  const across = toC && shoot(field, a, toC, v ?? [0, 0]);
  const last = v && across ? shoot(field, c, across.w) : null;
  const found = { v, first, across: across && across.path, last: last && last.path };
  return { ...found, end: last ? last.end : null, left: Boolean(last && last.left) };
}

/** The decoder: sizes of the layers, then weight and bias of each, a tanh after all but the last. */
export function decode({ sizes, weights }, z) {
  let [values, offset] = [z, 0];
  for (let layer = 1; layer < sizes.length; layer++) {
    const [inputs, outputs] = [sizes[layer - 1], sizes[layer]];
    const bias = offset + inputs * outputs;
    const next = new Array(outputs);
    for (let i = 0; i < outputs; i++) {
      let sum = weights[bias + i];
      for (let k = 0; k < inputs; k++) sum += weights[offset + i * inputs + k] * values[k];
      next[i] = layer < sizes.length - 1 ? Math.tanh(sum) : sum;
    }
    [values, offset] = [next, bias + outputs];
  }
  return values;
}

// ------------------------------------------------------------------------------------------------
// The figure
// ------------------------------------------------------------------------------------------------

const WIDTH = 1000; // of the drawing, in its own units
const NAMES = ["a", "b", "c"];
const TILES = { a: "a", b: "b", c: "c", transported: "by transport", euclidean: "c + (b − a)" };

function render({ model, el }) {
  const floats = (name) => {
    const view = model.get(name);
    return Float64Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
  };
  const bounds = model.get("_bounds");
  const field = metricField({ values: floats("_field"), size: model.get("_grid"), bounds });
  const network = { sizes: model.get("_layers"), weights: floats("_weights") };
  const codes = floats("_codes");
  const view = build({ field, bounds, codes, shape: model.get("_image_shape") });
  const point = Object.fromEntries(NAMES.map((name) => [name, [...model.get(name)]]));

  function draw() {
    const { a, b, c } = point;
    const found = analogy(field, a, b, c);
    const flat = c.map((x, k) => x + b[k] - a[k]);
    view.draw(point, found, flat, (z) => decode(network, z));
    model.set("answers", { transported: found.end, euclidean: flat });
    model.save_changes();
  }
  function move(name, z) {
    const [x0, x1, y0, y1] = bounds;
    point[name] = [Math.min(Math.max(z[0], x0), x1), Math.min(Math.max(z[1], y0), y1)];
    model.set(name, point[name]);
    draw();
  }
  connect(view, bounds, point, move);
  el.append(view.root);
  draw();
  return follow(model, point, draw);
}

function build({ field, bounds, codes, shape }) {
  const [x0, x1, y0, y1] = bounds;
  const height = (WIDTH * (y1 - y0)) / (x1 - x0);
  const place = ([x, y]) => [(WIDTH * (x - x0)) / (x1 - x0), (height * (y1 - y)) / (y1 - y0)];
  const d = (path) => "M" + path.map((z) => place(z).map((s) => s.toFixed(1)).join(" ")).join("L");
  const dots = Array.from({ length: codes.length / 2 }, (_, i) => `${d([[codes[2 * i], codes[2 * i + 1]]])}h0`);
  const kinds = ["across", "first", "last", "flat"];
  const lines = Object.fromEntries(
    kinds.map((kind) => [kind, ["casing", "line"].map((part) => h("svg:path", { class: `ax-${part} ax-${kind}` }))]),
  );
  const ends = { last: h("svg:circle", { class: "ax-end ax-end-last", r: 15 }), flat: h("svg:rect", { class: "ax-end ax-end-flat", width: 26, height: 26 }) };
  const overlay = h(
    "svg:svg",
    { class: "ax-overlay", viewBox: `0 0 ${WIDTH} ${height}`, "aria-hidden": "true" },
    h("svg:path", { class: "ax-codes", d: dots.join("") }),
    ...kinds.flatMap((kind) => lines[kind]), ends.flat, ends.last,
  );
  const handles = Object.fromEntries(NAMES.map((name) => [name, handle(name, bounds)]));
  const map = h("div", { class: "ax-map", style: `aspect-ratio: ${WIDTH} / ${height}` }, heatMap(field, bounds), overlay, ...Object.values(handles));
  const tiles = Object.fromEntries(Object.entries(TILES).map(([key, title]) => [key, tile(key, title, shape)]));
  const readout = h("p", { class: "gw-readout", "aria-live": "polite" });
  const key = (kind, text) => h("span", {}, h("span", { class: `ax-key ax-key-${kind}` }), text);
  const root = h(
    "section",
    { class: "gw ax", "aria-label": "Analogy explorer", "data-lm-suppress-shortcuts": "true" },
    h(
      "div",
      { class: "ax-top" },
      h("div", {}, map),
      h(
        "div",
        { class: "ax-side" },
        h("p", { class: "ax-question" }, "a is to b as c is to what?"),
        readout,
        h("p", { class: "ax-keys" }, key("last", "geodesics, transported answer"), key("across", "the way from a to c"), key("flat", "c + (b − a)")),
        h("p", { class: "gw-help" }, "Drag a, b or c, click the map, or focus a point and press the arrow keys (Shift: larger steps). Dots are codes of data; colour is √det G, on a log scale."),
      ),
    ),
    h("div", { class: "ax-tiles" }, ...Object.values(tiles).map(({ root }) => root)),
  );

  function draw(point, found, flat, images) {
    const paths = { across: found.across, first: found.first, last: found.last, flat: [point.c, flat] };
    for (const kind of kinds) for (const path of lines[kind]) path.setAttribute("d", paths[kind] ? d(paths[kind]) : "");
    ends.last.style.display = found.end ? "" : "none";
    const [last, straight] = [place(found.end ?? [0, 0]), place(flat)];
    ends.last.setAttribute("transform", `translate(${last.join(" ")})`);
    ends.flat.setAttribute("transform", `translate(${straight[0] - 13} ${straight[1] - 13})`);
    for (const name of NAMES) {
      const [left, top] = place(point[name]);
      handles[name].style.left = `${(100 * left) / WIDTH}%`;
      handles[name].style.top = `${(100 * top) / height}%`;
      handles[name].setAttribute("aria-valuenow", point[name][0].toFixed(2));
      handles[name].setAttribute("aria-valuetext", `z1 = ${signed(point[name][0])}, z2 = ${signed(point[name][1])}`);
    }
    const codesShown = { ...point, transported: found.end, euclidean: flat };
    for (const [name, z] of Object.entries(codesShown)) tiles[name].draw(z && images(z));
    readout.textContent = sentence(field, point, found, flat, images);
  }
  return { root, map, handles, draw };
}

function sentence(field, { a, c }, found, flat, images) {
  if (!found.v || !found.across) return "No geodesic was found from the straight line: move the points closer together, or into the data.";
  if (!found.end) return "The transported geodesic leaves the map: there is no answer among the data.";
  const step = field.norm(a, found.v);
  const line = Array.from({ length: 33 }, (_, i) => images(c.map((x, k) => x + ((flat[k] - x) * i) / 32)));
  const flatLength = line.slice(1).reduce((sum, x, i) => sum + distance(x, line[i]), 0);
  return (
    `From a to b the image changes by ${step.toFixed(2)}, and as much from c to the transported answer. ` +
    `From c to c + (b − a) it changes by ${flatLength.toFixed(2)}. The two answers differ by ${distance(images(found.end), images(flat)).toFixed(2)}.`
  );
}

const distance = (x, y) => Math.hypot(...x.map((value, i) => value - y[i]));
const signed = (value) => value.toFixed(2).replace("-", "−");

function handle(name, [x0, x1]) {
  const attributes = {
    class: "gw-handle",
    role: "slider",
    tabindex: "0",
    "aria-label": `Code ${name} in the latent map`,
    "aria-valuemin": x0.toFixed(2),
    "aria-valuemax": x1.toFixed(2),
  };
  return h("div", attributes, h("span", {}, name));
}

function heatMap(field, [x0, x1, y0, y1], pixels = 96) {
  const log = Array.from({ length: pixels * pixels }, (_, i) => {
    const [column, row] = [i % pixels, Math.floor(i / pixels)];
    return Math.log(field.volume([x0 + ((x1 - x0) * (column + 0.5)) / pixels, y1 - ((y1 - y0) * (row + 0.5)) / pixels]));
  });
  const sorted = [...log].sort((p, q) => p - q);
  const [low, high] = [0.02, 0.995].map((share) => sorted[Math.floor(share * (sorted.length - 1))]);
  const canvas = h("canvas", { width: pixels, height: pixels, role: "img", "aria-label": "Latent map: the magnification factor √det G as colour, and codes of data" });
  const context = canvas.getContext("2d");
  const image = context.createImageData(pixels, pixels);
  log.forEach((value, i) => {
    const t = Math.min(Math.max((value - low) / (high - low || 1), 0), 1) * (VIRIDIS.length - 1);
    const k = Math.min(Math.floor(t), VIRIDIS.length - 2);
    VIRIDIS[k].forEach((from, n) => (image.data[4 * i + n] = from + (t - k) * (VIRIDIS[k + 1][n] - from)));
    image.data[4 * i + 3] = 255;
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

// A decoded image. Grey levels become opacity, so that the ink takes the colour of the theme.
function tile(name, title, [rows, columns]) {
  const canvas = h("canvas", { width: columns, height: rows, role: "img" });
  const root = h("figure", { class: `ax-tile ax-tile-${name}` }, canvas, h("figcaption", {}, title));
  function draw(values) {
    canvas.setAttribute("aria-label", values ? `Decoded image: ${title}` : `No image: ${title}`);
    const context = canvas.getContext("2d");
    const image = context.createImageData(columns, rows);
    (values ?? []).forEach((value, i) => (image.data[4 * i + 3] = Math.round(255 * Math.min(Math.max(value, 0), 1))));
    context.putImageData(image, 0, 0);
  }
  return { root, draw };
}

// Pointer and keyboard.
function connect(view, [x0, x1, y0, y1], point, move) {
  const toLatent = (event) => {
    const box = view.map.getBoundingClientRect();
    return [x0 + ((x1 - x0) * (event.clientX - box.left)) / box.width, y1 - ((y1 - y0) * (event.clientY - box.top)) / box.height];
  };
  for (const [name, element] of Object.entries(view.handles)) {
    const press = (arrow, large) => {
      const size = (large ? 0.05 : 0.01) * (x1 - x0);
      move(name, point[name].map((x, k) => x + size * arrow[k]));
    };
    movable(element, (event) => move(name, toLatent(event)), press);
  }
  view.map.addEventListener("click", (event) => {
    const z = toLatent(event);
    const far = (name) => Math.hypot(point[name][0] - z[0], point[name][1] - z[1]);
    move(NAMES.reduce((best, name) => (far(name) < far(best) ? name : best)), z);
  });
}

export default { render };
