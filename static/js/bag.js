// Adds up what is ticked in the bag. Without JavaScript the server does, when it is paid for.
const rupees = new Intl.NumberFormat("en-IN", { maximumFractionDigits: 2 });
const precise = new Intl.NumberFormat("en-IN", { minimumFractionDigits: 2 });
const inr = (paise) => `₹\u00A0${(paise % 100 ? precise : rupees).format(paise / 100)}`;

const number = (text) => Number(text ?? 0);

// As `checkout.orders.tax` does: shipping bears the highest rate of what is sent.
function taxIn(shipping, ticked) {
  const percent = Math.max(0, ...ticked.map(({ dataset }) => number(dataset.percent)));
  return Math.floor((2 * shipping * percent + 100 + percent) / (2 * (100 + percent)));
}

function add() {
  const ticked = [...document.querySelectorAll("#bag li:has([name=hold]:checked)")];
  for (const it of document.querySelectorAll("#bag [data-sum]")) {
    const { sum, plus, shipping } = it.dataset;
    const total = ticked.reduce((paise, { dataset }) => paise + number(dataset[sum]), 0);
    const more = number(plus) + taxIn(number(shipping), ticked);
    const words = inr(ticked.length && total + more);
    if (it.textContent !== words) it.textContent = words;
  }
}

document.addEventListener("change", ({ target }) => target.name === "hold" && add());
addEventListener("htmx:afterSettle", add);
addEventListener("pageshow", add);
add();
