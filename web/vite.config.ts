import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";

/** Puts script and style into index.html, so that the page is one file that loads nothing. */
function oneFile(): Plugin {
  return {
    name: "one-file",
    enforce: "post",
    generateBundle(_options, bundle) {
      const html = bundle["index.html"];
      if (html?.type !== "asset") return;
      let text = String(html.source);
      for (const [name, part] of Object.entries(bundle)) {
        if (part.type === "chunk") {
          const code = part.code.replaceAll("</script", "<\\/script");
          text = text.replace(/\s*<script type="module"[^>]*><\/script>/, "");
          text = text.replace("</body>", () => `<script type="module">${code}</script>\n</body>`);
          delete bundle[name];
        } else if (name.endsWith(".css")) {
          const style = String(part.source);
          text = text.replace(/\s*<link rel="stylesheet"[^>]*>/, () => `<style>${style}</style>`);
          delete bundle[name];
        }
      }
      html.source = text;
    },
  };
}

const here = import.meta.dirname;

export default defineConfig(({ isSsrBuild }) => ({
  root: here,
  plugins: isSsrBuild ? [] : [oneFile()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  define: { __VERSION__: JSON.stringify(JSON.parse(readFileSync(resolve(here, "package.json"), "utf8")).name) },
  build: {
    outDir: isSsrBuild ? "out/headless" : "out/page",
    emptyOutDir: true,
    modulePreload: false,
    assetsInlineLimit: 1_000_000,
    reportCompressedSize: false,
    target: "es2022",
  },
}));
