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
