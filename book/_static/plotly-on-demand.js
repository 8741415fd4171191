// plotly.js is 5 MB: it is loaded only by a page that draws a figure, and after the text is there.
// Until then window.Plotly is this stand-in, whose newPlot waits; the real one then takes its place.
(function () {
  const library = new URL("plotly.min.js", document.currentScript.src).href;
  const textIsThere = new Promise(function (resolve) {
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", resolve);
    else resolve();
  });
  let loaded = null;
  function load() {
    loaded ||= textIsThere.then(function () {
      return new Promise(function (resolve, reject) {
        const script = document.createElement("script");
        script.src = library;
        script.onload = function () { resolve(window.Plotly); };
        script.onerror = reject;
        document.head.append(script);
      });
    });
    return loaded;
  }
  window.Plotly = {
    newPlot: function (...settings) {
      return load().then(function (plotly) { return plotly.newPlot(...settings); });
    },
  };
})();
