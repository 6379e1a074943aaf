// Announces the text of [data-announce] in content that htmx swapped in. If the focused element was
// replaced, moves the focus to its successor, else to [data-focus].
const announcer = document.getElementById("announcer");
let pressed = document.body;

addEventListener("allo:announce", ({ detail }) => (announcer.textContent = detail));

// A button already loses the focus when it is disabled during its own request.
addEventListener("htmx:beforeRequest", () => {
  if (document.activeElement !== document.body) pressed = document.activeElement;
});

addEventListener("htmx:afterSettle", ({ detail: { elt } }) => {
  const words = elt.matches("[data-announce]") ? elt : elt.querySelector("[data-announce]");
  if (words) announcer.textContent = words.textContent.replace(/\s+/g, " ").trim();
  if (document.activeElement !== document.body) return;
  const id = pressed.id.replace(/-gone$/, "");
  const next = document.querySelector(`[id="${id}"], [id="${id}-gone"]`);
  const instead = elt.querySelector("[data-focus]");
  if (elt.contains(next)) next.focus();
  else if (instead) {
    instead.focus({ preventScroll: true });
    instead.scrollIntoView();
  }
});
