// Takes the picture of the console: PACKAGES ADMIN KEY FILE.

import { createRequire } from 'node:module';

const [packages, admin, key, file] = process.argv.slice(2);
const { chromium } = createRequire(`${packages}/`)('playwright-core');
const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium', args: ['--no-sandbox'],
});
const page = await browser.newPage({ locale: 'en-GB', viewport: { width: 1180, height: 690 } });

await page.goto(`${admin}/console/`);
await page.getByRole('textbox').or(page.locator('input[type=password]')).first().fill(key);
await page.keyboard.press('Enter');
await page.locator('main h1').first().waitFor();
await page.waitForResponse((response) => response.url().endsWith('/status'));
await page.waitForTimeout(50000);   // until the chart has something to show
await page.screenshot({ path: file });
await browser.close();
