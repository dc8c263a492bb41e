// SPDX-License-Identifier: Apache-2.0
// Takes a picture of a page once it shows a text:  node screenshot.mjs URL OUT.png "text that must be on the page"
// Exit: 0 picture taken · 1 the page or the text is not there (OUT.png then shows what was) · 2 bad usage
// CHROMIUM names another browser than the first chromium found in PATH.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const WAIT_MS = 15_000;
const FLAGS = [
  '--headless',
  '--no-sandbox', // runs as root in CI; the page is our own
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

class Problem extends Error {}

function browserPath() {
  const folders = process.env.PATH.split(delimiter);
  const found = process.env.CHROMIUM ?? folders.map((folder) => join(folder, 'chromium')).find((file) => existsSync(file));
  if (!found) throw new Problem('no chromium in PATH: apt-get install chromium, or set CHROMIUM');
  return found;
}

async function take(page, url, picture, text) {
  const answer = await page.goto(url, { timeout: WAIT_MS, waitUntil: 'load' }).catch((error) => {
    throw new Problem(`${url} cannot be opened: ${error.message.split('\n')[0]}`);
  });
  const shown = await page
    .getByText(text)
    .first()
    .waitFor({ state: 'visible', timeout: WAIT_MS })
    .then(() => true, () => false);
  await page.screenshot({ path: picture, fullPage: true });
  if (!shown) throw new Problem(`'${text}' is not on ${url} (status ${answer.status()}, title '${await page.title()}')`);
}

const [url, picture, text] = process.argv.slice(2);
if (!text) {
  console.error('usage: node screenshot.mjs URL OUT.png "text that must be on the page"');
  process.exit(2);
}
let browser;
try {
  browser = await chromium.launch({ executablePath: browserPath(), args: FLAGS });
  const page = await browser.newPage({ viewport: { width: 1000, height: 480 }, deviceScaleFactor: 2 });
  await take(page, url, picture, text);
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  console.error(`screenshot: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser?.close();
}
