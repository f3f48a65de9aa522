// Who may only look sees everything, and what is missing. Administrators see access and audit.
import assert from "node:assert/strict";
import { line, nodePath, open, withPage } from "../browser.mjs";
import { ask, place, user } from "../stage.mjs";

const KILL = "gaussdbformysql:instance:deleteProcesses";

export const tests = {
  "who may not kill sees the button, and which permission is missing": () =>
    withPage({}, async (page) => {
      const looker = await user("looker", ["gaussdbformysql:instance:list*", "gaussdbformysql:instance:get*", "gaussdbformysql:instance:show*"]);
      const { id } = await ask("session", { user: "app", sql: "SELECT SLEEP(600)" });
      await open(page, nodePath("sessions", `?session=${id}`), looker.name, looker.password);
      const drawer = page.getByRole("complementary", { name: `Session ${id}` });
      const kill = drawer.getByRole("button", { name: /^Kill/ });
      await drawer.locator(".missing", { hasText: KILL }).waitFor();
      assert.equal(await kill.getAttribute("aria-disabled"), "true");
      await kill.click({ force: true });
      assert.equal(await page.getByRole("dialog").count(), 0);
      assert.ok((await ask("lives", { id })).lives);
      assert.equal(await page.getByRole("link", { name: "Audit" }).count(), 0);
      await page.goto(place.endpoint + nodePath("kill", "?show=tasks"));
      await page.locator(".missing", { hasText: "gaussdbformysql:instance:modify" }).waitFor();
      await page.goto(place.endpoint + nodePath("kill", "?show=intelligent"));
      await page.locator(".missing", { hasText: "gaussdbformysql:instance:executeIntelligentKillSession" }).waitFor();
      await ask("end", { id });
    }),

  "who may nothing is told so, and not shown a blank": () =>
    withPage({}, async (page) => {
      const nobody = await user("nobody", ["gaussdbformysql:instance:getSlowProcessThreshold"]);
      await open(page, nodePath("locks"), nobody.name, nobody.password);
      await page.getByText("Access denied", { exact: true }).waitFor();
      await page.getByRole("link", { name: "Sessions", exact: true }).click();
      await page.getByText("Access denied", { exact: true }).waitFor();
    }),

  "an administrator makes a user, simulates, and finds it in the audit": () =>
    withPage({}, async (page) => {
      await open(page, "/access/users");
      await page.getByRole("button", { name: "Create user" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Name").fill("newcomer");
      await dialog.getByRole("button", { name: "Create user" }).click();
      await dialog.getByText("Password of newcomer").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("heading", { name: "newcomer" }).waitFor();
      await page.getByRole("navigation", { name: "Access" }).getByRole("link", { name: "Policy simulation" }).click();
      await page.getByRole("form", { name: "Policy simulation" }).locator("select").first().selectOption({ label: "newcomer" });
      await page.getByRole("button", { name: "Run simulation" }).click();
      await page.getByText("Denied").waitFor();
      await page.getByRole("navigation", { name: "Access" }).getByRole("link", { name: "Audit" }).click();
      // The newest stands first: it was only just made.
      await page.getByRole("row").nth(1).getByText("CreateUser").waitFor();
      await page.getByRole("searchbox").fill("operation:CreateUser");
      await page.getByRole("cell", { name: /CreateUser/ }).first().waitFor();
      await page.getByRole("button", { name: "Verify integrity" }).click();
      await page.getByText(/Verified: /).waitFor();
    }),

  "a policy that is wrong is told while one writes": () =>
    withPage({}, async (page) => {
      await open(page, "/access/policies");
      await page.getByRole("button", { name: "Create policy" }).click();
      await page.getByLabel("Name").fill("from-the-page");
      await page.getByLabel("Policy document").fill('{"Version":"5.0","Statement":[{"Effect":"Perhaps"}]}');
      await page.getByRole("alert").first().waitFor();
      assert.equal(await page.getByRole("button", { name: "Save" }).getAttribute("aria-disabled"), "true");
      await page.getByLabel("Policy document").fill('{"Version":"5.0","Statement":[{"Effect":"Allow","Action":["gaussdbformysql:instance:listProcesses"],"Resource":["*"]}]}');
      await page.getByRole("alert").first().waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("heading", { name: "from-the-page" }).waitFor();
      await page.getByLabel("Attach to …").selectOption({ label: "user looker" });
      await page.getByRole("button", { name: "Detach from looker" }).waitFor();
    }),

  "back from the administration the sessions are there": () =>
    withPage({}, async (page) => {
      await open(page, "/access/users");
      await page.getByRole("heading", { name: place.user }).waitFor();
      const { id } = await ask("session", { user: "app", sql: "SELECT SLEEP(600)" });
      await page.getByRole("link", { name: "Clew" }).click();
      await page.getByRole("link", { name: /master/ }).click();
      await line(page, id).waitFor();
      await ask("end", { id });
    }),
};
