// What every page has: copying, menus, failures, dialogs, panes, keys, theme, polling. One module per behaviour.
import "./carry.js";
import "./copy.js";
import "./failures.js";
import "./filters.js";
import "./keys.js";
import "./menus.js";
import "./palette.js";
import "./panes.js";
import "./polling.js";
import "./theme.js";
import "./time.js";
