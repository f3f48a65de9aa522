/** Formatting of numbers, durations, sizes and times. */

import type { Language } from "./language.ts";

export const number = (value: number, locale: Language): string => value.toLocaleString(locale);

/** Formats seconds with at most two units: 12 s, 3 m 05 s, 2 h 07 m, 4 d 03 h. */
export function duration(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds));
  const pad = (value: number) => String(value).padStart(2, "0");
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${Math.floor(total / 60)} m ${pad(total % 60)} s`;
  if (total < 86_400) return `${Math.floor(total / 3600)} h ${pad(Math.floor((total % 3600) / 60))} m`;
  return `${Math.floor(total / 86_400)} d ${pad(Math.floor((total % 86_400) / 3600))} h`;
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(size < 10 ? 1 : 0)} ${units[unit] ?? ""}`;
}

/** Formats a time in the time zone of the browser, as 2026-11-28 12:06:53. */
export function timestamp(value: string | number | null | undefined): string {
  if (value === null || value === undefined || value === "") return "";
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return String(value);
  const pad = (part: number) => String(part).padStart(2, "0");
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

export function clock(milliseconds: number, locale: Language): string {
  return milliseconds === 0 ? "" : new Date(milliseconds).toLocaleTimeString(locale, { hour12: false });
}
