// On staff pages, as in live.js: a link or button that is replaced between its press and its release
// gets no click. The next refresh comes by itself.
addEventListener("htmx:beforeSwap", ({ target, detail }) => {
  if (detail.requestConfig.elt !== target) return;
  if (target.matches(":has(:is(a,button):active)")) detail.shouldSwap = false;
});
