// Tells the server the reader's time zone, and keeps "3 minutes ago" true while the page stays open.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const cookie = `timezone=${zone}`;
if (zone && !document.cookie.includes(cookie)) document.cookie = `${cookie}; path=/; max-age=31536000; samesite=lax`;

const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];
const words = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto", style: "short" });

function refresh() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const seconds = (Date.now() - Date.parse(element.dateTime)) / 1000;
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["minute", 60];
    element.textContent = Math.abs(seconds) < 60 ? element.dataset.now : words.format(-Math.round(seconds / size), unit);
  }
}
setInterval(refresh, 30_000);
