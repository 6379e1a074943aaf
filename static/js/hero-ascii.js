// Shows the hero's film as coloured ASCII. A worker draws it: on a phone a frame takes longer than
// a page may stand still. The poster stays for reduced motion and save-data, in a browser without
// what this needs, and if the worker cannot draw or the film does not come.
// Width of a character, in CSS pixels.
const CELL = 9;
// Its height over its width.
const ASPECT = 1.75;
// A sharper canvas would take too long to draw.
const MOST_PIXELS = 1_600_000;
const LETTERS = " .:-=+*cloa%#@";

const stage = document.querySelector(".hero-stage");
const toggle = document.querySelector(".hero-toggle");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const canvas = document.createElement("canvas");
const film = document.createElement("video");

let paused, worker;
// For the film's next frame.
let waiting;
let seen = true;

// The letters side by side.
function drawLetters(width, height) {
  const strip = new OffscreenCanvas(width * LETTERS.length, height);
  const pen = strip.getContext("2d");
  pen.font = `${height * 0.86}px "Geist Mono", monospace`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  [...LETTERS].forEach((letter, n) => pen.fillText(letter, width * (n + 0.5), height / 2));
  return strip.transferToImageBitmap();
}

function layOut({ width, height }) {
  const scale = Math.min(devicePixelRatio, Math.sqrt(MOST_PIXELS / (width * height)));
  const cellWidth = Math.round(CELL * scale);
  const cellHeight = Math.round(CELL * ASPECT * scale);
  const columns = Math.ceil((width * scale) / cellWidth);
  const rows = Math.ceil((height * scale) / cellHeight);
  const letters = drawLetters(cellWidth, cellHeight);
  worker.postMessage({ grid: { columns, rows, cellWidth, cellHeight, letters } }, [letters]);
  if (film.readyState > 1) show().catch(giveUp);
}

async function show() {
  const frame = self.VideoFrame ? new VideoFrame(film) : await createImageBitmap(film);
  worker.postMessage({ frame }, [frame]);
}

function drawn() {
  if (!canvas.isConnected) {
    stage.append(canvas);
    toggle.hidden = false;
  }
  next();
}

function next() {
  if (waiting || film.paused) return;
  waiting = true;
  film.requestVideoFrameCallback(() => {
    waiting = false;
    show().catch(giveUp);
  });
}

function play() {
  const wanted = seen && !paused && !document.hidden && !still.matches;
  if (!wanted) film.pause();
  else if (film.paused) film.play().then(next, refused);
}

// A film that was paused before it began may play later.
function refused({ name }) {
  if (name !== "AbortError") giveUp();
}

function giveUp() {
  paused = true;
  film.pause();
  worker?.terminate();
  canvas.remove();
  toggle.hidden = true;
}

function press() {
  paused = !paused;
  const word = paused ? "Play" : "Pause";
  toggle.querySelector("span").textContent = word;
  const { href } = toggle.querySelector("use");
  href.baseVal = href.baseVal.replace(/#.*/, `#${word.toLowerCase()}`);
  play();
}

async function begin() {
  // On a slow line the film would keep away what the page needs.
  if (document.readyState !== "complete") await new Promise((on) => addEventListener("load", on));
  const data = fetch(stage.dataset.video, { priority: "low" }).then((response) => response.blob());
  await document.fonts.load('16px "Geist Mono"');
  worker = new Worker(stage.dataset.worker);
  Object.assign(worker, { onmessage: drawn, onerror: giveUp });
  const screen = canvas.transferControlToOffscreen();
  worker.postMessage({ screen }, [screen]);
  Object.assign(film, {
    muted: true,
    loop: true,
    playsInline: true,
    preload: "auto",
    onerror: giveUp,
    src: URL.createObjectURL(await data),
  });
  await new Promise((done) => {
    new ResizeObserver(([{ contentRect }]) => done(layOut(contentRect))).observe(stage);
  });
  new IntersectionObserver(([entry]) => {
    seen = entry.isIntersecting;
    play();
  }).observe(stage);
  addEventListener("visibilitychange", play);
  still.onchange = play;
  toggle.onclick = press;
}

if (
  film.requestVideoFrameCallback &&
  canvas.transferControlToOffscreen &&
  !still.matches &&
  !navigator.connection?.saveData
) {
  begin().catch(giveUp);
}
