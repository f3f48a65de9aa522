/** Light, dark, or as the system has it. Kept in the browser. */

import { useSyncExternalStore } from "react";

export type Theme = "auto" | "light" | "dark";
export const THEMES: readonly Theme[] = ["auto", "light", "dark"];

const KEPT = "clew.theme";
const dark = globalThis.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
let chosen: Theme = THEMES.find((one) => one === globalThis.localStorage.getItem(KEPT)) ?? "auto";

export function shownTheme(): "light" | "dark" {
  return chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
}

function show(): void {
  document.documentElement.dataset["theme"] = shownTheme();
  listeners.forEach((told) => told());
}

export function startTheme(): void {
  dark.addEventListener("change", show);
  show();
}

export function setTheme(theme: Theme): void {
  chosen = theme;
  globalThis.localStorage.setItem(KEPT, theme);
  show();
}

const subscribe = (told: () => void) => {
  listeners.add(told);
  return () => listeners.delete(told);
};

export const useTheme = (): Theme => useSyncExternalStore(subscribe, () => chosen);
export const useShownTheme = (): "light" | "dark" => useSyncExternalStore(subscribe, shownTheme);
