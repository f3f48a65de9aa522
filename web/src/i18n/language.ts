/** Language of the page and of the server's messages, stored in the browser. */

export type Language = "en-us" | "zh-cn";
export const LANGUAGES: readonly Language[] = ["en-us", "zh-cn"];

/** Texts of the server in English, with the same texts in Chinese in `zh_cn`. */
export type Localized<Texts> = Texts & { zh_cn: Texts };

/** Returns the texts of the server in the given language. */
export function localized<Texts>(locale: Language, value: NoInfer<Texts> & { zh_cn?: Texts | null }): Texts {
  return (locale === "zh-cn" && value.zh_cn) || value;
}

const STORAGE_KEY = "clew.language";
let current: Language = initialLanguage();
const listeners = new Set<() => void>();

function initialLanguage(): Language {
  const stored = globalThis.localStorage?.getItem(STORAGE_KEY);
  const supported = LANGUAGES.find((one) => one === stored);
  if (supported) return supported;
  return globalThis.navigator?.language?.toLowerCase().startsWith("zh") ? "zh-cn" : "en-us";
}

export function language(): Language {
  return current;
}

export function setLanguage(next: Language): void {
  current = next;
  globalThis.localStorage?.setItem(STORAGE_KEY, next);
  listeners.forEach((notify) => notify());
}

export function onLanguageChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
