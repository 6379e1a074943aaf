// Draws the hero's film as coloured ASCII. The poster stays for reduced motion and save-data, and
// without a canvas or the film.
// Width of a character, in CSS pixels.
const CELL = 9;
// Its height over its width.
const ASPECT = 1.75;
// A sharper canvas would take too long to draw.
const MOST_PIXELS = 1_600_000;
const LETTERS = " .:-=+*cloa%#@";
// Of one colour within a letter.
const SHADES = 16;
// The brightness between the letters.
const BODY = 0.3;
// The empty background, as alpha, blue, green, red.
const NIGHT = 0xff030202;

const stage = document.querySelector(".hero-stage");
const toggle = document.querySelector(".hero-toggle");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const canvas = document.createElement("canvas");
const page = canvas.getContext("2d", { alpha: false });
const sample = document.createElement("canvas");
const eye = sample.getContext("2d", { willReadFrequently: true });

let film;
// In device pixels, with the frame that is written to.
let grid;
// For the film's next frame.
let waiting = false;
let paused = false;
let seen = true;

// Each letter as the shade of each of its pixels, in order of brightness.
function drawGlyphs(width, height) {
  const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  pen.font = `${height * 0.86}px "Geist Mono", monospace`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  const glyphs = [...LETTERS].map((letter) => {
    pen.clearRect(0, 0, width, height);
    pen.fillText(letter, width / 2, height / 2);
    const alphas = pen.getImageData(0, 0, width, height).data.filter((_, at) => at % 4 === 3);
    const ink = alphas.reduce((sum, alpha) => sum + alpha, 0);
    return { ink, shades: alphas.map((alpha) => Math.round((alpha / 255) * (SHADES - 1))) };
  });
  return glyphs.sort((one, other) => one.ink - other.ink);
}

function layOut() {
  const { width, height } = stage.getBoundingClientRect();
  const scale = Math.min(devicePixelRatio, Math.sqrt(MOST_PIXELS / (width * height)));
  const cellWidth = Math.round(CELL * scale);
  const cellHeight = Math.round(CELL * ASPECT * scale);
  const columns = Math.ceil((width * scale) / cellWidth);
  const rows = Math.ceil((height * scale) / cellHeight);
  Object.assign(canvas, { width: columns * cellWidth, height: rows * cellHeight });
  Object.assign(sample, { width: columns, height: rows });
  const frame = page.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(frame.data.buffer);
  grid = { columns, rows, cellWidth, cellHeight, frame, pixels };
  grid.glyphs = drawGlyphs(cellWidth, cellHeight);
  if (film.readyState > 1) draw();
}

// The part of the film that covers the stage, like `object-fit: cover`.
function look() {
  const ratio = (grid.columns * grid.cellWidth) / (grid.rows * grid.cellHeight);
  const width = Math.min(film.videoWidth, film.videoHeight * ratio);
  const height = width / ratio;
  const [x, y] = [(film.videoWidth - width) * 0.54, (film.videoHeight - height) / 2];
  eye.drawImage(film, x, y, width, height, 0, 0, grid.columns, grid.rows);
  return eye.getImageData(0, 0, grid.columns, grid.rows).data;
}

// The shades of one colour, from the space between letters (BODY) to the letter.
const palette = new Uint32Array(SHADES);

function mix(red, green, blue, light) {
  const lift = Math.min(1.6, 1 / light);
  for (let shade = 0; shade < SHADES; shade++) {
    const ink = Math.max((lift * shade) / (SHADES - 1), BODY);
    palette[shade] = 0xff000000 | ((blue * ink) << 16) | ((green * ink) << 8) | (red * ink);
  }
}

function draw() {
  const { columns, rows, cellWidth, cellHeight, glyphs, frame, pixels } = grid;
  const colours = look();
  const stride = canvas.width;
  pixels.fill(NIGHT);
  for (let cell = 0; cell < columns * rows; cell++) {
    const [red, green, blue] = [colours[cell * 4], colours[cell * 4 + 1], colours[cell * 4 + 2]];
    const light = Math.max(red, green, blue) / 255;
    const { ink, shades } = glyphs[Math.floor(Math.sqrt(light) * (glyphs.length - 0.01))];
    if (!ink) continue;
    mix(red, green, blue, light);
    let to = Math.floor(cell / columns) * cellHeight * stride + (cell % columns) * cellWidth;
    for (let from = 0; from < shades.length; to += stride - cellWidth) {
      for (const end = from + cellWidth; from < end; ) pixels[to++] = palette[shades[from++]];
    }
  }
  page.putImageData(frame, 0, 0);
}

function loop() {
  waiting = false;
  if (film.paused) return;
  draw();
  next();
}

function next() {
  if (waiting) return;
  waiting = true;
  if (film.requestVideoFrameCallback) film.requestVideoFrameCallback(loop);
  else requestAnimationFrame(loop);
}

function play() {
  const wanted = seen && !paused && !document.hidden && !still.matches;
  if (!wanted) film.pause();
  else if (film.paused) film.play().then(next, giveUp);
}

function giveUp() {
  canvas.remove();
  toggle.hidden = true;
}

function press() {
  paused = !paused;
  const word = paused ? "Play" : "Pause";
  toggle.querySelector("span").textContent = word;
  const icon = toggle.querySelector("use");
  icon.setAttribute("href", icon.getAttribute("href").replace(/#.*/, `#${word.toLowerCase()}`));
  play();
}

async function begin() {
  // On a slow line the film would keep away what the page needs.
  if (document.readyState !== "complete") await new Promise((on) => addEventListener("load", on));
  const data = fetch(stage.dataset.video, { priority: "low" }).then((response) => response.blob());
  await document.fonts.load('16px "Geist Mono"');
  film = document.createElement("video");
  Object.assign(film, { muted: true, loop: true, playsInline: true, preload: "auto" });
  film.onerror = giveUp;
  film.onplaying = () => {
    film.onplaying = null;
    stage.append(canvas);
    toggle.hidden = false;
  };
  film.src = URL.createObjectURL(await data);
  layOut();
  new ResizeObserver(layOut).observe(stage);
  new IntersectionObserver(([entry]) => {
    seen = entry.isIntersecting;
    play();
  }).observe(stage);
  addEventListener("visibilitychange", play);
  still.addEventListener("change", play);
  toggle.onclick = press;
}

if (page && eye && !still.matches && !navigator.connection?.saveData) begin().catch(giveUp);
