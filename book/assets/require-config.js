// Where the widget manager finds the modules that a widget's state names. The paths
// start at the folder of this script, wherever the book is served or opened from. A module
// may take its time: after a time-out the manager would ask a public CDN for it.
(() => {
  const here = new URL(".", document.currentScript.src).href;
  requirejs.config({
    waitSeconds: 0,
    paths: {
      anywidget: `${here}vendor/anywidget`,
      "@jupyter-widgets/html-manager": `${here}vendor/html-manager`,
    },
  });
})();
