// What every page has: copying, menus, dialogs, panes, keys, theme, polling that rests. One module per behaviour.
import "./copy.js";
import "./keys.js";
import "./menus.js";
import "./panes.js";
import "./polling.js";
import "./theme.js";
import "./time.js";
