import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { createApp } from './create-app.js';
import { readSettings, SettingsError } from './settings.js';

try {
  const settings = readSettings(process.env);
  const app = await createApp(settings);
  await app.listen(settings.port, settings.host);
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  const url = `http://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${port}`;
  console.log(`
nestjs-logout quick-start: ${url} (${settings.platform}, ${settings.database.type})

Open it in a browser, or log in, look, log out, look again:

  TOKEN=$(curl -s ${url}/auth/login -H 'content-type: application/json' -d '{"username":"alice","password":"correct horse battery staple"}' | node -pe 'JSON.parse(require("fs").readFileSync(0)).access_token')
  curl -s ${url}/me -H "authorization: Bearer $TOKEN"
  curl -s -X POST ${url}/auth/logout -H "authorization: Bearer $TOKEN"; curl -i ${url}/me -H "authorization: Bearer $TOKEN"
`);
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  console.error(`nestjs-logout quick-start: ${error.message}`);
  process.exitCode = 1;
}
