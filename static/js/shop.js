// What every page of the shop has. Served as one file: see allo/web/static_files.py.
import "./announce.js";
import "./offline.js";
import "./countdown.js";
import "./live.js";
import "./search.js";
