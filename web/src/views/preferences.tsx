/** Buttons for language and theme. */

import { Button } from "../components/button.tsx";
import { setTheme, type Theme, THEMES, useTheme } from "../components/theme.ts";
import { setLanguage } from "../i18n/language.ts";
import { useLanguage, useTranslation } from "../i18n/translate.ts";

const ICONS = { auto: "auto", light: "sun", dark: "moon" } as const;

export function nextTheme(theme: Theme): Theme {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "auto";
}

export function ThemeButton() {
  const t = useTranslation();
  const theme = useTheme();
  return (
    <Button
      kind="bare"
      icon={ICONS[theme]}
      label={t("theme.is", { theme: t(`theme.${theme}`) })}
      onClick={() => setTheme(nextTheme(theme))}
    />
  );
}

/** Switches the language. The label is the name of the other language. */
export function LanguageButton() {
  const other = useLanguage() === "zh-cn" ? "en-us" : "zh-cn";
  return (
    <Button kind="bare" lang={other === "zh-cn" ? "zh-Hans" : "en"} onClick={() => setLanguage(other)}>
      {other === "zh-cn" ? "中文" : "English"}
    </Button>
  );
}
