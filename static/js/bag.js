// Adds up what is ticked in the bag. Without JavaScript the server does, when it is paid for.
const rupees = new Intl.NumberFormat("en-IN", { maximumFractionDigits: 2 });
const precise = new Intl.NumberFormat("en-IN", { minimumFractionDigits: 2 });
const inr = (paise) => `₹\u00A0${(paise % 100 ? precise : rupees).format(paise / 100)}`;

function add() {
  const ticked = [...document.querySelectorAll("#bag li:has([name=hold]:checked)")];
  for (const it of document.querySelectorAll("#bag [data-sum]")) {
    const { sum, plus = 0 } = it.dataset;
    const total = ticked.reduce((paise, { dataset }) => paise + Number(dataset[sum]), 0);
    const words = inr(total && total + Number(plus));
    if (it.textContent !== words) it.textContent = words;
  }
}

document.addEventListener("change", ({ target }) => target.name === "hold" && add());
document.addEventListener("htmx:afterSettle", add);
addEventListener("pageshow", add);
add();
