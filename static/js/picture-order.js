// The pictures of a product can be dragged into another order as well: the numbers below them, which
// are what the shop reads, follow.
const pictureAt = ({ target }) => target.closest?.(".pictures > li:has(input)");
const places = (list) => [...list.children];
let dragged = null;

function move(event) {
  const over = dragged && pictureAt(event);
  if (!over) return;
  event.preventDefault();
  if (over === dragged) return;
  const all = places(over.parentNode);
  if (all.indexOf(over) < all.indexOf(dragged)) over.before(dragged);
  else over.after(dragged);
}

function end() {
  const all = dragged ? places(dragged.parentNode) : [];
  for (const [place, { lastElementChild: number }] of all.entries()) number.value = place + 1;
  dragged = null;
}

// A form that was refused comes back with the numbers as they were sent.
const placeOf = (picture) => picture.querySelector("input")?.value;
for (const list of document.querySelectorAll(".pictures")) {
  list.append(...places(list).sort((one, other) => placeOf(one) - placeOf(other)));
}

document.addEventListener("dragstart", (event) => { dragged = pictureAt(event); });
document.addEventListener("dragover", move);
// Firefox would open the picture.
document.addEventListener("drop", (event) => { if (dragged) event.preventDefault(); });
document.addEventListener("dragend", end);
