// Opened from disk in Firefox, MathJax 2.7 refuses its own fonts, which Firefox has loaded again since version 68.
window.MathJax = {
  AuthorInit: function () {
    MathJax.Hub.Register.StartupHook("HTML-CSS Jax Ready", function () {
      if (MathJax.Hub.Browser.isFirefox) MathJax.OutputJax["HTML-CSS"].Augment({ allowWebFonts: "otf" });
    });
  },
};
