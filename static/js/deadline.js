// The checkout's deadline: a bar, the title, a visible warning, and announcements at three moments.
const MARKS = [
  [120, "2 minutes remaining"],
  [30, "30 seconds remaining"],
  [0, "The time has run out"],
];
const before = new WeakMap();

addEventListener("allo:left", ({ target: time, detail: left }) => {
  if (!("deadline" in time.dataset)) return;
  const page = time.closest("[data-resync]");
  page.dataset.left = left <= 120 ? "little" : "enough";
  const whole = time.dataset.until - time.dataset.since;
  page.querySelector(".clock-bar").style.scale = `${Math.min(left / whole, 1)} 1`;
  // In another tab the title is all one sees of the clock.
  const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} – `;
  document.title = (left ? clock : "") + document.title.replace(/^\d+:\d\d – /, "");
  const mark = MARKS.findLast(([at]) => left <= at && before.get(time) > at);
  if (mark) dispatchEvent(new CustomEvent("allo:announce", { detail: mark[1] }));
  before.set(time, left);
});
dispatchEvent(new Event("allo:times"));
