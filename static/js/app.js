// What every page has: copying, menus, failures, dialogs, panes, keys, polling that rests. One module per behaviour.
import "./copy.js";
import "./failures.js";
import "./filters.js";
import "./keys.js";
import "./menus.js";
import "./panes.js";
import "./polling.js";
import "./time.js";
