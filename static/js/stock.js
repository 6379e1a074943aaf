// Shows the numbers of messages, the newest of each row of stock. It sets words only: what can have
// the focus, a value or a form stays.
const SET_BACK = 6e7;
// Of numbers in a page: a change has its time from before its commit, so a page that was read after
// that may be without it.
const UNSURE = 2e6;
const NUMBERS_EVERY = 10_000;
const FEW = 5;
const ICONS = { in_stock: "full", few: "few", all_held: "clock" };

const tell = (name, detail) => dispatchEvent(new CustomEvent(name, { detail }));
const all = (selector, where = document) => [...where.querySelectorAll(selector)];
const rows = new Map();

// The older is passed over, unless the clock was set back.
const isNews = (at, known) => !known || at > known.at || at < known.at - SET_BACK;

function keep(product, id, at, total, held, lapse) {
  if (isNews(at, rows.get(id))) rows.set(id, { product, id, at, total, held, lapse });
}

function read(where = document) {
  const found = new Set();
  for (const { dataset } of all("[data-rows]", where)) {
    const product = dataset.stock ?? dataset.of;
    found.add(product);
    for (const row of dataset.rows.split(" ").filter(Boolean)) {
      const [id, total, held] = row.split(":");
      // In the page it is the product's: the first of its rows'.
      const lapse = held === total ? Number(dataset.lapse) : 0;
      keep(product, id, dataset.at - UNSURE, Number(total), Number(held), lapse);
    }
  }
  return found;
}

function timeOf(lapse) {
  const time = document.createElement("time");
  time.dateTime = new Date(lapse * 1000).toISOString();
  Object.assign(time.dataset, { until: lapse, lead: "in ", over: "any moment now" });
  return time;
}

function words(state, left, run, lapse) {
  if (state === "gone") return ["Not in the shop any more"];
  if (left > 0) return [`${left} of ${Math.max(left, run)} left`];
  if (state !== "all_held") return [state === "coming" ? "Coming" : "Sold out"];
  return lapse ? ["All held – next may free up ", timeOf(lapse)] : ["All held"];
}

// Changed in its place, a longer text would count as a shift of the layout.
function write(it, state, left, lapse) {
  const run = Number(it.dataset.run);
  if (state === "sold_out" && !run) state = "coming";
  const says = state === "in_stock" || state === "few" ? `${left}` : state;
  const old = it.firstElementChild;
  const until = Number(old.querySelector("time")?.dataset.until ?? 0);
  if (old.dataset.says === says && (state !== "all_held" || until === (lapse ?? 0))) return;
  const fresh = it.cloneNode(true);
  const [stock] = fresh.children;
  stock.className = `stock stock-${state}`;
  stock.dataset.says = says;
  const use = stock.querySelector("use");
  use.href.baseVal = use.href.baseVal.replace(/#.*/, `#${ICONS[state] ?? "none"}`);
  stock.lastElementChild.replaceChildren(...words(state, left, run, lapse));
  it.replaceWith(fresh);
}

function show(product, wait = 0) {
  const its = [...rows.values()].filter((row) => row.product === product);
  const total = its.reduce((sum, row) => sum + row.total, 0);
  const left = its.reduce((sum, row) => sum + row.total - row.held, 0);
  const [lapse] = its.map((row) => row.lapse).filter(Boolean).sort((a, b) => a - b);
  // The last that is true.
  let state = total > 0 ? "all_held" : "sold_out";
  if (left > 0) state = left > FEW ? "in_stock" : "few";
  if (document.querySelector(`[data-opens="${product}"]`)) state = "opening";
  if (missing.get(product) === 404) state = "gone";
  for (const it of all(`[data-stock="${product}"]`)) write(it, state, left, lapse);
  const time = lapse && timeOf(lapse);
  tell("allo:shown", { product, its, state, time, wait });
  tell("allo:times");
  look();
}

addEventListener("allo:open", ({ detail }) => show(detail));
addEventListener("allo:stock", ({ detail: { row, wait } }) => {
  keep(...row);
  show(row[0], wait);
});

// A card that the list read anew is without: its product is out of the shop, or elsewhere in the list
// now. Each is looked for once, until it is back.
const missing = new Map();

async function lookFor(page) {
  for (const link of all(".card-name a")) {
    const { stock } = link.closest(".card").querySelector("[data-stock]").dataset;
    if (page.querySelector(`[data-stock="${stock}"]`)) {
      missing.delete(stock);
    } else if (missing.get(stock) === undefined) {
      missing.set(stock, 0);
      const answer = await fetch(link.href, { method: "HEAD" }).catch(() => {});
      missing.set(stock, answer?.status);
      show(stock);
    }
  }
}

// A card whose product gets an opening: there was nothing in it that counts down.
function shut(page) {
  for (const time of all(".card time[data-opens]", page)) {
    const { opens } = time.dataset;
    for (const it of all(`.card [data-stock="${opens}"]:not(:has([data-opens]))`)) {
      it.replaceChildren(...time.closest("[data-stock]").cloneNode(true).childNodes);
      tell("allo:needs", [time.closest(".card").querySelector("script").src]);
    }
  }
}

// The shared page, read anew: numbers and words, for #stock.
let readAt = 0;

addEventListener(
  "refresh",
  async ({ target: { id, dataset } }) => {
    if (id !== "stock") return;
    const answer = await fetch(dataset.from ?? location).catch(() => {});
    const gone = answer?.status === 404;
    if (gone || answer?.ok) tell("allo:gone", gone);
    if (!answer?.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    lookFor(page);
    const at = Math.max(0, ...all("[data-at]", page).map((it) => it.dataset.at));
    if (!isNews(at, { at: readAt })) return;
    readAt = at;
    for (const it of all("[data-same]", page)) {
      for (const own of all(`[data-same="${it.dataset.same}"]`)) {
        if (own.textContent !== it.textContent) own.textContent = it.textContent;
        // Old addresses still lead there.
        if (own.href && it.href) own.href = it.href;
      }
    }
    // deadline.js puts the time before it.
    if (!dataset.from && !document.title.endsWith(page.title)) document.title = page.title;
    shut(page);
    tell("allo:read", page);
    read(page).forEach((product) => show(product));
  },
  true,
);

// Announced: a changed state at once, a changed number now and then, many in one line.
const said = new Map();
let spoken = -NUMBERS_EVERY;
let timer;

function look() {
  const news = [];
  for (const it of all("main [data-stock]")) {
    const { says: number } = it.firstElementChild.dataset;
    // Of many, only that there are many.
    const says = number > FEW ? "in_stock" : number;
    const before = said.get(it.dataset.stock) ?? says;
    if (before === says) said.set(it.dataset.stock, says);
    else news.push([it, says, !(before > 0 && says > 0)]);
  }
  clearTimeout(timer);
  if (!news.length) return;
  const wait = spoken + NUMBERS_EVERY - performance.now();
  if (wait > 0 && !news.some(([, , changed]) => changed)) return (timer = setTimeout(look, wait));
  spoken = performance.now();
  for (const [it, says] of news) said.set(it.dataset.stock, says);
  if (document.querySelector("dialog[open]")) return;
  const [[it]] = news;
  const name = it.closest(".card, main").querySelector(".card-name, h1").textContent;
  const one = `${name}: ${it.textContent.replace(/\s+/g, " ")}`;
  tell("allo:announce", news[1] ? `Stock of ${news.length} pieces has changed` : one);
}

addEventListener("htmx:afterSettle", () => {
  read().forEach((product) => show(product));
  look();
});
read();
look();
