/** Picker of the displayed columns. */

import { useEffect, useRef } from "react";
import { Button } from "../../components/button.tsx";
import { useTranslation } from "../../i18n/translate.ts";
import { columnOf, DEFAULT_COLUMNS } from "./columns.ts";

interface ColumnPickerProps {
  all: readonly string[];
  shown: readonly string[];
  onChange: (columns: string[]) => void;
  onClose: () => void;
}

export function ColumnPicker({ all, shown, onChange, onClose }: ColumnPickerProps) {
  const t = useTranslation();
  const fieldset = useRef<HTMLFieldSetElement>(null);
  useEffect(() => fieldset.current?.querySelector("input")?.focus(), []);
  const toggle = (key: string) => {
    const next = shown.includes(key) ? shown.filter((one) => one !== key) : [...shown, key];
    if (next.length > 0) onChange(next);
  };
  return (
    <fieldset
      ref={fieldset}
      className="columns"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        onClose();
      }}
    >
      <legend className="visually-hidden">{t("columns")}</legend>
      {all.map((key) => {
        const { label } = columnOf(key);
        return (
          <label key={key} className="check">
            <input type="checkbox" checked={shown.includes(key)} onChange={() => toggle(key)} />{" "}
            {label ? t(label) : key}
          </label>
        );
      })}
      <div className="row">
        <Button kind="bare" onClick={() => onChange(DEFAULT_COLUMNS.filter((key) => all.includes(key)))}>
          {t("columns.reset")}
        </Button>
        <Button kind="bare" className="push" onClick={onClose}>
          {t("close")}
        </Button>
      </div>
    </fieldset>
  );
}
