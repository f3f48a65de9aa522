/** Theme of the page, stored in the browser. `auto` follows the operating system. */

import { useSyncExternalStore } from "react";
import { readSetting, writeSetting } from "../storage.ts";

export type Theme = "auto" | "light" | "dark";
export const THEMES: readonly Theme[] = ["auto", "light", "dark"];

const prefersDark = globalThis.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
let theme: Theme = THEMES.find((one) => one === readSetting("theme")) ?? "auto";

export function effectiveTheme(): "light" | "dark" {
  return theme === "auto" ? (prefersDark.matches ? "dark" : "light") : theme;
}

function applyTheme(): void {
  document.documentElement.dataset["theme"] = effectiveTheme();
  listeners.forEach((notify) => notify());
}

export function startTheme(): void {
  prefersDark.addEventListener("change", applyTheme);
  applyTheme();
}

export function setTheme(next: Theme): void {
  theme = next;
  writeSetting("theme", next);
  applyTheme();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useTheme = (): Theme => useSyncExternalStore(subscribe, () => theme);
export const useEffectiveTheme = (): "light" | "dark" => useSyncExternalStore(subscribe, effectiveTheme);
