/** The page's words in both languages. */

import { useSyncExternalStore } from "react";
import { en } from "./en.ts";
import { type Language, language, onLanguage } from "./language.ts";
import { zh } from "./zh.ts";

export type Word = keyof typeof en;
export type Say = (word: Word, values?: Record<string, string | number>) => string;

const CATALOGUES: Record<Language, Record<Word, string>> = { "en-us": en, "zh-cn": zh };

/** A word with its values. Where it stands in two forms, "one|many", `n` chooses. */
export function say(spoken: Language, word: Word, values: Record<string, string | number> = {}): string {
  const forms = CATALOGUES[spoken][word].split("|");
  const form = forms.length > 1 && values["n"] !== 1 ? forms[1] : forms[0];
  return (form ?? "").replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? value.toLocaleString(spoken) : value;
  });
}

/** Says words in the language of now; whoever uses it is drawn again when that changes. */
export function useWords(): Say {
  const spoken = useSyncExternalStore(onLanguage, language);
  return (word, values) => say(spoken, word, values);
}

export function useLanguage(): Language {
  return useSyncExternalStore(onLanguage, language);
}
