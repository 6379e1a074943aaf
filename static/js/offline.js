// Without a network, or while the shop cannot answer, the page stays and says so. What was pressed
// last is sent again by itself, at growing intervals and as soon as the browser is online; its key
// prevents a second effect. What was typed is kept beside it, and sent again too.
const announcer = document.getElementById("announcer");
const lost = Object.assign(document.createElement("p"), { className: "lost", role: "status" });
let late, next, pressed, sent, typed, wait;

function say() {
  const place = document.querySelector("dialog[open]") ?? document.body;
  if (lost.parentNode !== place) place.append(lost);
  late ??= setTimeout(() => (lost.textContent = announcer.dataset.lost), 100);
}

function stay() {
  say();
  wait = Math.min(2 * wait || 1000, 8000);
  clearTimeout(next);
  // What was typed goes first: what was pressed may replace the page, and be without it.
  next = setTimeout(() => (typed ?? pressed)?.send(), wait);
}

function back(target) {
  const kept = [typed, pressed];
  clearTimeout(late);
  clearTimeout(next);
  lost.textContent = "";
  late = wait = pressed = typed = null;
  for (const it of kept) if (it && it.target !== target) it.send();
}

function lose({ target, detail: { requestConfig, xhr } }) {
  const { submitter, type } = requestConfig.triggeringEvent;
  if (target.matches("form,a")) {
    if (submitter && document.activeElement === document.body) submitter.focus();
    // A link that is not there any more would be followed all the same, to a page of its own.
    const send = () =>
      target.matches("form") ? target.requestSubmit(submitter) : target.isConnected && target.click();
    pressed = { target, send };
    stay();
  } else if (/^(change|revealed)$/.test(type)) {
    typed = { target, send: () => target.dispatchEvent(new Event(type)) };
    stay();
  } else if (!xhr.status) say();
}

addEventListener("htmx:sendError", lose);
addEventListener("htmx:timeout", lose);
addEventListener("htmx:afterRequest", (event) => {
  const { xhr } = event.detail;
  // A page instead of the part that was requested: see PART_STAYS in allo/web/parts.py. 502 and 504
  // are of a proxy that got no answer from the shop.
  if (/50[24]/.test(xhr.status) || xhr.getResponseHeader("HX-Reswap")) lose(event);
  else if (xhr.status) back(event.target);
});
addEventListener("offline", say);
addEventListener("online", () => back(null));
// Closing the dialog takes back what was pressed in it, or to open it.
addEventListener("close", () => (pressed = null), true);

// Links and forms without htmx: the browser's own page for a lost network would replace this one.
// It also takes itself to be offline next to a shop on its own machine.
async function reach(go) {
  if (await fetch(location, { method: "HEAD" }).catch(() => {})) return go();
  pressed = { send: () => reach(go) };
  stay();
}

const leads = (event) =>
  !sent &&
  !navigator.onLine &&
  !["defaultPrevented", "ctrlKey", "metaKey", "shiftKey", "altKey"].some((it) => event[it]);

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
