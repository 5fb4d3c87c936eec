import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Counter, Gauge, Histogram, type Metric, register } from 'prom-client';
import { VerifiedTokens } from '../authentication/verified-tokens.js';
import { SUPPORTED_FORMAT } from '../database/entities/revocation-event.entity.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { RELEASE } from '../platform/release.js';
import { LogCursor } from '../revocation/feed/log-cursor.js';
import { RevocationFeed } from '../revocation/feed/revocation-feed.service.js';
import { RevocationIndex } from '../revocation/index/revocation-index.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { RevocationService } from '../revocation/revocation.service.js';
import { ProofClock } from '../revocation/staleness/proof-clock.js';
import { type AuthPrometheusOptions, PROMETHEUS_OPTIONS } from './auth-prometheus.options.js';
import { COUNTERS } from './counters.js';
import { GAUGES } from './gauges.js';
import type { MetricDefinition, Observed } from './metric.js';

/** The buckets of poll durations (s): from a database on this host up to the time limit of a poll. */
const POLL_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Registers the metrics in the application's registry, and removes them at shutdown. */
@Injectable()
export class AuthMetrics implements OnModuleInit, OnApplicationShutdown {
  private readonly registered = new Map<string, Metric>();

  constructor(
    private readonly modules: ModuleRef,
    @Inject(PROMETHEUS_OPTIONS) private readonly options: AuthPrometheusOptions,
  ) {}

  /** Runs before the first poll, so that the histogram contains every poll. */
  onModuleInit(): void {
    const observed = this.observe();
    for (const definition of COUNTERS) this.addCounter(definition, observed);
    for (const definition of GAUGES) this.addGauge(definition, observed);
    this.addBuildInfo();
    const polls = this.add(
      'poll_duration_seconds',
      (name, registers) =>
        new Histogram({
          name,
          help: 'How long a round of the feed took that reached the head.',
          buckets: POLL_SECONDS,
          registers,
        }),
    );
    observed.meter.watchPolls((milliseconds) => polls.observe(milliseconds / 1000));
  }

  onApplicationShutdown(): void {
    for (const [name, metric] of this.registered) {
      if (this.registry.getSingleMetric(name) === metric) this.registry.removeSingleMetric(name);
    }
    this.registered.clear();
  }

  private get registry(): NonNullable<AuthPrometheusOptions['registry']> {
    return this.options.registry ?? register;
  }

  /** Looks the providers up with `strict: false`, so that AuthModule need not be global. */
  private observe(): Observed {
    const anywhere = { strict: false };
    try {
      return {
        meter: this.modules.get(AuthMeter, anywhere),
        revocation: this.modules.get(RevocationService, anywhere),
        feed: this.modules.get(RevocationFeed, anywhere),
        cursor: this.modules.get(LogCursor, anywhere),
        proofs: this.modules.get(ProofClock, anywhere),
        index: this.modules.get(RevocationIndex, anywhere),
        log: this.modules.get(RevocationLog, anywhere),
        verified: this.modules.get(VerifiedTokens, anywhere),
        options: this.modules.get(ResolvedAuthOptions, anywhere),
      };
    } catch {
      throw new AuthWiringError(
        'AuthPrometheusModule is imported in an application without AuthModule: there are no metrics to export.',
        'Import AuthModule.forRoot() in the root module.',
      );
    }
  }

  /** {@link AuthMeter} has the counts. At each scrape the counter is reset and set to them. */
  private addCounter({ name, help, label, read }: MetricDefinition, of: Observed): void {
    const labelNames = label === undefined ? [] : [label];
    this.add(name, (full, registers) => {
      const collect = function (this: Counter): void {
        this.reset();
        for (const [labels, value] of samples(label, read(of))) this.inc(labels, value);
      };
      return new Counter({ name: full, help, labelNames, registers, collect });
    });
  }

  private addGauge({ name, help, label, read }: MetricDefinition, of: Observed): void {
    const labelNames = label === undefined ? [] : [label];
    this.add(name, (full, registers) => {
      const collect = function (this: Gauge): void {
        for (const [labels, value] of samples(label, read(of))) this.set(labels, value);
      };
      return new Gauge({ name: full, help, labelNames, registers, collect });
    });
  }

  private addBuildInfo(): void {
    const help =
      'Always 1; the release of nestjs-logout, and the newest format of the log it knows.';
    const labelNames = ['version', 'format'];
    const gauge = this.add(
      'build_info',
      (name, registers) => new Gauge({ name, help, labelNames, registers }),
    );
    gauge.set({ version: RELEASE, format: String(SUPPORTED_FORMAT) }, 1);
  }

  private add<T extends Metric>(
    name: string,
    make: (name: string, registers: [NonNullable<AuthPrometheusOptions['registry']>]) => T,
  ): T {
    const full = `${this.options.prefix ?? 'nestjs_logout_'}${name}`;
    if (this.registry.getSingleMetric(full) !== undefined) {
      throw new AuthWiringError(
        `The metric ${full} exists already in the registry that AuthPrometheusModule was given.`,
        'Import AuthPrometheusModule.forRoot() once per application.',
        'If one process has several applications, give each its own registry or prefix.',
      );
    }
    const metric = make(full, [this.registry]);
    this.registered.set(full, metric);
    return metric;
  }
}

function samples(
  label: string | undefined,
  read: ReturnType<MetricDefinition['read']>,
): [labels: Record<string, string>, value: number][] {
  if (typeof read === 'number') return [[{}, read]];
  return [...read].map(([value, number]) => [{ [label ?? '']: value }, number]);
}
