import { Controller, Get, Header, NotFoundException, Param, Res } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Only content from this origin; sockets of this origin count as `'self'`. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
};

/** This file runs from build/sample/03-live. What tsc does not compile is still in the source folder. */
const PUBLIC = fileURLToPath(new URL('../../../sample/03-live/public/', import.meta.url));

/** The browser's part of graphql-ws, from its package. The server of socket.io serves its own. */
const GRAPHQL_WS = join(
  dirname(createRequire(import.meta.url).resolve('graphql-ws')),
  '../umd/graphql-ws.min.js',
);

const FILES = new Map([
  ...['index.html', 'page.css', 'page.js', 'connections.js', 'icon.svg'].map(
    (name) => [name, join(PUBLIC, name)] as const,
  ),
  ['graphql-ws.js', GRAPHQL_WS],
]);

interface Response {
  header(name: string, value: string): unknown;
}

@Controller()
export class PageController {
  @Get()
  @Header('Content-Security-Policy', POLICY)
  @Header('Referrer-Policy', 'no-referrer')
  @Header('X-Content-Type-Options', 'nosniff')
  page(@Res({ passthrough: true }) response: Response): string {
    return this.file('index.html', response);
  }

  @Get('page/:file')
  @Header('X-Content-Type-Options', 'nosniff')
  file(@Param('file') name: string, @Res({ passthrough: true }) response: Response): string {
    const path = FILES.get(name);
    if (path === undefined) throw new NotFoundException('There is no such file.');
    response.header('Content-Type', TYPES[extname(name)] ?? 'text/plain; charset=utf-8');
    response.header('Cache-Control', 'no-store');
    return readFileSync(path, 'utf8');
  }
}
