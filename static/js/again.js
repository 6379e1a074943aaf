// After the end of a hold, what can be reserved again. Another quantity than the page offers can:
// only the server makes that form.
const refresh = () => document.getElementById("again")?.dispatchEvent(new Event("refresh"));
const left = (row) => (row ? row.total - row.held : 0);

addEventListener("allo:shown", ({ detail: { product, its, wait } }) => {
  const again = document.getElementById("again");
  if (again?.dataset.of !== product || !its.length) return;
  const here = its.find((row) => row.id === again.dataset.here);
  const most = left(here) || Math.max(...its.map(left));
  const offers = Math.min(most, again.dataset.wanted);
  if (offers === Number(again.dataset.offers)) return;
  again.dataset.offers = offers;
  setTimeout(refresh, wait);
});

// Whether its product is in the shop has changed.
let gone = false;

addEventListener("allo:gone", ({ detail }) => {
  if (detail !== gone) refresh();
  gone = detail;
});
