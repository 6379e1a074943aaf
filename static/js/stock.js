// The stock words of cards: only they change, in their place, and one line says so aloud.
const said = new Map();

function look() {
  const news = [];
  for (const words of document.querySelectorAll("[data-stock]")) {
    const { stock } = words.dataset;
    const now = words.firstElementChild.dataset.says;
    if ((said.get(stock) ?? now) !== now) news.push(words);
    said.set(stock, now);
  }
  if (!news.length || document.querySelector("dialog[open]")) return;
  const name = news[0].closest(".card, main").querySelector(".card-name, h1").textContent;
  const words = news[0].textContent.replace(/\s+/g, " ");
  const detail = news[1] ? `Stock of ${news.length} pieces has changed` : `${name}: ${words}`;
  document.dispatchEvent(new CustomEvent("allo:announce", { detail }));
}

async function refresh({ target, detail }) {
  // What fetches itself is htmx's affair.
  if (target.matches("[hx-get]")) return;
  const ids = [...target.querySelectorAll("[data-stock]")]
    .map(({ dataset }) => dataset.stock)
    .filter((id) => ["*", "product:*", `product:${id}`].some((it) => detail.includes(it)));
  const response = ids.length && (await fetch(`/stock/?p=${ids.slice(0, 500)}`).catch(() => 0));
  if (!response.ok) return;
  const { body } = new DOMParser().parseFromString(await response.text(), "text/html");
  target.dataset.live = body.firstElementChild.dataset.live;
  for (const fresh of body.querySelectorAll("[data-stock]")) {
    const words = target.querySelector(`[data-stock="${fresh.dataset.stock}"]`);
    if (words?.innerHTML !== fresh.innerHTML) words?.replaceChildren(...fresh.childNodes);
  }
  look();
}

document.addEventListener("refresh", refresh, true);
document.addEventListener("htmx:afterSettle", look);
look();
