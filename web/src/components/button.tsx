/** Buttons. An unavailable button stays visible and explains the reason. */

import { type ButtonHTMLAttributes, useId } from "react";
import { useTranslation } from "../i18n/translate.ts";
import { Icon, type IconName } from "./icons.tsx";
import { showToast } from "./toasts.tsx";

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "disabled"> {
  kind?: "main" | "kill" | "confirm" | "bare";
  icon?: IconName;
  /** Accessible name of a button without text. */
  label?: string;
  /** Reason why the button is unavailable. The button stays focusable so that the reason can be read. */
  refused?: string | null;
}

const KIND_CLASSES = { main: "main", kill: "kill", confirm: "kill confirm", bare: "bare" };

export function Button({ kind, icon, label, refused, className, children, onClick, ...rest }: ButtonProps) {
  const id = useId();
  const classes = ["button", kind ? KIND_CLASSES[kind] : "", children === undefined ? "icon" : "", className ?? ""]
    .filter((one) => one !== "")
    .join(" ");
  return (
    <>
      <button
        type="button"
        {...rest}
        className={classes}
        aria-label={label}
        title={refused ?? label ?? rest.title}
        aria-disabled={refused != null ? true : undefined}
        aria-describedby={refused != null ? id : rest["aria-describedby"]}
        onClick={(event) => {
          if (refused == null) onClick?.(event);
          else {
            event.preventDefault();
            showToast(refused);
          }
        }}
      >
        {icon && <Icon name={icon} />}
        {children}
      </button>
      {refused != null && (
        <span id={id} className="visually-hidden">
          {refused}
        </span>
      )}
    </>
  );
}

/** Copies a text to the clipboard. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const t = useTranslation();
  return (
    <Button
      kind="bare"
      icon="copy"
      label={label}
      onClick={() => {
        navigator.clipboard.writeText(text).then(
          () => showToast(t("copied")),
          () => showToast(t("copy.failed")),
        );
      }}
    />
  );
}
