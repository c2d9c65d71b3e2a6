// The latent explorer: geodesics of a decoder with two latent coordinates, relaxed in the browser.
//
// Three parts: the decoder and its derivatives, the geodesic solver, and the figure. The first two
// are pure functions, exported for the tests, which hold them to torch and to geomlib.riemann.
// Everything the figure needs travels in the widget's state, so it also runs without a kernel.

// ------------------------------------------------------------------------------------------------
// The decoder
// ------------------------------------------------------------------------------------------------

// Each activation with its slope, written in terms of input t and output y, and its second
// derivative, in terms of output y and slope s.
const ACTIVATIONS = {
  tanh: { value: Math.tanh, slope: (t, y) => 1 - y * y, bend: (y, s) => -2 * y * s },
  sigmoid: { value: sigmoid, slope: (t, y) => y * (1 - y), bend: (y, s) => (1 - 2 * y) * s },
  softplus: {
    value: (t) => Math.max(t, 0) + Math.log1p(Math.exp(-Math.abs(t))),
    slope: sigmoid,
    bend: (y, s) => s * (1 - s),
  },
};

function sigmoid(t) {
  return 1 / (1 + Math.exp(-t));
}

/**
 * The decoder of a Gaussian VAE with two latent coordinates.
 *
 * weights.layers: the mean, [{type: "linear", inputs, outputs, weight, bias}, {type: "tanh"}, …],
 *   each weight row-major, outputs × inputs.
 * weights.std: σ(z) = (W v(z) + ζ)^(−1/2) with v_k(z) = exp(−λ_k ‖z − c_k‖²), as
 *   {centres, bandwidth, weight, floor} for c, λ, W, ζ. May be left out: then σ is constant.
 * weights.bounds: [xMin, xMax, yMin, yMax], the part of the latent plane in which `geodesic` looks
 *   for detours. May be left out: then it starts from the straight line alone.
 */
export function decoder({ layers, std = null, bounds = null }) {
  const mean = meanMap(layers);
  const folded = meanMap(foldLastLayer(layers));
  const sigma = std && deviationMap(std);
  return {
    layers,
    bounds,
    size: mean.size,
    maps: { mean, expected: sigma ? stack(mean, sigma) : mean },
    // The same metrics through maps into fewer dimensions: what the solver works with.
    foldedMaps: { mean: folded, expected: sigma ? stack(folded, sigma) : folded },
    lattices: {},
  };
}

/** The decoded mean μ(z), a Float64Array. */
export function decode(dec, [x, y]) {
  let h = Float64Array.of(x, y);
  for (const layer of dec.layers) {
    if (layer.type !== "linear") {
      h = h.map(ACTIVATIONS[layer.type].value);
      continue;
    }
    const { inputs, outputs, weight, bias } = layer;
    const next = new Float64Array(outputs);
    for (let o = 0, w = 0; o < outputs; o++) {
      let sum = bias[o];
      for (let i = 0; i < inputs; i++) sum += weight[w++] * h[i];
      next[o] = sum;
    }
    h = next;
  }
  return h;
}

/**
 * Value and both columns of the Jacobian of f at z, where f is the mean μ for the metric "mean",
 * and (μ, σ) for "expected", so that JᵀJ = J_μᵀJ_μ + J_σᵀJ_σ.
 */
export function jacobian(dec, z, metric = "expected") {
  const map = dec.maps[metric];
  const out = new Float64Array(3 * map.size);
  map.jet(z[0], z[1], out, 0, map.size);
  return {
    value: out.slice(0, map.size),
    columns: [out.slice(map.size, 2 * map.size), out.slice(2 * map.size)],
  };
}

// A map f: R² → R^size is kept as {size, value, jet, hessian}. jet(x, y, out, at, stride) writes f,
// ∂f/∂x and ∂f/∂y at out[at], out[at + stride] and out[at + 2 stride]; all three ride through a layer
// together, so that each weight is read once. value(x, y, out, at) writes f alone, at a third of the
// cost. hessian(x, y, w, out, at, stride) gives the second derivatives [xx, xy, yy] of wᵀf, where
// out holds the jet at (x, y).

// A matrix as its columns, and a column of zeros that fills up a group of four below.
function columnsOf(weight, inputs, outputs) {
  return Array.from({ length: inputs + 1 }, (_, i) =>
    Float64Array.from({ length: outputs }, (_, o) => (i < inputs ? weight[o * inputs + i] : 0)),
  );
}

// g += W v for the columns of W that are listed. A drag waits for this loop and the next: with four
// columns at a time they take half as long as with one.
function addColumns(columns, listed, count, v, g, rows) {
  for (let j = 0; j < count; j += 4) {
    const w0 = columns[listed[j]];
    const w1 = columns[listed[j + 1]];
    const w2 = columns[listed[j + 2]];
    const w3 = columns[listed[j + 3]];
    const [v0, v1, v2, v3] = [v[j], v[j + 1], v[j + 2], v[j + 3]];
    for (let o = 0; o < rows; o++) {
      g[o] += w0[o] * v0 + w1[o] * v1 + w2[o] * v2 + w3[o] * v3;
    }
  }
}

// The same for three vectors at once.
function addColumnsToThree(columns, listed, count, [v, vx, vy], [g, gx, gy], rows) {
  for (let j = 0; j < count; j += 4) {
    const w0 = columns[listed[j]];
    const w1 = columns[listed[j + 1]];
    const w2 = columns[listed[j + 2]];
    const w3 = columns[listed[j + 3]];
    const [v0, x0, y0] = [v[j], vx[j], vy[j]];
    const [v1, x1, y1] = [v[j + 1], vx[j + 1], vy[j + 1]];
    const [v2, x2, y2] = [v[j + 2], vx[j + 2], vy[j + 2]];
    const [v3, x3, y3] = [v[j + 3], vx[j + 3], vy[j + 3]];
    for (let o = 0; o < rows; o++) {
      g[o] += w0[o] * v0 + w1[o] * v1 + w2[o] * v2 + w3[o] * v3;
      gx[o] += w0[o] * x0 + w1[o] * x1 + w2[o] * x2 + w3[o] * x3;
      gy[o] += w0[o] * y0 + w1[o] * y1 + w2[o] * y2 + w3[o] * y3;
    }
  }
}

// Columns 0 … count − 1, and the column of zeros up to a multiple of four.
function allColumns(count) {
  return Int32Array.from({ length: 4 * Math.ceil(count / 4) }, (_, i) => Math.min(i, count));
}

function meanMap(layers) {
  const widths = layers.filter((l) => l.type === "linear").map((l) => l.outputs);
  const size = widths.at(-1);
  const prepared = layers.map((layer) =>
    layer.type === "linear"
      ? {
          ...layer,
          columns: columnsOf(layer.weight, layer.inputs, layer.outputs),
          listed: allColumns(layer.inputs),
        }
      : layer,
  );
  // value, ∂x, ∂y; and for the hessian ∂xx, ∂xy, ∂yy
  const buffers = () => Array.from({ length: 6 }, () => new Float64Array(Math.max(4, ...widths) + 3));
  let here = buffers();
  let next = buffers();

  function multiply({ columns, listed, outputs, bias }, order) {
    const count = listed.length;
    for (const g of next) g.fill(0);
    next[0].set(bias);
    if (order === 0) addColumns(columns, listed, count, here[0], next[0], outputs);
    else addColumnsToThree(columns, listed, count, here, next, outputs);
    if (order === 2) addColumnsToThree(columns, listed, count, here.slice(3), next.slice(3), outputs);
    [here, next] = [next, here];
    return outputs;
  }

  function activate(type, count, order) {
    const { value, slope, bend } = ACTIVATIONS[type];
    const [h, hx, hy, hxx, hxy, hyy] = here;
    for (let i = 0; i < count; i++) {
      const t = h[i];
      h[i] = value(t);
      if (order === 0) continue;
      const s = slope(t, h[i]);
      if (order === 2) {
        const c = bend(h[i], s);
        hxx[i] = s * hxx[i] + c * hx[i] * hx[i];
        hxy[i] = s * hxy[i] + c * hx[i] * hy[i];
        hyy[i] = s * hyy[i] + c * hy[i] * hy[i];
      }
      hx[i] *= s;
      hy[i] *= s;
    }
  }

  // Carries derivatives up to the given order through all layers; they end up in `here`.
  function run(x, y, order) {
    here[0].set([x, y]);
    here[1].set([1, 0]);
    here[2].set([0, 1]);
    if (order === 2) for (let k = 3; k < 6; k++) here[k].fill(0);
    let count = 2;
    for (const layer of prepared) {
      if (layer.type === "linear") count = multiply(layer, order);
      else activate(layer.type, count, order);
    }
  }

  function value(x, y, out, at) {
    run(x, y, 0);
    out.set(here[0].subarray(0, size), at);
  }

  function jet(x, y, out, at, stride) {
    run(x, y, 1);
    for (let k = 0; k < 3; k++) out.set(here[k].subarray(0, size), at + k * stride);
  }

  function hessian(x, y, w) {
    run(x, y, 2);
    return [3, 4, 5].map((k) => {
      let sum = 0;
      for (let o = 0; o < size; o++) sum += w[o] * here[k][o];
      return sum;
    });
  }
  return { size, value, jet, hessian };
}

function deviationMap({ centres, bandwidth, weight, floor }) {
  const kernels = bandwidth.length;
  const size = floor.length;
  const columns = columnsOf(weight, kernels, size);
  const smallest = columns.map((column) => column.reduce((m, w) => Math.min(m, w)));
  const largest = columns.map((column) => column.reduce((m, w) => Math.max(m, w)));
  const leastFloor = floor.reduce((m, value) => Math.min(m, value));

  const active = new Int32Array(kernels + 3);
  const [v, vx, vy] = Array.from({ length: 3 }, () => new Float64Array(kernels + 3));
  const [precision, px, py, pull] = Array.from({ length: 4 }, () => new Float64Array(size));

  // Most kernels are far away. Those that change no precision by more than one part in 10⁶ are
  // left out, which leaves about a third.
  function findActive(x, y) {
    let least = leastFloor;
    for (let k = 0; k < kernels; k++) {
      const dx = x - centres[2 * k];
      const dy = y - centres[2 * k + 1];
      v[k] = Math.exp(-bandwidth[k] * (dx * dx + dy * dy));
      least += smallest[k] * v[k];
    }
    let count = 0;
    for (let k = 0; k < kernels; k++) {
      if (largest[k] * v[k] <= 1e-6 * least) continue;
      active[count] = k;
      v[count] = v[k]; // count ≤ k: nothing is overwritten before it was read
      vx[count] = -2 * bandwidth[k] * (x - centres[2 * k]) * v[count];
      vy[count] = -2 * bandwidth[k] * (y - centres[2 * k + 1]) * v[count];
      count++;
    }
    for (; count % 4; count++) active[count] = kernels;
    return count;
  }

  const pulled = new Float64Array(4);
  function pullKernels(j) {
    const [w0, w1, w2, w3] = [0, 1, 2, 3].map((i) => columns[active[j + i]]);
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let o = 0; o < size; o++) {
      s0 += pull[o] * w0[o];
      s1 += pull[o] * w1[o];
      s2 += pull[o] * w2[o];
      s3 += pull[o] * w3[o];
    }
    pulled.set([s0, s1, s2, s3]);
  }

  function value(x, y, out, at) {
    precision.set(floor);
    addColumns(columns, active, findActive(x, y), v, precision, size);
    for (let o = 0; o < size; o++) out[at + o] = 1 / Math.sqrt(precision[o]);
  }

  function jet(x, y, out, at, stride) {
    precision.set(floor);
    px.fill(0);
    py.fill(0);
    const count = findActive(x, y);
    addColumnsToThree(columns, active, count, [v, vx, vy], [precision, px, py], size);
    for (let o = 0; o < size; o++) {
      const sigma = 1 / Math.sqrt(precision[o]);
      const slope = -0.5 * sigma * sigma * sigma; // d β^(−1/2) / dβ
      out[at + o] = sigma;
      out[at + stride + o] = slope * px[o];
      out[at + 2 * stride + o] = slope * py[o];
    }
  }

  // ∂_ij σ = 3 ∂_iσ ∂_jσ / σ − ½ σ³ ∂_ij β, and ∂_ij v_k = (4 λ_k² d_i d_j − 2 λ_k δ_ij) v_k.
  function hessian(x, y, w, out, at, stride) {
    let [xx, xy, yy] = [0, 0, 0];
    for (let o = 0; o < size; o++) {
      const sigma = out[at + o];
      const sx = out[at + stride + o];
      const sy = out[at + 2 * stride + o];
      const outer = (3 * w[o]) / sigma;
      xx += outer * sx * sx;
      xy += outer * sx * sy;
      yy += outer * sy * sy;
      pull[o] = -0.5 * w[o] * sigma * sigma * sigma;
    }
    const count = findActive(x, y);
    for (let j = 0; j < count; j++) {
      if (j % 4 === 0) pullKernels(j);
      if (active[j] === kernels) break;
      const twice = 2 * bandwidth[active[j]];
      const sum = pulled[j % 4];
      xx += sum * ((vx[j] * vx[j]) / v[j] - twice * v[j]);
      xy += (sum * vx[j] * vy[j]) / v[j];
      yy += sum * ((vy[j] * vy[j]) / v[j] - twice * v[j]);
    }
    return [xx, xy, yy];
  }
  return { size, value, jet, hessian };
}

function stack(f, g) {
  return {
    size: f.size + g.size,
    value(x, y, out, at) {
      f.value(x, y, out, at);
      g.value(x, y, out, at + f.size);
    },
    jet(x, y, out, at, stride) {
      f.jet(x, y, out, at, stride);
      g.jet(x, y, out, at + f.size, stride);
    },
    hessian(x, y, w, out, at, stride) {
      const first = f.hessian(x, y, w, out, at, stride);
      const second = g.hessian(x, y, w.subarray(f.size), out, at + f.size, stride);
      return first.map((value, i) => value + second[i]);
    },
  };
}

// If the last layer is linear, ‖WΔh‖² = ‖LᵀΔh‖² with the Cholesky factor WᵀW = LLᵀ: distances
// between decoded images cost hidden instead of hidden × pixels operations, and stay exact. The
// bias drops out of differences.
function foldLastLayer(layers) {
  const last = layers.at(-1);
  if (last.type !== "linear" || last.outputs <= last.inputs) return layers;
  const n = last.inputs;
  const gram = new Float64Array(n * n);
  for (let o = 0; o < last.outputs; o++) {
    const row = last.weight.subarray(o * n, (o + 1) * n);
    for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) gram[i * n + j] += row[i] * row[j];
  }
  const factor = {
    type: "linear",
    inputs: n,
    outputs: n,
    weight: choleskyTransposed(gram, n),
    bias: new Float64Array(n),
  };
  return [...layers.slice(0, -1), factor];
}

function choleskyTransposed(gram, n) {
  const upper = new Float64Array(n * n);
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, gram[i * n + i]);
  for (let j = 0; j < n; j++) {
    let pivot = gram[j * n + j];
    for (let k = 0; k < j; k++) pivot -= upper[k * n + j] ** 2;
    if (pivot <= 1e-13 * largest) continue; // W loses rank here: this direction costs nothing
    upper[j * n + j] = Math.sqrt(pivot);
    for (let i = j + 1; i < n; i++) {
      let sum = gram[i * n + j];
      for (let k = 0; k < j; k++) sum -= upper[k * n + i] * upper[k * n + j];
      upper[j * n + i] = sum / upper[j * n + j];
    }
  }
  return upper;
}

// ------------------------------------------------------------------------------------------------
// Curves and geodesics
// ------------------------------------------------------------------------------------------------

// A curve is a Float64Array of N + 1 nodes, [x₀, y₀, x₁, y₁, …].

// Of the energy: what a further step must promise, on the coarse levels and on the finest.
const COARSE = 1e-3;
const FINE = 1e-6;

const nodeCount = (points) => points.length / 2;

/** The straight line from a to b in N equal steps. */
export function straightLine(a, b, segments) {
  return Float64Array.from({ length: 2 * (segments + 1) }, (_, i) => {
    const t = (i >> 1) / segments;
    return (1 - t) * a[i % 2] + t * b[i % 2];
  });
}

/** The lengths ‖f(z_{i+1}) − f(z_i)‖ of the N steps of a curve. */
export function steps(dec, points, metric = "expected") {
  const map = dec.foldedMaps[metric];
  return stepLengths(evaluateValues(map, points), map.size);
}

/** The length Σ ‖f(z_{i+1}) − f(z_i)‖ of a curve. */
export function length(dec, points, metric = "expected") {
  return sum(steps(dec, points, metric));
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** The point of a curve at time t in [0, 1], its nodes being equally spaced in time. */
export function pointAt(points, t) {
  const s = t * (nodeCount(points) - 1);
  const i = Math.min(Math.floor(s), nodeCount(points) - 2);
  return [0, 1].map((c) => points[2 * i + c] + (s - i) * (points[2 * i + 2 + c] - points[2 * i + c]));
}

/**
 * The shortest curve from a to b that was found, as {points, length, converged, iterations}.
 *
 * It minimises the energy (N/2) Σ ‖f(z_{i+1}) − f(z_i)‖² over the interior nodes, and therefore has
 * constant speed. Descent reaches the minimum that lies downhill from its start, which may be the
 * wrong way round a hole in the data. So there are two starts, the straight line and a shortest
 * path on a lattice, and the shorter result counts.
 *
 * quick: few iterations, and on the finest level of one curve only, for a point that still moves.
 * A curve that ran out of iterations is close to the shortest, and says converged: false.
 */
export function geodesic(dec, a, b, { metric = "expected", segments = 32, quick = false } = {}) {
  const map = dec.foldedMaps[metric];
  const levels = [segments];
  while (levels[0] % 2 === 0 && levels[0] >= 16) levels.unshift(levels[0] / 2);

  const starts = [straightLine(a, b, levels[0])];
  if (dec.bounds) starts.push(latticePath(dec, metric, a, b, levels[0]));
  let curves = starts.map((points) => ({ points, iterations: 0 }));
  for (const count of levels) {
    const finest = count === segments;
    if (quick && finest) curves = [lowest(curves, (curve) => curve.energy ?? 0)];
    const tolerance = finest ? FINE : COARSE;
    const limit = quick ? (finest ? 2 : 4) : finest ? 40 : 12;
    curves = distinct(
      curves.map(({ points, iterations }) => {
        const start = nodeCount(points) <= count ? halveSteps(points) : points;
        const curve = relax(map, start, tolerance, limit);
        return { ...curve, iterations: iterations + curve.iterations };
      }),
    );
  }
  if (!quick) curves = curves.map((curve) => evenOut(map, curve));

  const straight = straightLine(a, b, segments);
  const straightLength = length(dec, straight, metric);
  const lengths = curves.map((curve) => length(dec, curve.points, metric));
  if (lengths.every((value) => !(value <= straightLength))) {
    // The coarse levels went astray. From the straight line at constant speed, where energy is
    // L²/2, every step down in energy is one down in length.
    curves.push(relax(map, spreadEvenly(map, straight), FINE, 40));
    lengths.push(length(dec, curves.at(-1).points, metric));
  }
  const best = lowest(curves, (_, i) => lengths[i]);
  const { points, converged, iterations } = best;
  return { points, length: lengths[curves.indexOf(best)], converged, iterations };
}

function lowest(items, value) {
  const values = items.map(value);
  return items[values.indexOf(Math.min(...values))];
}

// Without the curves that lie on an earlier one.
function distinct(curves) {
  const near = (p, q) => {
    const span = Math.hypot(p[0] - p.at(-2), p[1] - p.at(-1));
    return p.every((value, i) => Math.abs(value - q[i]) <= 0.02 * span);
  };
  return curves.filter(
    ({ points }, i) => !curves.slice(0, i).some((earlier) => near(points, earlier.points)),
  );
}

// A step much longer than the others has jumped across a ridge of σ that lies between its ends: a
// minimum of the discrete energy that is no geodesic. With the nodes spread evenly along the same
// curve, some come to lie on the ridge.
function evenOut(map, curve) {
  if (!isUneven(map, curve)) return curve;
  const spread = relax(map, spreadEvenly(map, curve.points), FINE, 40);
  return { ...spread, iterations: curve.iterations + spread.iterations };
}

function isUneven(map, { points }) {
  const lengths = stepLengths(evaluateValues(map, points), map.size);
  return Math.max(...lengths) > (1.3 * sum(lengths)) / lengths.length;
}

// The same curve with nodes at equal lengths, which are measured on steps four times as fine.
function spreadEvenly(map, points) {
  const segments = nodeCount(points) - 1;
  const fine = Float64Array.from({ length: 2 * (4 * segments + 1) }, (_, i) =>
    pointAt(points, (i >> 1) / (4 * segments))[i % 2],
  );
  return resample(fine, stepLengths(evaluateValues(map, fine), map.size), segments);
}

/**
 * Newton's method on ½ Σ ‖f(z_{i+1}) − f(z_i)‖², and Gauss–Newton with Levenberg's damping where
 * the second derivative is not positive or its step does not lower the energy.
 *
 * A node meets its two neighbours only, so the equations are block tridiagonal in 2 × 2 blocks, and
 * elimination solves them in one sweep. It stops where Newton's model promises to lower the energy
 * by less than tolerance × energy: since its pivots are positive there, that is a minimum.
 */
function relax(map, start, tolerance, maxIterations) {
  let points = start;
  let used = 0; // which buffer holds the values
  let values = evaluate(map, points, used);
  let energy = sumOfSquares(values, map.size);
  let system = null;
  let damping = 0; // 0 stands for Newton
  let converged = false;
  let iterations = 0;
  while (iterations < maxIterations && damping < 1e4) {
    iterations++;
    system ??= normalEquations(map, points, values);
    const diagonal = damping > 0 ? system.diagonal : system.newtonDiagonal;
    const step = solveTridiagonal({ ...system, diagonal }, damping);
    if (step && damping === 0 && step.promise <= tolerance * energy) {
      converged = true;
      break;
    }
    if (step) {
      const trial = points.slice();
      for (let i = 0; i < step.delta.length; i++) trial[i + 2] += step.delta[i];
      const trialValues = evaluate(map, trial, 1 - used);
      const trialEnergy = sumOfSquares(trialValues, map.size);
      if (trialEnergy < energy) {
        [points, values, energy, used] = [trial, trialValues, trialEnergy, 1 - used];
        damping = damping < 0.01 ? 0 : damping / 10;
        system = null;
        continue;
      }
    }
    damping = Math.max(10 * damping, 1e-3);
  }
  return { points, energy, converged, iterations };
}

// The jets at all nodes, in one of the map's two buffers, which the next call overwrites: fresh memory
// for each call would cost as much time as half of the arithmetic.
function evaluate(map, points, which = 0) {
  const { size } = map;
  const buffer = bufferOf(map, nodeCount(points), which);
  for (let i = 0; i < nodeCount(points); i++) {
    map.jet(points[2 * i], points[2 * i + 1], buffer, 3 * size * i, size);
  }
  return buffer;
}

// The same places hold the values; the derivatives there are stale.
function evaluateValues(map, points) {
  const buffer = bufferOf(map, nodeCount(points), 0);
  for (let i = 0; i < nodeCount(points); i++) {
    map.value(points[2 * i], points[2 * i + 1], buffer, 3 * map.size * i);
  }
  return buffer;
}

function bufferOf(map, nodes, which) {
  map.buffers ??= {};
  map.buffers[nodes] ??= [0, 1].map(() => new Float64Array(3 * nodes * map.size));
  return map.buffers[nodes][which];
}

function stepLengths(values, size) {
  const count = values.length / (3 * size) - 1;
  return Array.from({ length: count }, (_, i) => {
    let sum = 0;
    for (let k = 3 * size * i; k < 3 * size * i + size; k++) {
      sum += (values[k + 3 * size] - values[k]) ** 2;
    }
    return Math.sqrt(sum);
  });
}

function sumOfSquares(values, size) {
  return sum(stepLengths(values, size).map((step) => step * step)) / 2;
}

// With w_i = 2f_i − f_{i−1} − f_{i+1}: the gradient J_iᵀw_i, Gauss–Newton's diagonal blocks 2 J_iᵀJ_i
// and Newton's, which add w_iᵀ∂²f, and the blocks −J_iᵀJ_{i+1} above the diagonal.
function normalEquations(map, points, values) {
  const { size } = map;
  const inner = nodeCount(points) - 2;
  const stride = 3 * size;
  const gradient = new Float64Array(2 * inner);
  const diagonal = new Float64Array(3 * inner); // xx, xy, yy
  const newtonDiagonal = new Float64Array(3 * inner);
  const w = new Float64Array(size);
  const upper = new Float64Array(4 * inner); // xx, xy, yx, yy
  for (let i = 0; i < inner; i++) {
    const here = (i + 1) * stride;
    let [gx, gy, xx, xy, yy, uxx, uxy, uyx, uyy] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (let o = 0, k = here; o < size; o++, k++) {
      const bend = 2 * values[k] - values[k - stride] - values[k + stride];
      w[o] = bend;
      const jx = values[k + size];
      const jy = values[k + 2 * size];
      const nextX = values[k + stride + size];
      const nextY = values[k + stride + 2 * size];
      gx += jx * bend;
      gy += jy * bend;
      xx += jx * jx;
      xy += jx * jy;
      yy += jy * jy;
      uxx -= jx * nextX;
      uxy -= jx * nextY;
      uyx -= jy * nextX;
      uyy -= jy * nextY;
    }
    gradient.set([gx, gy], 2 * i);
    diagonal.set([2 * xx, 2 * xy, 2 * yy], 3 * i);
    const [wxx, wxy, wyy] = map.hessian(points[2 * i + 2], points[2 * i + 3], w, values, here, size);
    newtonDiagonal.set([2 * xx + wxx, 2 * xy + wxy, 2 * yy + wyy], 3 * i);
    upper.set([uxx, uxy, uyx, uyy], 4 * i);
  }
  return { gradient, diagonal, newtonDiagonal, upper };
}

// Block elimination. Returns the step and the fall in energy that the quadratic model promises, or
// null if a pivot is not positive definite.
function solveTridiagonal({ gradient, diagonal, upper }, damping) {
  const inner = gradient.length / 2;
  const inverse = new Float64Array(3 * inner); // of each pivot block: xx, xy, yy
  const right = gradient.map((g) => -g);
  for (let i = 0; i < inner; i++) {
    let [p, q, r] = [diagonal[3 * i], diagonal[3 * i + 1], diagonal[3 * i + 2]];
    // Damping by the metric itself, so that the step does not depend on the units of z; the last
    // term keeps the block invertible where the decoder is flat.
    const ridge = 1e-12 * Math.abs(p + r);
    [p, q, r] = [p * (1 + damping) + ridge, q * (1 + damping), r * (1 + damping) + ridge];
    if (i > 0) {
      const [ixx, ixy, iyy] = inverse.subarray(3 * i - 3, 3 * i);
      const [uxx, uxy, uyx, uyy] = upper.subarray(4 * i - 4, 4 * i);
      // V = U_{i−1}ᵀ S_{i−1}⁻¹
      const vxx = uxx * ixx + uyx * ixy;
      const vxy = uxx * ixy + uyx * iyy;
      const vyx = uxy * ixx + uyy * ixy;
      const vyy = uxy * ixy + uyy * iyy;
      p -= vxx * uxx + vxy * uyx;
      q -= vxx * uxy + vxy * uyy;
      r -= vyx * uxy + vyy * uyy;
      right[2 * i] -= vxx * right[2 * i - 2] + vxy * right[2 * i - 1];
      right[2 * i + 1] -= vyx * right[2 * i - 2] + vyy * right[2 * i - 1];
    }
    const det = p * r - q * q;
    if (!(det > 0 && p > 0)) return null;
    inverse.set([r / det, -q / det, p / det], 3 * i);
  }
  const delta = new Float64Array(2 * inner);
  let promise = 0;
  for (let i = inner - 1; i >= 0; i--) {
    let [x, y] = [right[2 * i], right[2 * i + 1]];
    if (i < inner - 1) {
      x -= upper[4 * i] * delta[2 * i + 2] + upper[4 * i + 1] * delta[2 * i + 3];
      y -= upper[4 * i + 2] * delta[2 * i + 2] + upper[4 * i + 3] * delta[2 * i + 3];
    }
    delta[2 * i] = inverse[3 * i] * x + inverse[3 * i + 1] * y;
    delta[2 * i + 1] = inverse[3 * i + 1] * x + inverse[3 * i + 2] * y;
    promise -= (gradient[2 * i] * delta[2 * i] + gradient[2 * i + 1] * delta[2 * i + 1]) / 2;
  }
  return Number.isFinite(promise) ? { delta, promise } : null;
}

// Twice as many steps, the new nodes by the cubic through four old ones.
function halveSteps(points) {
  const last = nodeCount(points) - 1;
  const fine = new Float64Array(2 * (2 * last + 1));
  for (let c = 0; c < 2; c++) {
    const at = (i) => points[2 * i + c];
    const before = 2 * at(0) - at(1); // a straight continuation past either end
    const after = 2 * at(last) - at(last - 1);
    for (let i = 0; i <= last; i++) {
      fine[4 * i + c] = at(i);
      if (i === last) break;
      const left = i > 0 ? at(i - 1) : before;
      const right = i + 2 <= last ? at(i + 2) : after;
      fine[4 * i + 2 + c] = (9 * (at(i) + at(i + 1)) - left - right) / 16;
    }
  }
  return fine;
}

// The same polyline in `segments` steps of equal length, given the lengths of its own steps.
function resample(points, lengths, segments) {
  const total = sum(lengths);
  const out = new Float64Array(2 * (segments + 1));
  let i = 0;
  let passed = 0;
  for (let j = 0; j <= segments; j++) {
    const wanted = (total * j) / segments;
    while (i < lengths.length - 1 && passed + lengths[i] < wanted) passed += lengths[i++];
    const t = lengths[i] > 0 ? Math.min((wanted - passed) / lengths[i], 1) : j / segments;
    for (let c = 0; c < 2; c++) {
      out[2 * j + c] = (1 - t) * points[2 * i + c] + t * points[2 * i + 2 + c];
    }
  }
  return out;
}

// ------------------------------------------------------------------------------------------------
// Shortest paths on a lattice
// ------------------------------------------------------------------------------------------------

const LATTICE = 32;
// Half of the sixteen nearest directions; the others are their opposites.
const DIRECTIONS = [[1, 0], [0, 1], [1, 1], [1, -1], [2, 1], [1, 2], [2, -1], [1, -2]];

// Once for each metric, when it is first asked for: the lattice's nodes and the lengths of its edges.
function lattice(dec, metric) {
  if (dec.lattices[metric]) return dec.lattices[metric];
  const map = dec.foldedMaps[metric];
  const [xMin, xMax, yMin, yMax] = dec.bounds;
  const n = LATTICE;
  const points = new Float64Array(2 * n * n);
  for (let k = 0; k < n * n; k++) {
    points[2 * k] = xMin + ((xMax - xMin) * (k % n)) / (n - 1);
    points[2 * k + 1] = yMin + ((yMax - yMin) * Math.floor(k / n)) / (n - 1);
  }
  const values = evaluateValues(map, points);
  delete map.buffers[n * n]; // large, and not needed again
  const edges = Array.from({ length: n * n }, () => []);
  for (let k = 0; k < n * n; k++) {
    for (const [dx, dy] of DIRECTIONS) {
      const [x, y] = [(k % n) + dx, Math.floor(k / n) + dy];
      if (x >= n || y < 0 || y >= n) continue;
      const other = y * n + x;
      let sum = 0;
      for (let i = 0; i < map.size; i++) {
        sum += (values[3 * map.size * k + i] - values[3 * map.size * other + i]) ** 2;
      }
      edges[k].push([other, Math.sqrt(sum)]);
      edges[other].push([k, Math.sqrt(sum)]);
    }
  }
  const nearest = ([x, y]) => {
    const column = Math.round(((x - xMin) / (xMax - xMin)) * (n - 1));
    const row = Math.round(((y - yMin) / (yMax - yMin)) * (n - 1));
    const clip = (i) => Math.min(Math.max(i, 0), n - 1);
    return clip(row) * n + clip(column);
  };
  return (dec.lattices[metric] = { points, edges, nearest });
}

function latticePath(dec, metric, a, b, segments) {
  const { points, edges, nearest } = lattice(dec, metric);
  const previous = dijkstra(edges, nearest(b), nearest(a));
  const path = [...a];
  for (let k = previous[nearest(a)]; k >= 0 && previous[k] >= 0; k = previous[k]) {
    path.push(points[2 * k], points[2 * k + 1]);
  }
  const polyline = Float64Array.from([...path, ...b]);
  return resample(polyline, steps(dec, polyline, metric), segments);
}

// The node that follows each node on its shortest path to the source; −1 for the source itself.
function dijkstra(edges, source, target) {
  const distance = new Float64Array(edges.length).fill(Infinity);
  const previous = new Int32Array(edges.length).fill(-1);
  const done = new Uint8Array(edges.length);
  const heap = [[0, source]];
  distance[source] = 0;
  while (heap.length) {
    const [near, k] = pop(heap);
    if (done[k]) continue;
    if (k === target) break;
    done[k] = 1;
    for (const [other, edge] of edges[k]) {
      if (near + edge < distance[other]) {
        distance[other] = near + edge;
        previous[other] = k;
        push(heap, [near + edge, other]);
      }
    }
  }
  return previous;
}

function push(heap, entry) {
  let i = heap.push(entry) - 1;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (heap[parent][0] <= entry[0]) break;
    heap[i] = heap[parent];
    i = parent;
  }
  heap[i] = entry;
}

function pop(heap) {
  const top = heap[0];
  const last = heap.pop();
  if (!heap.length) return top;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1][0] < heap[child][0]) child++;
    if (heap[child][0] >= last[0]) break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = last;
  return top;
}

// ------------------------------------------------------------------------------------------------
// The figure
// ------------------------------------------------------------------------------------------------

const TILES = 10;
const REST = 150; // milliseconds without a move, after which the curve is relaxed to the end

// Okabe and Ito's colours, and two greys. Colour never stands alone: each class also carries its
// name on the map.
const CLASS_COLOURS = [
  "#ffffff", "#e69f00", "#56b4e9", "#009e73", "#f0e442",
  "#0072b2", "#d55e00", "#cc79a7", "#111111", "#9a9a9a",
];

const METRICS = {
  expected: ["expected metric", "Jμ⊤Jμ + Jσ⊤Jσ"],
  mean: ["metric of the mean", "Jμ⊤Jμ"],
};

function render({ model, el }) {
  const data = readState(model);
  // Random, because each figure of a page loads this module anew: a counter would start again.
  const view = build(data, Math.random().toString(36).slice(2));
  const point = { a: [...model.get("a")], b: [...model.get("b")] };
  const chosen = { metric: model.get("metric") };
  let frame = 0;
  let rest = 0;

  function schedule() {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      view.root.setAttribute("aria-busy", "true"); // a screen reader waits for the point to rest
      redraw({ quick: true });
      clearTimeout(rest);
      rest = setTimeout(() => {
        const lengths = redraw({ quick: false });
        view.root.setAttribute("aria-busy", "false");
        report({ ...point, ...chosen, lengths });
      }, REST);
    });
  }

  // One message to the kernel once the point rests, instead of one a frame.
  function report(state) {
    for (const [name, value] of Object.entries(state)) {
      if (JSON.stringify(model.get(name)) !== JSON.stringify(value)) model.set(name, value);
    }
    model.save_changes();
  }

  function redraw({ quick }) {
    const { metric } = chosen;
    const options = { metric, segments: data.segments, quick };
    const straight = straightLine(point.a, point.b, data.segments);
    const shortest = geodesic(data.decoder, point.a, point.b, options);
    return view.draw({ point, metric, straight, shortest });
  }

  function move(name, z) {
    point[name] = view.clip(z);
    schedule();
  }

  function choose(name) {
    chosen.metric = name;
    view.showMetric(name);
    schedule();
  }

  connect(view, { move, choose, point, data });
  el.append(view.root);
  view.showMetric(chosen.metric);
  const resize = new ResizeObserver(() => view.paintMap(chosen.metric));
  resize.observe(view.map);
  schedule();
  const stops = [
    follow(model, point, (name) => move(name, point[name])),
    follow(model, chosen, () => choose(chosen.metric)),
  ];
  return () => {
    for (const stop of stops) stop();
    resize.disconnect();
    cancelAnimationFrame(frame);
    clearTimeout(rest);
  };
}

// The widget's state as arrays and a decoder.
function readState(model) {
  const mean = new Reader(model.get("_mean_weights"));
  const layers = model.get("_layers").map((layer) => {
    if (layer.type !== "linear") return layer;
    const weight = mean.take(layer.inputs * layer.outputs);
    return { ...layer, weight, bias: mean.take(layer.outputs) };
  });
  const std = new Reader(model.get("_std_weights"));
  const kernels = model.get("_kernels");
  const size = layers.findLast((layer) => layer.type === "linear").outputs;
  const bounds = model.get("_bounds");
  return {
    decoder: decoder({
      layers,
      std: {
        centres: std.take(2 * kernels),
        bandwidth: std.take(kernels),
        weight: std.take(size * kernels),
        floor: std.take(size),
      },
      bounds,
    }),
    bounds,
    codes: readCodes(model.get("_codes"), bounds),
    labels: bytes(model.get("_labels")),
    classes: model.get("_classes"),
    imageShape: model.get("_image_shape"),
    segments: model.get("_segments"),
    magnification: model.get("_magnification"),
  };
}

// Binary state arrives as a DataView, at any offset of its buffer.
class Reader {
  constructor(view) {
    this.view = view;
    this.at = 0;
  }

  take(count) {
    const start = this.at;
    this.at += 4 * count;
    return Float64Array.from({ length: count }, (_, i) => this.view.getFloat32(start + 4 * i, true));
  }
}

const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

function readCodes(view, [xMin, xMax, yMin, yMax]) {
  return Array.from({ length: view.byteLength / 4 }, (_, i) => [
    xMin + ((xMax - xMin) * view.getUint16(4 * i, true)) / 65535,
    yMin + ((yMax - yMin) * view.getUint16(4 * i + 2, true)) / 65535,
  ]);
}

// The elements, and the functions that draw into them.
function build(data, id) {
  const [xMin, xMax, yMin, yMax] = data.bounds;
  const width = 1000; // of the drawing above the map, in its own units
  const height = (width * (yMax - yMin)) / (xMax - xMin);
  const toDrawing = ([x, y]) => [
    (width * (x - xMin)) / (xMax - xMin),
    (height * (yMax - y)) / (yMax - yMin),
  ];

  const canvas = h("canvas", { class: "lx-canvas", role: "img", "aria-label": mapLabel(data) });
  const paths = {
    straight: pathPair("straight"),
    geodesic: pathPair("geodesic"),
  };
  const dots = { straight: h("svg:g", { class: "lx-dots-straight" }), geodesic: h("svg:g", { class: "lx-dots-geodesic" }) };
  const overlay = h(
    "svg:svg",
    { class: "lx-overlay", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    ...paths.straight, dots.straight, ...paths.geodesic, dots.geodesic,
  );
  const handles = { a: handle("A", data.bounds, id), b: handle("B", data.bounds, id) };
  const map = h("div", { class: "lx-map", style: `aspect-ratio: ${width} / ${height}` }, canvas, overlay, handles.a, handles.b);
  const [ticksX, ticksY] = [axis(xMin, xMax, "x"), axis(yMin, yMax, "y")];
  const bar = colourBar();

  const radios = Object.entries(METRICS).map(([name, [title, formula]]) => radio(name, title, formula, id));
  const fieldset = h("fieldset", { class: "lx-metric" }, h("legend", {}, "Measured with the"), ...radios);
  const readout = h("p", { class: "lx-readout", "aria-live": "polite" });
  const speed = speedPlot();
  const strips = {
    straight: strip("straight", "Straight line", data.imageShape),
    geodesic: strip("geodesic", "Geodesic", data.imageShape),
  };
  const help = h(
    "p",
    { class: "lx-help", id: `lx-help-${id}` },
    "Drag A or B, click the map, or focus a point and press the arrow keys (Shift: larger steps).",
  );

  const root = h(
    "section",
    { class: "gw lx", "aria-label": "Latent explorer", "data-lm-suppress-shortcuts": "true" },
    h(
      "div",
      { class: "lx-top" },
      h("div", { class: "lx-plot" }, ticksY, map, ticksX, h("div", { class: "lx-keys" }, legend(data.classes), bar.root)),
      h("div", { class: "lx-side" }, fieldset, readout, speed.root, help),
    ),
    h("div", { class: "lx-strips" }, strips.straight.root, strips.geodesic.root),
  );

  function showMetric(metric) {
    for (const label of radios) label.firstChild.checked = label.firstChild.value === metric;
    bar.show(data.magnification[metric].range);
    paintMap(metric);
  }

  function paintMap(metric) {
    paintBackground(canvas, map, data, metric);
  }

  function draw({ point, metric, straight, shortest }) {
    const curves = { straight, geodesic: shortest.points };
    const lengths = {};
    const stepsOf = {};
    for (const [name, points] of Object.entries(curves)) {
      const corners = Array.from({ length: nodeCount(points) }, (_, i) => toDrawing(points.subarray(2 * i, 2 * i + 2)));
      const d = "M" + corners.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
      for (const path of paths[name]) path.setAttribute("d", d);
      const shown = Array.from({ length: TILES }, (_, i) => pointAt(points, i / (TILES - 1)));
      dots[name].replaceChildren(...shown.slice(1, -1).map((z) => {
        const [cx, cy] = toDrawing(z);
        return h("svg:circle", { cx: cx.toFixed(1), cy: cy.toFixed(1), r: 5.5 });
      }));
      strips[name].draw(shown.map((z) => decode(data.decoder, z)));
      stepsOf[name] = steps(data.decoder, points, metric);
      lengths[name] = sum(stepsOf[name]);
      strips[name].label(`L = ${format(lengths[name])}`);
    }
    speed.draw(stepsOf);
    readout.textContent = sentence(lengths);
    for (const name of ["a", "b"]) placeHandle(handles[name], point[name], toDrawing(point[name]), width, height);
    return lengths;
  }

  const clip = ([x, y]) => [Math.min(Math.max(x, xMin), xMax), Math.min(Math.max(y, yMin), yMax)];
  return { root, map, handles, radios, draw, showMetric, paintMap, clip };
}

function sentence({ straight, geodesic }) {
  const shorter = Math.round(100 * (1 - geodesic / straight));
  const gain = shorter > 0 ? `${shorter} % shorter` : "less than 1 % shorter";
  const ending = straight > 0 ? ` (${gain})` : "";
  return `straight line L = ${format(straight)}, geodesic L = ${format(geodesic)}${ending}`;
}

const format = (value) => (value < 100 ? value.toFixed(2) : value.toFixed(1));
const signed = (value) => value.toFixed(2).replace("-", "−");

function mapLabel({ classes, codes }) {
  return (
    `Latent map: the magnification factor √det G as colour, and ${codes.length} training codes ` +
    `of the classes ${classes.join(", ")}`
  );
}

// A light casing below each line keeps it visible on every colour of the map.
const pathPair = (name) => ["casing", "line"].map((part) => h("svg:path", { class: `lx-${part} lx-${name}` }));

function handle(name, [xMin, xMax], id) {
  return h(
    "div",
    {
      class: "gw-handle",
      role: "slider",
      tabindex: "0",
      "aria-label": `Point ${name} in the latent map`,
      "aria-describedby": `lx-help-${id}`,
      "aria-valuemin": xMin.toFixed(2),
      "aria-valuemax": xMax.toFixed(2),
      "data-point": name.toLowerCase(),
    },
    h("span", {}, name),
  );
}

function placeHandle(element, [x, y], [left, top], width, height) {
  element.style.left = `${(100 * left) / width}%`;
  element.style.top = `${(100 * top) / height}%`;
  element.setAttribute("aria-valuenow", x.toFixed(2));
  element.setAttribute("aria-valuetext", `z1 = ${signed(x)}, z2 = ${signed(y)}`);
}

function radio(name, title, formula, id) {
  const input = h("input", { type: "radio", name: `lx-metric-${id}`, value: name });
  return h("label", {}, input, h("span", {}, title, " ", h("i", {}, ...indexed(formula))));
}

// "Jμ⊤Jμ" with the letters after J as index and exponent.
function indexed(formula) {
  return [...formula.matchAll(/J|[μσ]⊤?| \+ /g)].flatMap(([piece]) => {
    if (!/[μσ]/.test(piece)) return [piece];
    const index = h("sub", {}, piece[0]);
    return piece[1] ? [index, h("sup", {}, "⊤")] : [index];
  });
}

function legend(classes) {
  const items = classes.map((name, k) =>
    h("li", {}, h("span", { class: "lx-swatch", style: `background: ${CLASS_COLOURS[k]}` }), name),
  );
  return h("ul", { class: "lx-legend", "aria-label": "Classes of the codes" }, ...items);
}

function axis(low, high, direction) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((s) => (high - low) / s <= 7) ?? (high - low) / 4;
  const marks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) {
    const share = (100 * (k * step - low)) / (high - low);
    const side = direction === "x" ? "left" : "bottom";
    const text = String(Number((k * step).toFixed(3))).replace("-", "−");
    if (share > 3 && share < 97) marks.push(h("span", { style: `${side}: ${share}%` }, text));
  }
  const name = h("i", {}, "z", h("sub", {}, direction === "x" ? "1" : "2"));
  return h("div", { class: `lx-axis lx-axis-${direction}`, "aria-hidden": "true" }, ...marks, name);
}

function colourBar() {
  const stops = VIRIDIS.map((rgb) => `rgb(${rgb})`).join(", ");
  const [low, high] = [h("span"), h("span")];
  const root = h(
    "div",
    { class: "lx-bar" },
    h("span", {}, "√det G"),
    low,
    h("span", { class: "lx-ramp", style: `background: linear-gradient(90deg, ${stops})` }),
    high,
    h("span", { class: "lx-quiet" }, "log scale"),
  );
  const show = (range) => [low, high].forEach((end, i) => (end.textContent = short(10 ** range[i])));
  return { root, show };
}

const short = (value) => (value >= 0.01 && value < 1e4 ? Number(value.toPrecision(2)) : value.toExponential(0)).toString();

function paintBackground(canvas, map, { bounds, codes, labels, classes, magnification }, metric) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [map.clientWidth, map.clientHeight];
  if (!width) return;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.imageSmoothingQuality = "high";
  context.drawImage(heatMap(magnification[metric]), 0, 0, width, height);

  const [xMin, xMax, yMin, yMax] = bounds;
  const place = ([x, y]) => [(width * (x - xMin)) / (xMax - xMin), (height * (yMax - y)) / (yMax - yMin)];
  const radius = Math.max(1.4, Math.min(2.3, width / 240));
  context.lineWidth = 0.6;
  context.strokeStyle = "rgba(0, 0, 0, 0.55)";
  codes.forEach((code, i) => {
    context.fillStyle = CLASS_COLOURS[labels[i]];
    context.beginPath();
    context.arc(...place(code), radius, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  });
  nameClasses(context, classes, codes, labels, place, width);
}

function nameClasses(context, classes, codes, labels, place, width) {
  context.font = `700 ${Math.max(12, Math.min(19, width / 28))}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  classes.forEach((name, k) => {
    const own = codes.filter((_, i) => labels[i] === k);
    if (!own.length) return;
    const median = [0, 1].map((c) => own.map((z) => z[c]).sort((p, q) => p - q)[own.length >> 1]);
    const [x, y] = place(median);
    context.lineWidth = 4;
    context.strokeStyle = k === 8 ? "#ffffff" : "#111111";
    context.strokeText(name, x, y);
    context.fillStyle = CLASS_COLOURS[k];
    context.fillText(name, x, y);
  });
}

function heatMap({ pixels, size }) {
  const image = new ImageData(size, size);
  bytes(pixels).forEach((value, i) => image.data.set([...viridis(value / 255), 255], 4 * i));
  const canvas = h("canvas", { width: size, height: size });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function viridis(t) {
  const s = t * (VIRIDIS.length - 1);
  const i = Math.min(Math.floor(s), VIRIDIS.length - 2);
  return VIRIDIS[i].map((low, c) => low + (s - i) * (VIRIDIS[i + 1][c] - low));
}

// Ten decoded images. Grey levels become opacity, so that the ink takes the colour of the theme.
function strip(name, title, [rows, columns]) {
  const canvas = h("canvas", {
    width: TILES * columns,
    height: rows,
    role: "img",
    "aria-label": `${TILES} images decoded at equal times along the ${title.toLowerCase()}, from A to B`,
  });
  const note = h("span", { class: "lx-quiet" });
  const sample = h("span", { class: `lx-sample lx-sample-${name}` });
  const root = h("figure", { class: `lx-strip lx-strip-${name}` }, h("figcaption", {}, sample, title, " ", note), canvas);

  function draw(images) {
    const context = canvas.getContext("2d");
    const picture = context.createImageData(TILES * columns, rows);
    images.forEach((image, tile) => {
      for (let i = 0; i < image.length; i++) {
        const at = Math.floor(i / columns) * TILES * columns + tile * columns + (i % columns);
        picture.data[4 * at + 3] = Math.round(255 * Math.min(Math.max(image[i], 0), 1));
      }
    });
    context.putImageData(picture, 0, 0);
  }
  return { root, draw, label: (text) => (note.textContent = text) };
}

// The speed N ‖f(z_{i+1}) − f(z_i)‖ over time: uneven along the straight line, even on the geodesic.
function speedPlot() {
  const [width, height] = [300, 96];
  const lines = { straight: h("svg:path", { class: "lx-speed lx-straight" }), geodesic: h("svg:path", { class: "lx-speed lx-geodesic" }) };
  const plot = h(
    "svg:svg",
    { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    lines.straight, lines.geodesic,
  );
  const root = h(
    "figure",
    { class: "lx-speeds" },
    h("figcaption", {}, "Speed from A to B: the area is the length"),
    plot,
  );
  function draw(stepsOf) {
    const top = Math.max(...stepsOf.straight, ...stepsOf.geodesic) || 1;
    for (const [name, line] of Object.entries(lines)) {
      const corners = stepsOf[name].map((step, i) => {
        const x = (width * (i + 0.5)) / stepsOf[name].length;
        return `${x.toFixed(1)} ${(height - 2 - (height - 8) * (step / top)).toFixed(1)}`;
      });
      line.setAttribute("d", "M" + corners.join("L"));
    }
  }
  return { root, draw };
}

// Pointer, keyboard and radio buttons.
function connect(view, { move, choose, point, data }) {
  const [xMin, xMax, yMin, yMax] = data.bounds;
  const toLatent = (event) => {
    const box = view.map.getBoundingClientRect();
    return [
      xMin + ((xMax - xMin) * (event.clientX - box.left)) / box.width,
      yMax - ((yMax - yMin) * (event.clientY - box.top)) / box.height,
    ];
  };

  for (const [name, element] of Object.entries(view.handles)) {
    const press = (arrow, large) => {
      const size = (large ? 0.05 : 0.01) * (xMax - xMin);
      move(name, point[name].map((value, c) => value + size * arrow[c]));
    };
    movable(element, (event) => move(name, toLatent(event)), press);
  }
  view.map.addEventListener("click", (event) => {
    const z = toLatent(event);
    const far = (name) => Math.hypot(point[name][0] - z[0], point[name][1] - z[1]);
    move(far("a") < far("b") ? "a" : "b", z);
  });
  for (const label of view.radios) {
    label.firstChild.addEventListener("change", (event) => choose(event.target.value));
  }
}

export default { render };
