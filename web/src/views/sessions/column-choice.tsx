/** Which columns are shown. */

import { useEffect, useRef } from "react";
import { Button } from "../../parts/button.tsx";
import { useWords } from "../../words/words.ts";
import { columnOf, DEFAULT_COLUMNS } from "./columns.ts";

interface ColumnChoiceProps {
  all: readonly string[];
  shown: readonly string[];
  change: (columns: string[]) => void;
  close: () => void;
}

export function ColumnChoice({ all, shown, change, close }: ColumnChoiceProps) {
  const t = useWords();
  const first = useRef<HTMLFieldSetElement>(null);
  useEffect(() => first.current?.querySelector("input")?.focus(), []);
  // Added ones stand where they stand among all of them.
  const toggle = (key: string) => {
    const next = shown.includes(key) ? shown.filter((one) => one !== key) : [...shown, key];
    if (next.length > 0) change(next);
  };
  return (
    <fieldset
      ref={first}
      className="columns"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        close();
      }}
    >
      <legend className="unseen">{t("columns")}</legend>
      {all.map((key) => {
        const { word } = columnOf(key);
        return (
          <label key={key} className="check">
            <input type="checkbox" checked={shown.includes(key)} onChange={() => toggle(key)} /> {word ? t(word) : key}
          </label>
        );
      })}
      <div className="row">
        <Button kind="bare" onClick={() => change(DEFAULT_COLUMNS.filter((key) => all.includes(key)))}>
          {t("columns.usual")}
        </Button>
        <Button kind="bare" className="push" onClick={close}>
          {t("close")}
        </Button>
      </div>
    </fieldset>
  );
}
