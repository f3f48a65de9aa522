/** Language of the page and of the server's messages, stored in the browser. */

import { readSetting, writeSetting } from "../storage.ts";

export type Language = "en-us" | "zh-cn";
export const LANGUAGES: readonly Language[] = ["en-us", "zh-cn"];

/** Texts of the server in English, with the same texts in Chinese in `zh_cn`. */
export type Localized<Texts> = Texts & { zh_cn: Texts };

/** Returns the texts of the server in the given language. */
export function localized<Texts>(locale: Language, value: NoInfer<Texts> & { zh_cn?: Texts | null }): Texts {
  return (locale === "zh-cn" && value.zh_cn) || value;
}

let current: Language = initialLanguage();
const listeners = new Set<() => void>();

function initialLanguage(): Language {
  const stored = readSetting("language");
  const supported = LANGUAGES.find((one) => one === stored);
  if (supported) return supported;
  const { navigator } = globalThis as { navigator?: Navigator };
  return navigator?.language.toLowerCase().startsWith("zh") ? "zh-cn" : "en-us";
}

export function language(): Language {
  return current;
}

export function setLanguage(next: Language): void {
  current = next;
  writeSetting("language", next);
  listeners.forEach((notify) => notify());
}

export function onLanguageChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
