// Keeps the page true. Each [data-live] part names, signed, the topics it depends on; the live
// process says what changed, and the part is told to "refresh": it asks the shop itself. While
// nothing is heard from there, every part is told so every 5 seconds.
const POLL = 5000;
const SILENCE = 40_000;
// A browser's tabs share six connections to an origin; the shop needs some.
const PLACES = ["live-1", "live-2", "live-3"];

const parts = () => [...document.querySelectorAll("[data-live]")];
const topicsOf = ({ dataset }) => dataset.live.replace(/(:[^:]*){2}$/, "").split(" ");

// However much happens, a part is refreshed once a second; `detail` is what changed, "*" anything.
const plans = new Map();

function refresh({ id }, changed, wait) {
  const last = plans.get(id);
  if (last?.changed) return last.changed.push(...changed);
  const now = performance.now();
  const plan = { at: Math.max(now + wait, (last?.at ?? 0) + 1000), changed };
  plans.set(id, plan);
  setTimeout(() => {
    const { changed: detail } = plan;
    plan.changed = undefined;
    document.getElementById(id)?.dispatchEvent(new CustomEvent("refresh", { detail }));
  }, plan.at - now);
}

function tell(changed, wait = 0) {
  for (const part of parts()) {
    const own = ["*", ...topicsOf(part)];
    const its = changed.filter((it) => own.includes(it) || own.includes(it.replace(/:.*/, ":*")));
    if (its.length) refresh(part, its, wait);
  }
}

let source, listening, leave, waiting;
let heard = -SILENCE;
let refusals = 0;

function open() {
  source?.close();
  const url = new URL(document.body.dataset.liveUrl, location);
  for (const { dataset } of parts()) if (dataset.live) url.searchParams.append("t", dataset.live);
  source = new EventSource(url);
  source.addEventListener("up", () => {
    heard = performance.now();
    refusals = 0;
  });
  source.addEventListener("down", () => (heard = -SILENCE));
  source.addEventListener("message", ({ data }) => {
    const [spread, ...changed] = data.split(" ");
    tell(changed, Math.random() * spread);
    others.postMessage(changed);
  });
  source.addEventListener("error", ({ target }) => {
    heard = -SILENCE;
    if (target.readyState < 2) return;
    // Refused: the server is full or away, or the tokens are too old.
    const patience = Math.min(POLL * 2 ** refusals++, 60_000) * (0.5 + Math.random() / 2);
    setTimeout(() => target === source && open(), patience);
  });
}

const stay = () =>
  new Promise((over) => {
    waiting = false;
    if (document.hidden) return over();
    leave = over;
    open();
  });

async function listen() {
  if (leave || waiting || document.hidden || !listening) return;
  waiting = true;
  const { locks } = navigator;
  if (!locks) return stay();
  const taken = (await locks.query()).held.map(({ name }) => name);
  const free = PLACES.find((it) => !taken.includes(it));
  locks.request(free ?? PLACES[Date.now() % 3], stay);
}

function stop() {
  source?.close();
  leave?.();
  source = leave = undefined;
}

function wake() {
  tell(["*"]);
  listen();
}

document.addEventListener("visibilitychange", () => (document.hidden ? stop() : wake()));
addEventListener("pagehide", stop);
addEventListener("pageshow", ({ persisted }) => {
  const [entry] = performance.getEntriesByType("navigation");
  if (persisted || entry?.type === "back_forward") wake();
});

setInterval(() => {
  if (!document.hidden && performance.now() - heard > SILENCE) tell(["*"]);
}, POLL);

// What was put in may depend on more.
function look() {
  const before = listening;
  listening = parts().flatMap(topicsOf).join(" ").trim();
  if (!listening) stop();
  else if (source && listening !== before) open();
  else listen();
}

document.addEventListener("htmx:afterSettle", look);
look();

// What one tab hears is for all, and that there is a holder now.
const others = new BroadcastChannel("live");
const known = (topic) => !topic.startsWith("holder:") || listening.includes(topic);
others.addEventListener("message", ({ data }) => {
  if (!document.hidden) tell(data.every(known) ? data : ["*"]);
});
others.postMessage(listening.match(/holder:\w+/g) ?? []);
