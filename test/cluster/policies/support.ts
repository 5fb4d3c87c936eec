import { Controller, Get, Injectable, UseGuards } from '@nestjs/common';
import { type AuthEvent, AuthEvents, Freshness, JwtAuthGuard, WhenStale } from 'nestjs-logout';
import { fetchOnce } from '../../support/fetch-once.js';
import type { Instance } from '../../support/instance.js';
import type { TcpProxy } from '../../support/tcp-proxy.js';
import { clockOf } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';

/** One route for each policy that a route can have. */
@UseGuards(JwtAuthGuard)
@Controller()
export class PoliciesController {
  @Get('plain') plain(): string {
    return 'in';
  }

  @WhenStale('closed') @Get('closed') closed(): string {
    return 'in';
  }

  @WhenStale('open') @Get('open') open(): string {
    return 'in';
  }

  @WhenStale({ staleFor: '1m' }) @Get('minute') minute(): string {
    return 'in';
  }

  @Freshness(2) @Get('fresh') fresh(): string {
    return 'in';
  }

  @Freshness(2) @WhenStale({ staleFor: '1m' }) @Get('fresh-or-minute') freshOrMinute(): string {
    return 'in';
  }

  @Freshness('strict') @Get('strict') strict(): string {
    return 'in';
  }
}

/** The paths of {@link PoliciesController}. */
export const ROUTES = [
  'plain',
  'closed',
  'open',
  'minute',
  'fresh',
  'fresh-or-minute',
  'strict',
] as const;

/** A policy where no controller is: of a gateway, a resolver, a consumer of a queue. */
@Injectable()
export class Gateway {
  @WhenStale({ staleFor: '2m' }) handle(): void {}
}

/** What each route answers to one token. */
export async function statusOfAll(url: string, token: string): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {};
  for (const route of ROUTES) {
    const response = await fetchOnce(`${url}/${route}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await response.text();
    statuses[route] = response.status;
  }
  return statuses;
}

/** Expected of all routes, but for those that are named. */
export function all(
  status: number,
  but: Partial<Record<(typeof ROUTES)[number], number>> = {},
): Record<string, number> {
  return { ...Object.fromEntries(ROUTES.map((route) => [route, status])), ...but };
}

/** Takes the database away, and waits until the instance knows. */
export async function cutOff(instance: Instance, proxy: TcpProxy): Promise<void> {
  proxy.refuse();
  instance.feed.request();
  await eventually(() => instance.feed.failing);
}

/** Lets its knowledge grow this old (ms). */
export function age(instance: Instance, milliseconds: number): void {
  clockOf(instance).advance(milliseconds);
}

/** What is reported from here on. */
export function listen(instance: Instance): AuthEvent[] {
  const events: AuthEvent[] = [];
  instance.app.get(AuthEvents).subscribe((event) => events.push(event));
  return events;
}

/** What the head says of the widest staleness, in milliseconds. */
export async function registered(instance: Instance): Promise<number> {
  const [row] = (await instance.dataSource.query('SELECT max_staleness FROM auth_head')) as {
    max_staleness: unknown;
  }[];
  return Number(row?.max_staleness);
}
