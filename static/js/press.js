// A button that is replaced between its press and its release gets no click. What a live update
// would replace meanwhile asks again once the button is released.
const late = new Set();
let pressed = false;

function release() {
  pressed = false;
  for (const id of late) {
    const part = document.getElementById(id);
    // What the button has just sent will replace the part, or lead away from it.
    if (!part?.querySelector(".htmx-request")) part?.dispatchEvent(new Event("refresh"));
  }
  late.clear();
}

addEventListener("pointerdown", ({ target }) => (pressed = !!target.closest("button")), true);
// The click comes first.
addEventListener("pointerup", () => setTimeout(release), true);
addEventListener("pointercancel", release, true);

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (!pressed || detail.requestConfig.verb !== "get" || !detail.target.matches("[data-resync]")) return;
  detail.shouldSwap = false;
  late.add(detail.target.id);
});
