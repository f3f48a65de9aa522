// Runs one file of end-to-end tests: `node browser/run.mjs sessions`. Started by crates/cli/tests/page, the stage.
const suite = process.argv[2];
if (!/^[a-z-]+$/.test(suite ?? "")) throw new Error("usage: run.mjs NAME, a file of browser/e2e");
const { tests } = await import(`./e2e/${suite}.mjs`);
const { callStage } = await import("./stage.mjs");
let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  const start = Date.now();
  try {
    await test();
    console.log(`ok ${name} (${Date.now() - start} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error.stack}`);
    // Remove the sessions of the failed test.
    await callStage("end_all_sessions");
  }
}
console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed`);
process.exit(failed > 0 || Object.keys(tests).length === 0 ? 1 : 0);
