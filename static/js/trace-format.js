// Figures as the server's filters write them.
export function duration(us) {
  const seconds = Math.max(0, us) / 1e6;
  if (seconds < 0.0995) {
    const ms = seconds * 1000;
    return ms >= 1 || ms === 0 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
  }
  if (seconds < 60) return seconds < 9.995 ? `${seconds.toFixed(2)} s` : `${seconds.toFixed(1)} s`;
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"]].find(([size]) => seconds >= size);
  return `${(seconds / size).toFixed(1)} ${unit}`;
}

export function count(number) {
  if (Math.abs(number) < 1e6) return Math.round(number).toLocaleString("en");
  const [size, unit] = Math.abs(number) >= 1e9 ? [1e9, "G"] : [1e6, "M"];
  return `${(number / size).toFixed(1)} ${unit}`;
}

// A phrase with its number, of which the page has one form for one and one for many.
export function counted(words, name, number) {
  const phrase = number === 1 ? words[`${name}-one`] : words[name];
  return phrase.replace("{}", count(number));
}

export function money(amount) {
  if (!amount) return "$0";
  const size = Math.abs(amount);
  if (size >= 1) return `$${amount.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  if (size >= 0.0001) return `$${amount.toFixed(4)}`;
  return `$${amount.toFixed(Math.min(12, 1 - Math.floor(Math.log10(size))))}`;
}

export function score(value) {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) < 1000 ? value.toFixed(2) : count(value);
}

// Below the axis: as exact as its step asks for, and no more.
export function axisTime(us, step) {
  if (us === 0) return "0";
  const digits = (unit) => Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9));
  if (step < 1000) return us < 1000 ? `${us} µs` : `${(us / 1000).toFixed(digits(1000))} ms`;
  if (step < 1e6) return us < 1e6 ? `${us / 1000} ms` : `${(us / 1e6).toFixed(digits(1e6))} s`;
  if (us < 120e6) return `${us / 1e6} s`;
  if (us < 7200e6) return step % 60e6 ? `${Math.floor(us / 60e6)}:${String(Math.round((us % 60e6) / 1e6)).padStart(2, "0")} min` : `${us / 60e6} min`;
  return `${Number((us / 3600e6).toFixed(2))} h`;
}

const LONG_STEPS = [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400].map((s) => s * 1e6);

// A round distance between lines of the axis, so that there are three to six of them.
export function niceStep(span) {
  if (span > 60e6) {
    const long = LONG_STEPS.find((step) => span / step <= 5);
    return long ?? (Math.floor(span / 86400e6 / 4) + 1) * 86400e6;
  }
  let size = 1;
  while (size * 40 <= span) size *= 10;
  return [1, 2, 5, 10].map((factor) => size * factor).find((step) => span / step <= 5) ?? size * 10;
}
