// Asks the server anew for every [data-resync] part when the page comes back to life: out of
// sleep, another tab, or the browser's history; and for the header's when the checkout changed.
const refresh = (parts = "[data-resync]") => {
  for (const part of document.querySelectorAll(parts)) part.dispatchEvent(new Event("refresh"));
};

document.addEventListener("htmx:afterSettle", ({ detail: { elt } }) => {
  if (elt.id === "checkout-state") refresh("#holds");
});

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") refresh();
});

addEventListener("pageshow", ({ persisted }) => {
  const [entry] = performance.getEntriesByType("navigation");
  if (persisted || entry?.type === "back_forward") refresh();
});
