// Asks the server anew for every [data-resync] part when the page comes back to life: out of
// sleep, another tab, or the browser's history.
const refresh = () => {
  for (const part of document.querySelectorAll("[data-resync]")) {
    part.dispatchEvent(new Event("refresh"));
  }
};

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") refresh();
});

addEventListener("pageshow", ({ persisted }) => {
  const [entry] = performance.getEntriesByType("navigation");
  if (persisted || entry?.type === "back_forward") refresh();
});
