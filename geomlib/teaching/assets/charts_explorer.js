// The charts explorer: a point of the circle, its coordinates u and w in the two stereographic
// charts, and the point (u, w) on the graph of the transition w = 1/u.
//
// First the mathematics, exported for the tests, which hold it to geomlib.symbolic; then the figure.

const POLE = 1e-9; // a chart ends where the point is this near to its pole

/**
 * Both coordinates of the point at an angle; null where a chart ends.
 *
 * With a the angle from the pole, u = x / (1 − y) = cot(a / 2): in this form nothing cancels
 * near the other pole, where 1 + y is a difference of nearly equal numbers.
 */
export function coordinates(angle) {
  return { u: cotangent((Math.PI / 2 - angle) / 2), w: cotangent((Math.PI / 2 + angle) / 2) };
}

function cotangent(half) {
  if (Math.abs(Math.sin(half)) < POLE) return null;
  const value = Math.cos(half) / Math.sin(half);
  return Math.abs(value) < POLE ? 0 : value;
}

/** The same angle in (−π, π]. */
export function reduced(angle) {
  const turn = 2 * Math.PI;
  return Math.PI - ((((Math.PI - angle) % turn) + turn) % turn);
}

/** A pole for an angle that is nearer to it than `snap`: else one would hardly ever hit it. */
export function snapped(angle, snap = 0.02) {
  for (const pole of [Math.PI / 2, -Math.PI / 2]) if (Math.abs(angle - pole) < snap) return pole;
  return angle;
}

/** What the two charts say of the point, as one sentence. */
export function verdict({ u, w }) {
  if (u === null) return "At N: the chart north has no coordinate, the chart south says w = 0. No point on the graph.";
  if (w === null) return "At S: the chart south has no coordinate, the chart north says u = 0. No point on the graph.";
  if (Math.abs(u) > RANGE) return "Near N: u runs off, and a small step moves it far. Use w, which is near 0.";
  if (Math.abs(w) > RANGE) return "Near S: w runs off, and a small step moves it far. Use u, which is near 0.";
  if (Math.abs(u) < 1 - 1e-9) return "Lower half: the point is nearer to S, and |u| < 1 < |w|.";
  if (Math.abs(u) > 1 + 1e-9) return "Upper half: the point is nearer to N, and |w| < 1 < |u|.";
  return "Halfway between the poles: both charts agree, u = w.";
}

// ------------------------------------------------------------------------------------------------
// The figure
// ------------------------------------------------------------------------------------------------

const RANGE = 3.2; // the axes reach from −RANGE to RANGE
const HEIGHT = 1.55; // of the circle's panel, up and down from the axis
const UNIT = 100; // drawing units for a length of 1

function render({ model, el }) {
  // Random, because each figure of a page loads this module anew: a counter would start again.
  const view = build(Math.random().toString(36).slice(2));
  const state = { angle: model.get("angle") };
  let rest = 0;

  function change(next) {
    state.angle = reduced(next);
    view.draw(state.angle);
    // One message to the kernel, and to screen readers, once the point rests.
    clearTimeout(rest);
    rest = setTimeout(() => {
      view.say(state.angle);
      if (model.get("angle") !== state.angle) {
        model.set("angle", state.angle);
        model.save_changes();
      }
    }, 150);
  }

  connect(view, () => state.angle, change);
  el.append(view.root);
  change(state.angle);
  const stop = follow(model, state, () => change(state.angle));
  return () => {
    stop();
    clearTimeout(rest);
  };
}

function build(id) {
  const rays = { u: path("cx-ray cx-north"), w: path("cx-ray cx-south") };
  const feet = { u: h("svg:circle", { r: 9, class: "cx-foot cx-north" }), w: square("cx-foot cx-south") };
  const names = { u: text("u", 0, 0, "cx-name cx-north"), w: text("w", 0, 0, "cx-name cx-south") };
  const circle = h(
    "svg:svg",
    { viewBox: box(RANGE, HEIGHT), "aria-hidden": "true" },
    path("cx-axis", `M${-RANGE * UNIT} 0H${RANGE * UNIT}`),
    ...ticks().map((x) => path("cx-axis", `M${x * UNIT} -5v10`)),
    ...ticks().map((x) => text(number(x, 0), Math.abs(x) === 1 ? 1.14 * x : x, -0.2, "cx-tick")), // beside the circle
    h("svg:circle", { r: UNIT, class: "cx-circle" }),
    rays.u, rays.w,
    pole("N", 1), pole("S", -1),
    feet.u, feet.w, names.u, names.w,
  );
  const handle = h(
    "div",
    {
      class: "gw-handle", role: "slider", tabindex: "0", "aria-label": "Point p on the circle",
      "aria-describedby": `cx-help-${id}`, "aria-valuemin": "-180", "aria-valuemax": "180",
    },
    h("span", {}, "p"),
  );
  const plot = h("div", { class: "cx-plot" }, circle, handle);

  const dot = h("svg:circle", { r: 10, class: "cx-dot" });
  const guides = { u: path("cx-guide cx-north"), w: path("cx-guide cx-south") };
  const gone = path("cx-gone");
  const graph = h(
    "svg:svg",
    { viewBox: box(RANGE, RANGE), "aria-hidden": "true" },
    path("cx-axis", `M${-RANGE * UNIT} 0H${RANGE * UNIT}M0 ${-RANGE * UNIT}V${RANGE * UNIT}`),
    ...ticks().flatMap((x) => [
      path("cx-axis", `M${x * UNIT} -5v10M-5 ${x * UNIT}h10`),
      text(number(x, 0), x, -0.24, "cx-tick"),
      text(number(x, 0), -0.24, x - 0.07, "cx-tick"),
    ]),
    path("cx-curve", branch(1) + branch(-1)),
    guides.u, guides.w, gone, dot,
    text("u", RANGE - 0.2, -0.62, "cx-label cx-north"), text("w", -0.6, RANGE - 0.25, "cx-label cx-south"),
  );

  const values = { u: h("output", { class: "cx-u" }), w: h("output", { class: "cx-w" }) };
  const remark = h("p", { class: "cx-remark" });
  const live = h("p", { class: "cx-live", "aria-live": "polite" });
  const root = h(
    "section",
    { class: "gw cx", "aria-label": "Charts explorer", "data-lm-suppress-shortcuts": "true" },
    h(
      "div",
      { class: "cx-body" },
      h(
        "div",
        { class: "cx-left" },
        h("p", { class: "cx-title" }, "The circle, projected from N and from S"),
        plot,
        h(
          "dl",
          { class: "cx-values" },
          h("dt", { class: "cx-north" }, "chart north, from N"), h("dd", {}, values.u),
          h("dt", { class: "cx-south" }, "chart south, from S"), h("dd", {}, values.w),
        ),
        remark,
        h(
          "p",
          { class: "cx-help", id: `cx-help-${id}` },
          "Drag p, or focus it and press the arrow keys (Shift: larger steps; Home: right; PageUp: N; PageDown: S).",
        ),
        live,
      ),
      h("div", { class: "cx-right" }, h("p", { class: "cx-title" }, "The transition w = 1/u"), graph),
    ),
  );

  function draw(angle) {
    const point = [Math.cos(angle), Math.sin(angle)];
    const both = coordinates(angle);
    for (const [name, sign] of [["u", 1], ["w", -1]]) drawChart(name, sign, point, both[name]);
    drawGraph(both);
    handle.style.left = `${50 + (50 * point[0]) / RANGE}%`;
    handle.style.top = `${50 - (50 * point[1]) / HEIGHT}%`;
    handle.setAttribute("aria-valuenow", ((180 * angle) / Math.PI).toFixed(0));
    handle.setAttribute("aria-valuetext", describe(angle));
    remark.textContent = verdict(both);
  }

  // The ray from the pole to the farther of the point and its image on the axis.
  function drawChart(name, sign, [x, y], value) {
    const shown = value !== null && Math.abs(value) <= RANGE;
    const end = value !== null && Math.abs(value) > Math.abs(x) ? [value, 0] : [x, y];
    rays[name].setAttribute("d", value === null ? "" : `M0 ${-sign * UNIT}L${end[0] * UNIT} ${-end[1] * UNIT}`);
    for (const mark of [feet[name], names[name]]) mark.style.display = shown ? "" : "none";
    if (shown) {
      feet[name].setAttribute("transform", `translate(${value * UNIT} 0)`);
      names[name].setAttribute("x", value * UNIT + (value < 0 ? -22 : 22)); // away from the ray
      names[name].setAttribute("y", name === "u" ? -18 : 34);
    }
    values[name].textContent = `${name} ${value === null ? "undefined" : `= ${number(value, 3)}`}`;
  }

  // The point (u, w); beyond the edge an arrow says where it went, at a pole there is none.
  function drawGraph({ u, w }) {
    const defined = u !== null && w !== null;
    const inside = defined && Math.abs(u) <= RANGE && Math.abs(w) <= RANGE;
    dot.style.display = inside ? "" : "none";
    gone.setAttribute("d", defined && !inside ? arrow(u, w) : "");
    guides.u.setAttribute("d", inside ? `M${u * UNIT} 0V${-w * UNIT}` : "");
    guides.w.setAttribute("d", inside ? `M0 ${-w * UNIT}H${u * UNIT}` : "");
    if (inside) dot.setAttribute("transform", `translate(${u * UNIT} ${-w * UNIT})`);
  }

  const describe = (angle) => {
    const { u, w } = coordinates(angle);
    const say = (name, value) => (value === null ? `${name} undefined` : `${name} = ${number(value, 2)}`);
    return `angle ${number((180 * angle) / Math.PI, 0)} degrees, ${say("u", u)}, ${say("w", w)}`;
  };

  function say(angle) {
    live.textContent = `${describe(angle)}. ${verdict(coordinates(angle))}`;
  }
  return { root, plot, handle, draw, say };
}

const box = (across, up) => `${-across * UNIT} ${-up * UNIT} ${2 * across * UNIT} ${2 * up * UNIT}`;
const ticks = () => [-3, -2, -1, 1, 2, 3];
const path = (name, d = "") => h("svg:path", { class: name, d });
const square = (name) => h("svg:rect", { x: -8, y: -8, width: 16, height: 16, class: name });
const text = (label, x, y, name) => h("svg:text", { class: name, x: x * UNIT, y: -y * UNIT }, label);

function pole(name, sign) {
  const kind = sign > 0 ? "cx-north" : "cx-south";
  return h(
    "svg:g", {},
    h("svg:circle", { cy: -sign * UNIT, r: 8, class: `cx-pole ${kind}` }),
    text(name, 0, sign > 0 ? 1.2 : -1.36, `cx-label ${kind}`),
  );
}

// One branch of w = 1/u, as far as the panel reaches.
function branch(sign) {
  let d = "";
  for (let i = 0; i <= 80; i++) {
    const u = sign * (1 / RANGE) * (RANGE * RANGE) ** (i / 80);
    d += `${i ? "L" : "M"}${(u * UNIT).toFixed(1)} ${(-UNIT / u).toFixed(1)}`;
  }
  return d;
}

// An arrow head at the edge over which the point (u, w) left, along the axis that it follows.
function arrow(u, w) {
  const along = Math.abs(u) > Math.abs(w);
  const sign = Math.sign(along ? u : w);
  const tip = sign * (RANGE - 0.05) * UNIT;
  const back = tip - sign * 24;
  const side = (along ? -w : u) * UNIT;
  return along
    ? `M${tip} ${side}L${back} ${side - 13}L${back} ${side + 13}Z`
    : `M${side} ${-tip}L${side - 13} ${-back}L${side + 13} ${-back}Z`;
}

function number(value, digits) {
  if (Math.abs(value) >= 1e5) return value.toExponential(1).replace("-", "−").replace("e+", "e");
  const rounded = value.toFixed(digits);
  return (Number(rounded) === 0 ? rounded.replace("-", "") : rounded).replace("-", "−");
}

function connect({ plot, handle }, angle, change) {
  const towards = (event) => {
    const { left, top, width, height } = plot.getBoundingClientRect();
    const x = RANGE * ((2 * (event.clientX - left)) / width - 1);
    const y = HEIGHT * (1 - (2 * (event.clientY - top)) / height);
    if (x === 0 && y === 0) return; // the centre has no angle
    change(snapped(Math.atan2(y, x)));
  };
  const press = ([right, up], large) => change(angle() + ((up - right) * (large ? 10 : 1) * Math.PI) / 180);
  const jumps = {
    Home: () => change(0),
    PageUp: () => change(Math.PI / 2),
    PageDown: () => change(-Math.PI / 2),
  };
  movable(handle, towards, press, jumps);
  plot.addEventListener("click", towards);
}

export default { render };
