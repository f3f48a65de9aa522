/** Translation of the page's messages. */

import { useCallback, useSyncExternalStore } from "react";
import { en, type Message, type MessageKey } from "./en.ts";
import { type Language, language, onLanguageChange } from "./language.ts";
import { zh } from "./zh.ts";

export type { MessageKey };

export type Translate = (key: MessageKey, values?: Record<string, string | number>) => string;

const CATALOGS: Record<Language, Record<MessageKey, Message>> = { "en-us": en, "zh-cn": zh };
const PLURAL_RULES: Record<Language, Intl.PluralRules> = {
  "en-us": new Intl.PluralRules("en-us"),
  "zh-cn": new Intl.PluralRules("zh-cn"),
};

/** Returns a message with its values inserted. */
export function translate(locale: Language, key: MessageKey, values: Record<string, string | number> = {}): string {
  return textOf(CATALOGS[locale][key], locale, values).replace(/\{(\w+)\}/g, (placeholder, name: string) => {
    const value = values[name];
    return value === undefined ? placeholder : typeof value === "number" ? value.toLocaleString(locale) : value;
  });
}

function textOf(message: Message, locale: Language, { n }: Record<string, string | number>): string {
  if (typeof message === "string") return message;
  return message[PLURAL_RULES[locale].select(Number(n))] ?? message.other;
}

/** Returns the translation function of the current language. The component renders again when the language changes. */
export function useTranslation(): Translate {
  const locale = useLanguage();
  return useCallback((key, values) => translate(locale, key, values), [locale]);
}

export function useLanguage(): Language {
  return useSyncExternalStore(onLanguageChange, language);
}
