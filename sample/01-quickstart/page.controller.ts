import { Controller, Get, Header, Param, Res } from '@nestjs/common';
import { existsSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AuthException } from 'nestjs-logout';

/**
 * Only content from this origin, no inline script or style, no frame around it, no form elsewhere.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
};

const SCRIPTS = ['page.js', 'session.js', 'api.js', 'sentences.js'];
const FILES = ['index.html', 'page.css', 'icon.svg', ...SCRIPTS];

/** What Express and Fastify both have. */
interface Response {
  header(name: string, value: string): unknown;
}

/** The page: no build, no template, no private data. Its script fetches what is private. */
@Controller()
export class PageController {
  private readonly files = new Map(FILES.map((name) => [name, read(name)]));

  @Get()
  @Header('Content-Security-Policy', POLICY)
  @Header('Cross-Origin-Opener-Policy', 'same-origin')
  @Header('Referrer-Policy', 'no-referrer')
  @Header('X-Content-Type-Options', 'nosniff')
  @Header('X-Frame-Options', 'DENY')
  page(@Res({ passthrough: true }) response: Response): string {
    return this.send('index.html', response);
  }

  @Get('page/:file')
  @Header('Cross-Origin-Resource-Policy', 'same-origin')
  @Header('X-Content-Type-Options', 'nosniff')
  file(@Param('file') file: string, @Res({ passthrough: true }) response: Response): string {
    return this.send(file, response);
  }

  private send(name: string, response: Response): string {
    const text = this.files.get(name);
    if (text === undefined) throw new AuthException(404, 'not_found', 'There is no such file.');
    response.header('Content-Type', TYPES[extname(name)] ?? 'text/plain; charset=utf-8');
    return text;
  }
}

/** This file runs from build/sample/01-quickstart. What tsc does not compile is still in the source folder. */
function read(name: string): string {
  const places = [`./public/${name}`, `../../../sample/01-quickstart/public/${name}`];
  const paths = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const path = paths.find((each) => existsSync(each));
  if (path === undefined)
    throw new Error(`The page is not where it should be: ${paths.join(', ')}`);
  return readFileSync(path, 'utf8');
}
