// Listens to the topics of the page's signed tokens. stock.js shows the numbers of messages about
// stock. After any other, a [data-live] part of that topic gets a "refresh" event and requests
// itself anew, and #stock the shared page; while no stream is open, all do so every 5 s.
const LONGEST = 6000;
// A browser's tabs share six connections to an origin, so at most three of them open streams.
const PLACES = ["live-1", "live-2", "live-3"];

const all = (selector) => [...document.querySelectorAll(selector)];
const now = () => performance.now();
const tell = (name, detail) => dispatchEvent(new CustomEvent(name, { detail }));
const tokens = () =>
  all("[data-live],[data-hears]").map(({ dataset }) => dataset.live ?? dataset.hears);

// "product:1.2:-:signature" holds product:1 and product:2.
function topicsOf(token) {
  if (!token) return [];
  return token.replace(/(:[^:]*){2}$/, "").split(" ").flatMap((it) => {
    const [kind, ids] = it.split(":");
    return ids.split(".").map((id) => `${kind}:${id}`);
  });
}

function wanted(part) {
  if (part.id === "stock") {
    const heard = all("[data-hears]").flatMap(({ dataset }) => topicsOf(dataset.hears));
    return heard.length ? ["*", ...heard] : [];
  }
  // Without topics it is of a shopper who holds nothing, until another tab says otherwise.
  const own = topicsOf(part.dataset.live);
  return own.length ? ["*", "holder:*", ...own] : ["holder:*"];
}

// When each part is requested anew, and since when it may be: at most once a second.
const plans = new Map();
const rests = new Map();

function fire(id, due) {
  if (plans.get(id) !== due) return;
  plans.delete(id);
  rests.set(id, due + 1000);
  const part = document.getElementById(id);
  // Not during a request of the part or of a form in it: htmx would queue this one, and its response
  // would replace the form that was pressed next.
  if (part?.matches(".htmx-request,.htmx-request *,:has(.htmx-request)")) return later(id);
  const refresh = () => part.dispatchEvent(new Event("refresh"));
  if (id === "stock") withStock(refresh);
  else if (part) refresh();
}

function plan(changed, spread = 0) {
  for (const part of all("[data-live],#stock")) {
    const { id } = part;
    // A shared page is kept for a second.
    if (wanted(part).some((it) => changed.includes(it))) later(id, id === "stock" ? 1000 : 0, spread);
  }
}

// A plan stays unless the whole spread ends before it: what changes often does not bring it forward.
function later(id, wait = 0, spread = 0) {
  let due = Math.max(now() + wait, rests.get(id) ?? 0);
  if (plans.get(id) - due <= spread) return;
  due += Math.random() * spread;
  plans.set(id, due);
  setTimeout(fire, due - now(), id, due);
}

// A link or button that is replaced between its press and its release gets no click.
addEventListener("htmx:beforeSwap", ({ target, detail }) => {
  if (detail.requestConfig.elt !== target || !target.matches(":has(:is(a,button):active)")) return;
  detail.shouldSwap = false;
  later(target.id, 1000);
});

function hear(line) {
  const [spread, topic, key, ...numbers] = line.split(" ");
  if (key === "page") return plan([topic], spread);
  const row = [topic.split(":")[1], key, ...numbers.map(Number)];
  withStock(() => tell("allo:stock", { row, wait: Math.random() * spread }));
}

// Loads a script, and acts then. Without a network it tries again when there is one.
function load(src, act) {
  const begin = () => import(src).then(act, () => addEventListener("online", begin, { once: true }));
  begin();
}

// Other scripts ask for one by this event: its address, and what to do then.
addEventListener("allo:needs", ({ detail }) => load(...detail));

// The script that shows stock is loaded after the page, and only if there is something to show.
const loaded = new Promise((over) => addEventListener("load", over));

function withStock(act) {
  const part = document.getElementById("stock");
  if (part) loaded.then(() => load(part.dataset.script, act));
}

let source, listening, leave, waiting;
// Until when the stream counts as open: it says so every 15 s.
let hears = 0;

function open() {
  source?.close();
  const url = new URL(document.body.dataset.liveUrl, location);
  // Of a long list the latest parts, 20 at the most.
  for (const token of tokens().filter(Boolean).reverse().slice(0, 20)) {
    if (url.href.length + token.length < LONGEST) url.searchParams.append("t", token);
  }
  const read = all("[data-at]").map(({ dataset: { at, heard } }) => Math.max(at, heard ?? 0));
  if (read.length) url.searchParams.set("at", Math.min(...read));
  source = new EventSource(url);
  source.addEventListener("up", ({ lastEventId }) => {
    hears = now() + 40_000;
    for (const { dataset } of all("[data-at]")) dataset.heard = lastEventId;
    tell("allo:now", lastEventId / 1e6);
  });
  source.addEventListener("down", () => (hears = 0));
  source.onmessage = ({ data }) => {
    hear(data);
    others.postMessage(data);
  };
  source.onerror = ({ target }) => {
    hears = 0;
    if (target.readyState < 2) return;
    // Refused: the live process is full or down.
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
  hears = 0;
}

function wake() {
  plan(["*"]);
  listen();
}

addEventListener("visibilitychange", () => (document.hidden ? stop() : wake()));
addEventListener("pageshow", ({ persisted }) => {
  const [entry] = performance.getEntriesByType("navigation");
  if (persisted || entry?.type === "back_forward") wake();
});

// With a stream, poll every ten minutes: a message may be lost. A thousand pages do so twice a second.
let ticks = 0;
// After a request that the shop, or a proxy, could not answer, at the next tick.
addEventListener("htmx:afterRequest", ({ detail: { xhr } }) => {
  if (xhr.status > 501) ticks = -1;
});
setInterval(() => {
  if (!document.hidden && (now() > hears || ++ticks % 120 === 0)) plan(["*"]);
}, 5000);

function look() {
  const before = listening;
  listening = [...new Set(tokens().flatMap(topicsOf))].sort().join(" ");
  if (!listening) stop();
  else if (source && listening !== before) open();
  else listen();
}

addEventListener("htmx:afterSettle", look);
look();

// Tabs share the messages of a stream, and the holder's topics.
const others = new BroadcastChannel("live");
others.onmessage = ({ data }) => {
  const [, topic] = data.split(" ");
  if (document.hidden) return;
  if (topic.startsWith("holder:") && !listening.includes(topic)) plan(["holder:*"]);
  else hear(data);
};
for (const holder of listening.match(/holder:\w+/g) ?? []) others.postMessage(`0 ${holder} page`);
