import { writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { ClusterSampleProcess } from './cluster-sample-process.js';
import { Chromium, findChromium } from './page-chromium.js';

/*
 * The picture in the README of sample/02-cluster: `node build/test/browser/cluster-sample-screenshot.js
 * sample/02-cluster/page.png [light|dark]`. It plays the story of the page, and cuts off C before it.
 */

const [file = 'page.png', scheme = 'light'] = process.argv.slice(2);
const path = findChromium();
if (path === undefined) throw new Error('There is no chromium in the PATH.');

const hint = process.env['HINT'] ?? 'none';
const sample = await ClusterSampleProcess.start({ HINT: hint, RATE: '30' });
const browser = new Chromium(path);
try {
  const tab = await browser.open(sample.url);
  const size = { width: 1360, height: 1110, deviceScaleFactor: 1, mobile: false };
  await tab.send('Emulation.setDeviceMetricsOverride', size);
  const features = [{ name: 'prefers-color-scheme', value: scheme }];
  await tab.send('Emulation.setEmulatedMedia', { features });
  await tab.until(`document.getElementById('lane-C')`);
  await setTimeout(14_000);
  await tab.evaluate(`document.getElementById('play').click()`);
  await tab.until(`document.getElementById('lane-B').dataset.last === 'refused'`);
  await setTimeout(3_000);
  await sample.press('instances/A/login');
  await sample.press('instances/C/cut');
  await tab.until(`document.getElementById('lane-C').dataset.last === 'unknown'`);
  await setTimeout(1_500);
  const { data } = (await tab.send('Page.captureScreenshot')) as { data: string };
  writeFileSync(file, Buffer.from(data, 'base64'));
} finally {
  await browser.close();
  await sample.end('SIGTERM');
  sample.removeFolder();
}
