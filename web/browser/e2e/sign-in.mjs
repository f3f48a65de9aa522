// Signing in, what a session's end does, languages and themes.
import assert from "node:assert/strict";
import { nodePath, open, signIn, until, withPage } from "../browser.mjs";
import { place } from "../stage.mjs";

export const tests = {
  "a wrong password is refused, the right one leads where the URL says": () =>
    withPage({}, async (page) => {
      await page.goto(place.endpoint + nodePath("locks"));
      await page.getByLabel("Domain").fill(place.domain);
      await page.getByLabel("User", { exact: true }).fill(place.user);
      await page.getByLabel("Password").fill("not this one");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").waitFor();
      assert.equal(await page.getByLabel("Password").inputValue(), "");
      await signIn(page);
      await page.getByRole("heading", { name: "Lock waits" }).waitFor();
    }),

  "no script sees the token": () =>
    withPage({}, async (page, context) => {
      await open(page, "/instances");
      const cookie = (await context.cookies()).find(({ name }) => name === "clew_session");
      assert.ok(cookie?.httpOnly);
      assert.equal(cookie.sameSite, "Strict");
      const seen = await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage }));
      assert.ok(!seen.includes(cookie.value));
    }),

  "what changes something is refused without the CSRF token": () =>
    withPage({}, async (page) => {
      await open(page, "/instances");
      const status = await page.evaluate(async () => (await fetch("/clew/v1/console/session", { method: "DELETE" })).status);
      assert.equal(status, 403);
    }),

  "a token that is revoked ends the view, and a new sign-in brings it back": () =>
    withPage({}, async (page, context) => {
      await open(page, nodePath("sessions", "?q=user%3Aroot"));
      await page.getByRole("grid").waitFor();
      const { value } = (await context.cookies()).find(({ name }) => name === "clew_session");
      const revoked = await fetch(`${place.endpoint}/v3/auth/tokens`, { method: "DELETE", headers: { "x-auth-token": value, "x-subject-token": value } });
      assert.equal(revoked.status, 204);
      await page.getByText("Sign-in expired").waitFor();
      await signIn(page);
      await page.getByRole("grid").waitFor();
      assert.match(page.url(), /q=user/);
    }),

  "signing out takes the cookie away": () =>
    withPage({}, async (page, context) => {
      await open(page, "/instances");
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("form", { name: "Sign in" }).waitFor();
      assert.equal((await context.cookies()).filter(({ name, value }) => name === "clew_session" && value !== "").length, 0);
    }),

  "both languages, kept": () =>
    withPage({}, async (page) => {
      await open(page, "/instances");
      await page.getByRole("button", { name: "中文" }).click();
      await page.getByRole("heading", { name: "实例" }).waitFor();
      assert.equal(await page.locator("html").getAttribute("lang"), "zh-Hans");
      await page.reload();
      await page.getByRole("heading", { name: "实例" }).waitFor();
    }),

  "light and dark, kept, and as the system": () =>
    withPage({ colorScheme: "dark" }, async (page) => {
      await open(page, "/instances");
      const theme = () => page.locator("html").getAttribute("data-theme");
      assert.equal(await theme(), "dark");
      await page.getByRole("button", { name: /^Theme/ }).click();
      assert.equal(await theme(), "light");
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(ground, "rgb(247, 248, 248)");
      await page.reload();
      await page.getByRole("heading", { name: "Instances" }).waitFor();
      assert.equal(await theme(), "light");
    }),

  "at 390 pixels nothing stands out at the side": () =>
    withPage({ viewport: { width: 390, height: 844 } }, async (page) => {
      await page.goto(`${place.endpoint}/`);
      await signInNarrow(page);
      for (const view of ["sessions", "locks", "kill", "collections"]) {
        await page.goto(place.endpoint + nodePath(view));
        await page.getByRole("heading", { level: 1 }).waitFor();
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= 390, `${view} is ${wide} wide`);
      }
      await page.getByRole("button", { name: "Menu" }).click();
      await page.getByRole("button", { name: "Sign out" }).click();
      await until("one is out", () => page.getByRole("form", { name: "Sign in" }).isVisible());
    }),
};

async function signInNarrow(page) {
  await page.getByLabel("Domain").fill(place.domain);
  await page.getByLabel("User", { exact: true }).fill(place.user);
  await page.getByLabel("Password").fill(place.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Instances" }).waitFor();
}
