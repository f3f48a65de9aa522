/** The language of the page, and of what the server says to it. Kept in the browser. */

export type Language = "en-us" | "zh-cn";
export const LANGUAGES: readonly Language[] = ["en-us", "zh-cn"];

const KEPT = "clew.language";
let current: Language = first();
const listeners = new Set<() => void>();

function first(): Language {
  const kept = globalThis.localStorage?.getItem(KEPT);
  const found = LANGUAGES.find((one) => one === kept);
  if (found) return found;
  return globalThis.navigator?.language?.toLowerCase().startsWith("zh") ? "zh-cn" : "en-us";
}

export function language(): Language {
  return current;
}

export function setLanguage(next: Language): void {
  current = next;
  globalThis.localStorage?.setItem(KEPT, next);
  listeners.forEach((told) => told());
}

export function onLanguage(told: () => void): () => void {
  listeners.add(told);
  return () => listeners.delete(told);
}
