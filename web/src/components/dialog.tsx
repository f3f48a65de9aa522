/** Modal dialog based on the `dialog` element, which traps the focus. */

import { type ReactNode, useEffect, useId, useRef } from "react";
import { useTranslation } from "../i18n/translate.ts";
import { Button } from "./button.tsx";

interface DialogProps {
  title: string;
  narrow?: boolean;
  /** Makes the body focusable, so that the keyboard can scroll a body without controls. */
  focusableBody?: boolean;
  onClose: () => void;
  children: ReactNode;
  footer?: ReactNode;
}

export function Dialog({ title, narrow, focusableBody, onClose, children, footer }: DialogProps) {
  const t = useTranslation();
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const previousFocus = document.activeElement;
    const element = dialog.current;
    if (element && !element.open) {
      element.showModal();
      // The first input gets the focus instead of the close button.
      element.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    }
    return () => {
      element?.close();
      if (previousFocus instanceof HTMLElement && previousFocus.isConnected) previousFocus.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={narrow ? "narrow" : undefined}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <header>
        <h1 id={heading}>{title}</h1>
        <Button kind="bare" icon="close" label={t("close")} className="push" onClick={onClose} />
      </header>
      <div className="body" tabIndex={focusableBody ? 0 : undefined}>
        {children}
      </div>
      {footer && <footer>{footer}</footer>}
    </dialog>
  );
}
