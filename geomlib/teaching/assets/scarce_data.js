// Scarce data: errors of several models against the number of training samples, and what the
// models make of a few new samples.
//
// `summary` and `picture` are pure, exported for the tests. All that the figure needs is in the
// widget's state, so it also runs without a kernel.

/** Mean, least and greatest error of each model at the k-th count, and the mean over the first's. */
export function summary(errors, k) {
  const means = errors.map((model) => model[k].reduce((sum, e) => sum + e, 0) / model[k].length);
  return errors.map((model, m) => ({
    mean: means[m],
    least: Math.min(...model[k]),
    most: Math.max(...model[k]),
    ratio: means[m] / means[0],
  }));
}

/** The grey values of the image strip that starts at `first`, images side by side, a gap between.
 *
 * Returns width, height and RGBA values; the gap is transparent.
 */
export function picture(bytes, [rows, columns], first, many) {
  const width = many * (columns + 1) - 1;
  const rgba = new Uint8ClampedArray(4 * width * rows);
  for (let image = 0; image < many; image++)
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) {
        const grey = bytes[((first + image) * rows + y) * columns + x];
        rgba.set([grey, grey, grey, 255], 4 * (y * width + image * (columns + 1) + x));
      }
  return { width, height: rows, rgba };
}

const SIDE = 400; // of the plot, in its own units
const [LEFT, RIGHT, TOP, BOTTOM] = [58, 18, 14, 52];

// Marks that differ in more than colour.
const MARKS = [
  (x, y, r) => h("svg:circle", { cx: x, cy: y, r }),
  (x, y, r) => h("svg:path", { d: `M${x} ${y - 1.3 * r}L${x + 1.2 * r} ${y + r}H${x - 1.2 * r}Z` }),
  (x, y, r) => h("svg:rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r }),
];

function render({ model, el }) {
  const id = Math.random().toString(36).slice(2); // several figures in a page keep apart
  const [counts, names, errors] = ["_counts", "_names", "_errors"].map((name) => model.get(name));
  const view = model.get("_images");
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const figure = build(id, { counts, names, errors, bytes, shape: model.get("_image_shape") });

  function draw() {
    const k = Math.max(0, counts.indexOf(model.get("count")));
    const now = summary(errors, k);
    figure.draw(k, now);
    model.set("measured", Object.fromEntries(names.map((name, m) => [name, now[m].mean])));
    model.save_changes();
  }

  figure.input.addEventListener("input", () => {
    model.set("count", counts[Number(figure.input.value)]);
    model.save_changes();
  });
  model.on("change:count", draw);
  el.append(figure.root);
  draw();
  return () => model.off("change:count", draw);
}

function build(id, data) {
  const { counts, names } = data;
  const input = h("input", { type: "range", id: `scd-count-${id}`, min: 0, max: counts.length - 1, step: 1 });
  const value = h("output", { for: `scd-count-${id}`, "aria-hidden": "true" });
  const plot = errorPlot(data);
  const strips = imageStrips(data);
  const readout = h("p", { class: "gw-readout", "aria-live": "polite" });
  const root = h(
    "section",
    { class: "gw scd", "aria-label": "Scarce data", "data-lm-suppress-shortcuts": "true" },
    h("div", { class: "gw-controls scd-controls" }, h("label", { for: `scd-count-${id}` }, "Training samples N ", input, value)),
    h("div", { class: "gw-panels" }, plot.root, strips.root),
    readout,
    h("p", { class: "gw-help" }, "Move the slider, or focus it and press the arrow keys. A mark is one seed, a line joins the means."),
  );

  function draw(k, now) {
    input.value = k;
    input.setAttribute("aria-valuetext", `${counts[k]} samples`);
    value.textContent = counts[k];
    plot.draw(k, now);
    strips.draw(k, now);
    const said = names.map((name, m) => {
      const share = m ? ` (${now[m].ratio.toFixed(2)} times as much)` : "";
      return `${name} ${now[m].mean.toFixed(4)}${share}`;
    });
    readout.textContent = `Mean errors at N = ${counts[k]}: ${said.join("; ")}.`;
  }
  return { root, input, draw };
}

function key(m) {
  const mark = h("svg:svg", { viewBox: "-8 -8 16 16", class: `scd-key scd-model-${m}`, "aria-hidden": "true" });
  mark.append(MARKS[m](0, 0, 5));
  return mark;
}

// Errors against N; N on a logarithmic axis.
function errorPlot({ counts, names, errors }) {
  const [low, high] = [Math.log(counts[0]), Math.log(counts.at(-1))];
  const most = 1.08 * Math.max(...errors.flat(2));
  const x = (k) => LEFT + 12 + ((SIDE - LEFT - RIGHT - 24) * (Math.log(counts[k]) - low)) / (high - low);
  const y = (error) => SIDE - BOTTOM - ((SIDE - BOTTOM - TOP) * error) / most;
  const text = (content, at, anchor) => h("svg:text", { x: at[0], y: at[1], "text-anchor": anchor }, content);

  const frame = h("svg:g", { class: "scd-frame" }, h("svg:path", { d: `M${LEFT} ${TOP}V${SIDE - BOTTOM}H${SIDE - RIGHT}` }));
  counts.forEach((count, k) => frame.append(text(String(count), [x(k), SIDE - BOTTOM + 20], "middle")));
  for (const tick of ticks(most)) {
    frame.append(h("svg:path", { d: `M${LEFT - 5} ${y(tick)}H${LEFT}` }), text(String(tick), [LEFT - 8, y(tick) + 5], "end"));
  }
  frame.append(text("N", [SIDE - RIGHT, SIDE - 10], "end"));
  const now = h("svg:path", { class: "scd-now" });
  const groups = errors.map((model, m) => {
    const mean = (k) => summary(errors, k)[m].mean;
    const line = "M" + counts.map((_, k) => `${x(k).toFixed(1)} ${y(mean(k)).toFixed(1)}`).join("L");
    return h("svg:g", { class: `scd-model-${m}` }, h("svg:path", { class: "scd-line", d: line }), h("svg:g"));
  });
  const svg = h("svg:svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img" }, frame, now, ...groups);
  const keys = h("p", { class: "scd-keys" }, ...names.map((name, m) => h("span", {}, key(m), name)));
  const root = h("figure", { class: "scd-errors" }, h("figcaption", {}, "Error on new samples"), svg, keys);

  function draw(chosen, values) {
    now.setAttribute("d", `M${x(chosen)} ${TOP}V${SIDE - BOTTOM}`);
    errors.forEach((model, m) => {
      const marks = model.flatMap((seeds, k) => seeds.map((error) => MARKS[m](x(k), y(error), k === chosen ? 6 : 3.5)));
      groups[m].lastChild.replaceChildren(...marks);
    });
    const spread = names.map((name, m) => `${name} from ${values[m].least.toFixed(4)} to ${values[m].most.toFixed(4)}`);
    svg.setAttribute("aria-label", `Errors at N = ${counts[chosen]}: ${spread.join(", ")}`);
  }
  return { root, draw };
}

/** Round numbers from 0 up to at most `most`, four to eight of them. */
function ticks(most) {
  const unit = 10 ** Math.floor(Math.log10(most));
  const step = [0.1, 0.2, 0.5, 1].map((s) => s * unit).find((s) => most / s < 8) ?? 2 * unit;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

function imageStrips({ counts, names, bytes, shape }) {
  const many = bytes.length / (shape[0] * shape[1]) / (1 + names.length * counts.length);
  const rows = ["new samples", ...names].map((name, row) => {
    const canvas = h("canvas", { role: "img" });
    return { canvas, root: h("div", { class: "scd-strip" }, h("p", {}, row ? key(row - 1) : "", name), canvas) };
  });
  const root = h("figure", {}, h("figcaption"), ...rows.map((row) => row.root));

  function draw(k, values) {
    root.firstChild.textContent = `What models of ${counts[k]} samples make of new ones`;
    rows.forEach(({ canvas }, row) => {
      const first = row === 0 ? 0 : many * (1 + (row - 1) * counts.length + k);
      const { width, height, rgba } = picture(bytes, shape, first, many);
      Object.assign(canvas, { width, height });
      canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
      const label = row ? `${many} reconstructions, ${names[row - 1]}, mean error ${values[row - 1].mean.toFixed(4)}` : `${many} new samples`;
      canvas.setAttribute("aria-label", label);
    });
  }
  return { root, draw };
}

export default { render };
