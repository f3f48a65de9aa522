// Sign-in, expiry, languages and themes.
import assert from "node:assert/strict";
import { nodePath, open, signIn, waitUntil, withPage } from "../browser.mjs";
import { stage } from "../stage.mjs";

export const tests = {
  "wrong password is refused, correct password opens the view of the URL": () =>
    withPage({}, async (page) => {
      await page.goto(stage.endpoint + nodePath("locks"));
      await page.getByLabel("Domain").fill(stage.domain);
      await page.getByLabel("User", { exact: true }).fill(stage.user);
      await page.getByLabel("Password").fill("not this one");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").waitFor();
      assert.equal(await page.getByLabel("Password").inputValue(), "");
      await signIn(page);
      await page.getByRole("heading", { name: "Lock waits" }).waitFor();
    }),

  "token is not accessible to scripts": () =>
    withPage({}, async (page, context) => {
      await open(page, "/instances");
      const cookie = (await context.cookies()).find(({ name }) => name === "clew_session");
      assert.ok(cookie?.httpOnly);
      assert.equal(cookie.sameSite, "Strict");
      const readable = await page.evaluate(
        () => document.cookie + JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage)]),
      );
      assert.ok(!readable.includes(cookie.value));
    }),

  "changes without the CSRF token are refused": () =>
    withPage({}, async (page) => {
      await open(page, "/instances");
      const status = await page.evaluate(
        async () => (await fetch("/clew/v1/console/session", { method: "DELETE" })).status,
      );
      assert.equal(status, 403);
    }),

  "revoked token requires a sign-in, which returns to the view": () =>
    withPage({}, async (page, context) => {
      await open(page, nodePath("sessions", "?q=user%3Aroot"));
      await page.getByRole("grid").waitFor();
      const { value } = (await context.cookies()).find(({ name }) => name === "clew_session");
      const revoked = await fetch(`${stage.endpoint}/v3/auth/tokens`, {
        method: "DELETE",
        headers: { "x-auth-token": value, "x-subject-token": value },
      });
      assert.equal(revoked.status, 204);
      await page.getByText("Your sign-in has expired").waitFor();
      await signIn(page);
      await page.getByRole("grid").waitFor();
      assert.match(page.url(), /q=user/);
    }),

  "sign-out deletes the cookie": () =>
    withPage({}, async (page, context) => {
      await open(page, "/instances");
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("form", { name: "Sign in" }).waitFor();
      assert.equal(
        (await context.cookies()).filter(({ name, value }) => name === "clew_session" && value !== "").length,
        0,
      );
    }),

  "language is switched and stored": () =>
    withPage({}, async (page) => {
      await open(page, "/instances");
      await page.getByRole("button", { name: "中文" }).click();
      await page.getByRole("heading", { name: "实例" }).waitFor();
      assert.equal(await page.locator("html").getAttribute("lang"), "zh-Hans");
      await page.reload();
      await page.getByRole("heading", { name: "实例" }).waitFor();
    }),

  "theme follows the system, is switched and stored": () =>
    withPage({ colorScheme: "dark" }, async (page) => {
      await open(page, "/instances");
      const theme = () => page.locator("html").getAttribute("data-theme");
      assert.equal(await theme(), "dark");
      await page.getByRole("button", { name: /^Theme/ }).click();
      assert.equal(await theme(), "light");
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(background, "rgb(247, 248, 248)");
      await page.reload();
      await page.getByRole("heading", { name: "Instances" }).waitFor();
      assert.equal(await theme(), "light");
    }),

  "no view overflows at a width of 390 pixels": () =>
    withPage({ viewport: { width: 390, height: 844 } }, async (page) => {
      await page.goto(`${stage.endpoint}/`);
      await signInNarrow(page);
      for (const view of ["sessions", "locks", "kill", "collections"]) {
        await page.goto(stage.endpoint + nodePath(view));
        await page.getByRole("heading", { level: 1 }).waitFor();
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= 390, `${view} is ${width} pixels wide`);
      }
      await page.getByRole("button", { name: "Menu" }).click();
      await page.getByRole("button", { name: "Sign out" }).click();
      await waitUntil("the user is signed out", () => page.getByRole("form", { name: "Sign in" }).isVisible());
    }),
};

async function signInNarrow(page) {
  await page.getByLabel("Domain").fill(stage.domain);
  await page.getByLabel("User", { exact: true }).fill(stage.user);
  await page.getByLabel("Password").fill(stage.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Instances" }).waitFor();
}
