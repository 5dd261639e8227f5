// What every page has: acting, copying, menus, failures, dialogs, panes, keys, theme, polling. One module per behaviour.
import "./acting.js";
import "./carry.js";
import "./composing.js";
import "./content.js";
import "./copy.js";
import "./failures.js";
import "./filters.js";
import "./keys.js";
import "./menus.js";
import "./once.js";
import "./palette.js";
import "./panes.js";
import "./polling.js";
import "./theme.js";
import "./time.js";
