// The lists of the explorer: one module for each thing that can be done in them.
import "./query-bar.js";
import "./facets.js";
import "./strip.js";
import "./columns.js";
import "./live.js";
import "./visit.js";
