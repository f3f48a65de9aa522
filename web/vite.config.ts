import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run dev` serves the page and forwards API requests to this `clew serve`.
const server = process.env["CLEW_ENDPOINT"] ?? "http://127.0.0.1:8407";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    // The Content-Security-Policy forbids `data:` URLs, so every asset is a separate file.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy: { "/clew": server, "/v3": server, "/v3.1": server, "/openapi.json": server } },
});
