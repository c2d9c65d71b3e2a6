// What all widgets share: it stands before the script of each.

// An element with attributes and children; SVG where the tag says so.
function h(tag, attributes = {}, ...children) {
  const [name, svg] = tag.startsWith("svg:") ? [tag.slice(4), true] : [tag, false];
  const element = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// What the kernel or another view sets, `state` takes too, and `draw(name)` shows it: its keys are
// the names of traits. Our own changes come back equal, and are left alone. Gives what stops it.
function follow(model, state, draw) {
  const listeners = Object.keys(state).map((name) => [
    `change:${name}`,
    () => {
      const value = model.get(name);
      if (JSON.stringify(value) === JSON.stringify(state[name])) return;
      state[name] = Array.isArray(value) ? [...value] : value;
      draw(name);
    },
  ]);
  for (const [event, listener] of listeners) model.on(event, listener);
  return () => listeners.forEach(([event, listener]) => model.off(event, listener));
}

// What is dragged, or moved by keys: `drag(event)` while the pointer has it,
// `press([right, up], shift)` for an arrow, and `jumps` names what other keys do.
function movable(handle, drag, press, jumps = {}) {
  handle.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener("pointermove", (event) => {
    if (handle.hasPointerCapture(event.pointerId)) drag(event);
  });
  handle.addEventListener("click", (event) => event.stopPropagation()); // the end of a drag is none
  handle.addEventListener("keydown", (event) => {
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!arrow && !jumps[event.key]) return;
    event.preventDefault();
    event.stopPropagation(); // these keys belong to the figure, not to the notebook
    if (arrow) press(arrow, event.shiftKey);
    else jumps[event.key]();
  });
}

// Every tenth colour of matplotlib's viridis.
const VIRIDIS = [
  [68, 1, 84], [72, 35, 116], [64, 67, 135], [52, 94, 141], [41, 120, 142], [32, 144, 140],
  [34, 167, 132], [68, 190, 112], [121, 209, 81], [189, 222, 38], [253, 231, 36],
];
