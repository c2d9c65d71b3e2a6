// Where the widget manager finds the modules that a widget's state names. The paths
// start at the folder of this script, wherever the book is served or opened from.
(() => {
  const here = new URL(".", document.currentScript.src).href;
  requirejs.config({
    paths: {
      anywidget: `${here}vendor/anywidget`,
      "@jupyter-widgets/html-manager": `${here}vendor/html-manager`,
    },
  });
})();
