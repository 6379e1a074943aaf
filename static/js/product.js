// What the page of a product has besides. Served as one file: see allo/web/static_files.py.
import "./dialog.js";
import "./form-keys.js";
import "./stepper.js";
import "./panel.js";
import "./gallery.js";
import "./viewed.js";
import "./zones.js";
