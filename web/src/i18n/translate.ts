/** Translation of the page's messages. */

import { useCallback, useSyncExternalStore } from "react";
import { en, type MessageKey } from "./en.ts";
import { type Language, language, onLanguageChange } from "./language.ts";
import { zh } from "./zh.ts";

export type { MessageKey };

export type Translate = (key: MessageKey, values?: Record<string, string | number>) => string;

const CATALOGUES: Record<Language, Record<MessageKey, string>> = { "en-us": en, "zh-cn": zh };

/** Returns a message with its values inserted. `n` selects the form of a message with two forms, "singular|plural". */
export function translate(locale: Language, key: MessageKey, values: Record<string, string | number> = {}): string {
  const forms = CATALOGUES[locale][key].split("|");
  const form = forms.length > 1 && values["n"] !== 1 ? forms[1] : forms[0];
  return (form ?? "").replace(/\{(\w+)\}/g, (placeholder, name: string) => {
    const value = values[name];
    return value === undefined ? placeholder : typeof value === "number" ? value.toLocaleString(locale) : value;
  });
}

/** Returns the translation function of the current language. The component renders again when the language changes. */
export function useTranslation(): Translate {
  const locale = useLanguage();
  return useCallback((key, values) => translate(locale, key, values), [locale]);
}

export function useLanguage(): Language {
  return useSyncExternalStore(onLanguageChange, language);
}
