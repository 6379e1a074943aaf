// What the collection has besides. Served as one file: see allo/web/static_files.py.
import "./filters.js";
import "./load-more.js";
