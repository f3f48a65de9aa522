import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run dev` serves the page alone; what it asks for goes to a `clew serve` beside it.
const server = process.env["CLEW_ENDPOINT"] ?? "http://127.0.0.1:8407";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    // The policy of the page forbids fonts and scripts in `data:`; everything is a file of its own.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy: { "/clew": server, "/v3": server, "/v3.1": server, "/openapi.json": server } },
});
