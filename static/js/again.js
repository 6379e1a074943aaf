// After the end of a hold, what can be reserved again. Another quantity than the page offers can:
// only the server makes that form.
const refresh = () => document.getElementById("again")?.dispatchEvent(new Event("refresh"));
const left = ({ total, held }) => total - held;

addEventListener("allo:shown", ({ detail: { product, its, wait } }) => {
  const again = document.getElementById("again");
  if (again?.dataset.of !== product || !its.length) return;
  const here = its.filter((row) => row.id === again.dataset.here).reduce((_, row) => left(row), 0);
  const most = here || Math.max(...its.map(left));
  if (Math.min(most, again.dataset.wanted) === Number(again.dataset.offers)) return;
  again.dataset.offers = Math.min(most, again.dataset.wanted);
  setTimeout(refresh, wait);
});

// Whether its product is in the shop has changed.
let gone = false;

addEventListener("allo:gone", ({ detail }) => {
  if (detail !== gone) refresh();
  gone = detail;
});
