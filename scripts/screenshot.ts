// Takes the README's picture of a live page: npm start in one terminal, then
//   npx tsx scripts/screenshot.ts http://127.0.0.1:8900/ docs/images/page.png
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { chromium } from "playwright-core";
import { CHROMIUM_FLAGS, chromiumPath } from "../test/support/chromium.ts";

const [url = "http://127.0.0.1:8900/", file = "docs/images/page.png"] = process.argv.slice(2);
const executablePath = chromiumPath();
if (executablePath === undefined) throw new Error("no Chromium found; install one or set FULCRUM_CHROMIUM");
await mkdir(dirname(file), { recursive: true });
const browser = await chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS] });
const page = await browser.newPage({ viewport: { width: 1440, height: 1150 }, colorScheme: "light" });
await page.goto(url);
await page.getByRole("heading", { name: /decisions/i }).waitFor();
// A few frames, so that the picture shows a page that is alive.
await page.waitForTimeout(5000);
await page.screenshot({ path: file });
await browser.close();
