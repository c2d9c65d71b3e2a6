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

// Every tenth colour of matplotlib's viridis.
const VIRIDIS = [
  [68, 1, 84], [72, 35, 116], [64, 67, 135], [52, 94, 141], [41, 120, 142], [32, 144, 140],
  [34, 167, 132], [68, 190, 112], [121, 209, 81], [189, 222, 38], [253, 231, 36],
];
