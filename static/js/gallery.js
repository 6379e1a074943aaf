// A product's pictures: which one is in sight, and the dialog with the large ones. Without this
// script the lists scroll all the same, and a picture leads to its file.
const [small, large] = document.querySelectorAll(".gallery-views, .zoom-views");
const zoom = document.getElementById("zoom-dialog");
const thumbs = [...document.querySelectorAll(".gallery-thumb")];

const place = (list) => Math.round((list.scrollLeft / list.scrollWidth) * list.children.length);

// The list itself stops at its ends, and at a picture.
const turn = (list, to, behavior = "auto") =>
  list.scrollTo({ left: (to * list.scrollWidth) / list.children.length, behavior });

let seen = 0;

large.addEventListener("scroll", () => zoom.open && (seen = place(large)));
function mark() {
  thumbs.forEach((it, at) => (it.ariaCurrent = at === place(small)));
}

small.addEventListener("scroll", mark);
mark();

// Fits the screen, or is as large as it is, with the place that was pressed in the middle.
function enlarge(button, { clientX, clientY, detail }) {
  const before = button.firstElementChild.getBoundingClientRect();
  const across = detail ? (clientX - before.x) / before.width : 0.5;
  const down = detail ? (clientY - before.y) / before.height : 0.5;
  button.ariaPressed = button.ariaPressed !== "true";
  // What fits has nothing to scroll.
  const { parentElement: box } = button;
  box.scrollTo(
    across * box.scrollWidth - box.clientWidth / 2,
    down * box.scrollHeight - box.clientHeight / 2,
  );
}

document.addEventListener("click", (event) => {
  const { target } = event;
  const thumb = target.closest(".gallery-thumb");
  const view = target.closest(".gallery-view a");
  const button = target.closest(".zoom-picture");
  const step = target.closest("[data-turn]");
  if (thumb) {
    event.preventDefault();
    turn(small, thumbs.indexOf(thumb));
  } else if (view && zoom.open) {
    seen = [...small.children].indexOf(view.parentElement);
    turn(large, seen, "instant");
  } else if (button) enlarge(button, event);
  else if (step) turn(large, seen + Number(step.dataset.turn));
  else if (target.matches(".zoom-view")) zoom.close();
});

zoom.addEventListener("close", () => {
  for (const it of zoom.querySelectorAll("[aria-pressed=true]")) it.ariaPressed = false;
  turn(small, seen, "instant");
});
