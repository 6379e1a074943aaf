// Without a network the page stays and says so. What was pressed last is sent again by itself, at
// growing intervals and as soon as the browser is online; its key prevents a second effect.
const announcer = document.getElementById("announcer");
const lost = Object.assign(document.createElement("p"), { className: "lost", role: "status" });
const LONGEST_WAIT = 8000;
let again, late, next, sent, wait, whose;

function say() {
  const place = document.querySelector("dialog[open]") ?? document.body;
  if (lost.parentNode !== place) place.append(lost);
  late ??= setTimeout(() => (lost.textContent = announcer.dataset.lost), 100);
}

function stay(action, target) {
  say();
  again = action;
  whose = target;
  wait = Math.min(2 * wait || 1000, LONGEST_WAIT);
  clearTimeout(next);
  next = setTimeout(() => again?.(), wait);
}

function back(target) {
  const action = target === whose ? null : again;
  clearTimeout(late);
  clearTimeout(next);
  lost.textContent = "";
  late = wait = again = whose = null;
  action?.();
}

for (const failure of ["htmx:sendError", "htmx:timeout"]) {
  addEventListener(failure, ({ target, detail }) => {
    if (target.matches("[data-resync]")) return say();
    const submitter = detail.requestConfig?.triggeringEvent?.submitter;
    if (submitter && document.activeElement === document.body) submitter.focus();
    stay(() => (target.matches("form") ? target.requestSubmit(submitter) : target.click()), target);
  });
}
addEventListener("offline", say);
addEventListener("online", () => back(null));
addEventListener("htmx:afterRequest", ({ target, detail: { xhr } }) => xhr?.status && back(target));
// Closing the dialog takes back what was pressed in it, or to open it.
addEventListener("close", () => (again = null), true);

// Links and forms without htmx: the browser's own page for a lost network would replace this one.
// It also takes itself to be offline next to a shop on its own machine.
async function reach(go) {
  if (await fetch(location, { method: "HEAD" }).catch(() => {})) go();
  else stay(() => reach(go));
}

function leads(event) {
  if (sent || navigator.onLine || event.defaultPrevented || event.button) return false;
  return !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
}

addEventListener("submit", (event) => {
  if (!leads(event)) return;
  event.preventDefault();
  reach(() => {
    sent = true;
    event.target.requestSubmit(event.submitter);
    sent = false;
  });
});
addEventListener("click", (event) => {
  const link = event.target.closest("a[href]:not([target], [download])");
  if (link?.origin !== location.origin || !leads(event)) return;
  if (link.hash && link.pathname === location.pathname) return;
  event.preventDefault();
  reach(() => location.assign(link.href));
});
