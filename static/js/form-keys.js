// A page taken out of the browser's history asks again, it does not repeat: its forms get fresh
// idempotency keys, or the server would replay the answer to the first time.
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  for (const input of document.querySelectorAll("input[name=idempotency_key]")) {
    input.value = crypto.randomUUID?.() ?? `${performance.timeOrigin}-${performance.now()}`;
  }
});
