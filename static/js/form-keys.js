// A page restored from the browser's history is a new request, not a retry: its forms get new
// idempotency keys, or the server would replay the first response.
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  // It was left during a request, and would wait for its answer for ever.
  if (document.querySelector(".htmx-request")) return location.reload();
  for (const input of document.querySelectorAll("input[name=idempotency_key]")) {
    input.value = crypto.randomUUID?.() ?? `${performance.timeOrigin}-${performance.now()}`;
  }
});
