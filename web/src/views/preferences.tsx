/** Language and theme. */

import { Button } from "../parts/button.tsx";
import { setTheme, type Theme, THEMES, useTheme } from "../parts/theme.ts";
import { setLanguage } from "../words/language.ts";
import { useLanguage, useWords } from "../words/words.ts";

const ICONS = { auto: "auto", light: "sun", dark: "moon" } as const;

export function nextTheme(theme: Theme): Theme {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "auto";
}

export function ThemeButton() {
  const t = useWords();
  const theme = useTheme();
  return <Button kind="bare" icon={ICONS[theme]} label={t("theme.is", { theme: t(`theme.${theme}`) })} onClick={() => setTheme(nextTheme(theme))} />;
}

/** Names the other language in that language. */
export function LanguageButton() {
  const other = useLanguage() === "zh-cn" ? "en-us" : "zh-cn";
  return (
    <Button kind="bare" lang={other === "zh-cn" ? "zh-Hans" : "en"} onClick={() => setLanguage(other)}>
      {other === "zh-cn" ? "中文" : "English"}
    </Button>
  );
}
