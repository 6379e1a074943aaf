// Each [data-live] part has signed topics that it depends on. When the live process reports a
// change of one, the part gets a "refresh" event and requests itself anew. While no stream is open,
// all parts are refreshed every 5 s.
const SILENCE = 40_000;
// A browser's tabs share six connections to an origin, so at most three of them open streams.
const PLACES = ["live-1", "live-2", "live-3"];

const parts = () => [...document.querySelectorAll("[data-live]")];
const topicsOf = ({ dataset }) => dataset.live.replace(/(:[^:]*){2}$/, "").split(" ");

// At most once a second; `detail` are the changed topics, "*" is all.
const plans = new Map();

function fire(id) {
  const detail = plans.get(id);
  if (!detail.length) return plans.delete(id);
  setTimeout(fire, 1000, id);
  const part = document.getElementById(id);
  // Not while the part or a form in it has a request under way: htmx would queue this one, and send
  // it when the shopper's next press ends the form's. Its response then replaces the pressed form.
  if (part?.closest(".htmx-request") ?? part?.querySelector(".htmx-request")) return;
  plans.set(id, []);
  part?.dispatchEvent(new CustomEvent("refresh", { detail }));
}

function tell(changed, wait = 0) {
  for (const part of parts()) {
    const own = ["*", ...topicsOf(part)];
    const its = changed.filter((it) => own.includes(it) || own.includes(it.replace(/:.*/, ":*")));
    const plan = plans.get(part.id);
    if (plan) plan.push(...its);
    else if (its.length) {
      plans.set(part.id, its);
      setTimeout(fire, wait, part.id);
    }
  }
}

let source, listening, leave, waiting;
let heard = -SILENCE;

function open() {
  source?.close();
  const url = new URL(document.body.dataset.liveUrl, location);
  for (const { dataset } of parts()) if (dataset.live) url.searchParams.append("t", dataset.live);
  source = new EventSource(url);
  source.addEventListener("up", () => (heard = performance.now()));
  source.addEventListener("down", () => (heard = -SILENCE));
  source.onmessage = ({ data }) => {
    const [spread, ...changed] = data.split(" ");
    tell(changed, Math.random() * spread);
    others.postMessage(changed);
  };
  source.onerror = ({ target }) => {
    heard = -SILENCE;
    if (target.readyState < 2) return;
    // Refused: the live process is full or down, or the tokens are too old.
    setTimeout(() => target === source && open(), 8000 * (1 + Math.random()));
  };
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
  heard = -SILENCE;
}

function wake() {
  tell(["*"]);
  listen();
}

document.addEventListener("visibilitychange", () => (document.hidden ? stop() : wake()));
addEventListener("pageshow", ({ persisted }) => {
  const [entry] = performance.getEntriesByType("navigation");
  if (persisted || entry?.type === "back_forward") wake();
});

// With a stream, still poll now and then: a message may be lost.
let ticks = 0;
setInterval(() => {
  const deaf = performance.now() - heard > SILENCE;
  if (!document.hidden && (deaf || ++ticks % 12 === 0)) tell(["*"]);
}, 5000);

function look() {
  const before = listening;
  listening = parts().flatMap(topicsOf).join(" ").trim();
  if (!listening) stop();
  else if (source && listening !== before) open();
  else listen();
}

document.addEventListener("htmx:afterSettle", look);
look();

// Tabs share the messages of a stream, and the holder's topics.
const others = new BroadcastChannel("live");
const holders = (topics) => topics.match(/holder:\w+/g) ?? [];
others.onmessage = ({ data }) => {
  const known = holders(String(data)).every((it) => listening.includes(it));
  if (!document.hidden) tell(known ? data : ["*"]);
};
others.postMessage(holders(listening));
