// Draws the hero's film on the canvas of its page: see hero-ascii.js. It gets the canvas once, the
// grid whenever the size changes, and frames of the film. It answers each frame when it is drawn.
// The shades of one colour within a letter.
const SHADES = 16;
// The brightness between the letters.
const BODY = 0.3;
// The empty background, as alpha, blue, green, red.
const NIGHT = 0xff030202;

const sample = new OffscreenCanvas(1, 1);
const eye = sample.getContext("2d", { willReadFrequently: true });
// These shades of the colour of one cell, from the space between letters (BODY) to the letter.
const palette = new Uint32Array(SHADES);
// The grid has the picture that is written to.
let grid, page, screen;

// Each letter as the shade of each of its pixels, in order of brightness.
function read(letters, width, height) {
  const sheet = new OffscreenCanvas(letters.width, height);
  const pen = sheet.getContext("2d", { willReadFrequently: true });
  pen.drawImage(letters, 0, 0);
  const glyphs = Array.from({ length: letters.width / width }, (_, n) => {
    const { data } = pen.getImageData(n * width, 0, width, height);
    const alphas = data.filter((_, at) => at % 4 === 3);
    const ink = alphas.reduce((sum, alpha) => sum + alpha, 0);
    return { ink, shades: alphas.map((alpha) => Math.round((alpha / 255) * (SHADES - 1))) };
  });
  return glyphs.sort((one, other) => one.ink - other.ink);
}

function layOut({ columns, rows, cellWidth, cellHeight, letters }) {
  Object.assign(screen, { width: columns * cellWidth, height: rows * cellHeight });
  Object.assign(sample, { width: columns, height: rows });
  const picture = page.createImageData(screen.width, screen.height);
  const pixels = new Uint32Array(picture.data.buffer);
  const glyphs = read(letters, cellWidth, cellHeight);
  grid = { columns, rows, cellWidth, cellHeight, glyphs, picture, pixels };
}

// The colour of each cell, of the part of the frame that covers the stage, like `object-fit: cover`.
function look(frame) {
  const wide = frame.displayWidth ?? frame.width;
  const high = frame.displayHeight ?? frame.height;
  const ratio = screen.width / screen.height;
  const width = Math.min(wide, high * ratio);
  const height = width / ratio;
  const [x, y] = [(wide - width) * 0.54, (high - height) / 2];
  eye.drawImage(frame, x, y, width, height, 0, 0, sample.width, sample.height);
  return eye.getImageData(0, 0, sample.width, sample.height).data;
}

function mix(red, green, blue, light) {
  const lift = Math.min(1.6, 1 / light);
  for (let shade = 0; shade < SHADES; shade++) {
    const ink = Math.max((lift * shade) / (SHADES - 1), BODY);
    palette[shade] = 0xff000000 | ((blue * ink) << 16) | ((green * ink) << 8) | (red * ink);
  }
}

function draw(frame) {
  const { columns, rows, cellWidth, cellHeight, glyphs, picture, pixels } = grid;
  const colours = look(frame);
  const stride = screen.width;
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
  page.putImageData(picture, 0, 0);
}

onmessage = ({ data }) => {
  if (data.screen) {
    screen = data.screen;
    page = screen.getContext("2d", { alpha: false });
  } else if (data.grid) {
    layOut(data.grid);
  } else {
    draw(data.frame);
    data.frame.close();
    postMessage("drawn");
  }
};
