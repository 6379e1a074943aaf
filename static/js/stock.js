// Announces changes of the stock words in one line.
const words = (where) => [...document.querySelectorAll(`${where} [data-stock]`)];
const said = new Map();

function look() {
  const news = [];
  for (const it of words("main")) {
    const now = it.firstElementChild.dataset.says;
    if ((said.get(it.dataset.stock) ?? now) !== now) news.push(it);
    said.set(it.dataset.stock, now);
  }
  if (!news.length || document.querySelector("dialog[open]")) return;
  const name = news[0].closest(".card, main").querySelector(".card-name, h1").textContent;
  const one = `${name}: ${news[0].textContent.replace(/\s+/g, " ")}`;
  const detail = news[1] ? `Stock of ${news.length} pieces has changed` : one;
  document.dispatchEvent(new CustomEvent("allo:announce", { detail }));
}

document.addEventListener("htmx:configRequest", (event) => {
  const { elt, parameters, triggeringEvent } = event.detail;
  if (elt.id !== "stock") return;
  const changed = ({ dataset: { stock } }) =>
    ["*", "product:*", `product:${stock}`].some((it) => triggeringEvent.detail.includes(it));
  const shown = words(".card").filter(changed);
  parameters.p = String(shown.slice(0, 500).map(({ dataset }) => dataset.stock));
  if (!parameters.p) event.preventDefault();
});

document.addEventListener("htmx:afterSettle", look);
look();
